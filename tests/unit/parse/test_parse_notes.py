"""Notes: what a sound spec is told of before any work, beside missing data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deployspec.diagnostics import Diagnostic, Severity
from deployspec.parse import notes, parse_spec

if TYPE_CHECKING:
    from pathlib import Path

SPEC = """
deployspec = 1

[model]
name = "digits"
source = "digits.py:build"
weights = "digits.safetensors"

[[model.inputs]]
name = "image"
shape = ["batch", 1, 8, 8]

[budgets]
size = "< 20 MB"
latency_p95 = "< 100 ms"

[targets.phone]
format = "tflite"

[targets.tablet]
format = "tflite"
"""


def told(folder: Path, text: str) -> list[Diagnostic]:
    (folder / "digits.py").write_text("def build(): ...\n")
    (folder / "digits.safetensors").touch()
    spec = folder / "spec.toml"
    spec.write_text(text)
    found = list(notes(parse_spec(spec)))
    assert all(each.severity is Severity.NOTE for each in found)
    return found


def test_a_promise_that_can_be_kept_has_no_note(tmp_path: Path) -> None:
    assert told(tmp_path, SPEC) == []


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression", "custom"])
def test_every_task_is_measured_and_so_is_a_metric_of_the_specs_own(tmp_path: Path, kind: str) -> None:
    own = '[metrics.wer]\nsource = "digits.py:build"\nbetter = "lower"\n[data]\ntest = "digits.py:build"\n[budgets]\n'
    task = f'[task]\nkind = "{kind}"\nlabels = ["a", "b"]\n'
    figure = {"regression": 'mae = "< 3"\n', "custom": ""}.get(kind, 'recall = ">= 80 %"\n')
    assert (
        told(tmp_path, SPEC.replace("[budgets]\n", task + own + 'wer_rise = "< 0.1"\nagreement = ">= 90 %"\n' + figure))
        == []
    )


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("[targets.phone]", '[targets.phone]\ndevice = "pixel-8"', ("targets", "phone", "device")),
        ("[budgets]", '[evidence]\nlatency = "device"\n[budgets]', ("targets", "phone")),
    ],
)
def test_evidence_that_only_a_device_can_give(tmp_path: Path, old: str, new: str, place: tuple[str, ...]) -> None:
    (found,) = told(tmp_path, SPEC.replace(old, new))
    assert (found.code, found.path) == ("not-measured", place)
    assert "latency_p95 must come from a device, and this version reaches none" in found.message


def test_a_device_is_no_matter_where_the_machines_own_figures_are_enough(tmp_path: Path) -> None:
    text = SPEC.replace("[targets.phone]", '[targets.phone]\ndevice = "pixel-8"')
    assert told(tmp_path, text.replace("[budgets]", '[evidence]\nlatency = "host"\n[budgets]')) == []


def test_a_callable_without_weights_must_hold_its_own(tmp_path: Path) -> None:
    (found,) = told(tmp_path, SPEC.replace('weights = "digits.safetensors"\n', ""))
    assert (found.code, found.path) == ("no-weights", ("model", "source"))
    assert found.help == "name `weights` so that the report can pin them"


@pytest.mark.parametrize(("shape", "helps"), [("[8]", ['for 8 numbers a sample, write shape = ["batch", 8]']),
                                              ("[1]", []), ('["batch"]', []), ("[8, 8]", [])])  # fmt: skip
def test_a_shape_that_may_lack_its_batch_is_told(tmp_path: Path, shape: str, helps: list[str]) -> None:
    found = told(tmp_path, SPEC.replace('["batch", 1, 8, 8]', shape))
    assert [each.help for each in found] == helps
