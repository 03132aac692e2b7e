"""Structure: what the bytes tell becomes figures, and the ends must be called what the spec calls them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tflite_files import left_over

from deployspec.contract import ContractBroken, record
from deployspec.ir.artifact import Done, Job
from deployspec.ir.evidence import Count, NotMeasured, Operators, Share
from deployspec.ir.model import Input, Model, Output
from deployspec.ir.structure import End, Structure, ranked
from deployspec.measure.structure import inspect_artifact, measure_structure, structure_of

if TYPE_CHECKING:
    from pathlib import Path

MODEL = Model(
    name="net",
    source="net.py:build",
    inputs=(Input(name="image", shape=("batch", 4)), Input(name="tokens", shape=("batch", 2))),
    outputs=(Output(name="logits"),),
)
FOUND = Structure(
    inputs=(End(name="image", shape=(1, 4), dtype="float32"), End(name="tokens")),
    outputs=(End(name="logits"),),
    operators=(("conv", 2), ("relu", 1)),
    parameters=20,
    kernel_elements=16,
    kernel_zeros=4,
    weight_bytes=(("float32", 80),),
    macs=None,
    macs_reason="'resize' has no known shape",
    undelegated=(("aten::topk", 2), ("aten::sort", 1)),
    findings=("one operator is left to the portable kernels",),
)


def look(artifact: Path, model: Model) -> Structure:
    """The inspector of these tests: the file's text names what it finds."""
    assert model is MODEL
    return FOUNDS[artifact.read_text()]


FOUNDS = {
    "sound": FOUND,
    "nameless": replace(FOUND, inputs=(End(name=""), End(name="")), outputs=(End(name=""),)),
    "swapped": replace(FOUND, inputs=FOUND.inputs[::-1]),
    "renamed": replace(FOUND, outputs=(End(name="Identity"),)),
    "more": replace(FOUND, outputs=(*FOUND.outputs, End(name="aux"))),
    "nameless and more": replace(FOUND, outputs=(End(name=""), End(name=""))),
}


def inspected(folder: Path, kind: str) -> dict[str, Any]:
    lowered = folder / "lowered"
    (lowered / "artifact").mkdir(parents=True)
    (lowered / "artifact" / "net.bin").write_text(kind)
    options = {"inspector": f"{__name__}:look"}
    return inspect_artifact(Job(inputs={"artifact": lowered}, out=folder, options=options, model=MODEL))


@pytest.mark.parametrize("kind", ["sound", "nameless"])
def test_facts_give_the_structure_back(tmp_path: Path, kind: str) -> None:
    facts = inspected(tmp_path, kind)
    done = Done(step="s", folder=tmp_path, sha256="0", cached=False, seconds=0, facts=facts)
    assert structure_of(done) == FOUNDS[kind]
    assert facts["remarks"] == ["one operator is left to the portable kernels"]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("swapped", "the file's inputs are tokens, image; the spec's are image, tokens"),
        ("renamed", "the file's outputs are Identity; the spec's are logits"),
        ("more", "the file's outputs are logits, aux; the spec's are logits"),
        ("nameless and more", "the file has 2 outputs and the spec declares 1"),
    ],
)
def test_ends_that_are_not_the_specs_break_the_contract(tmp_path: Path, kind: str, said: str) -> None:
    with pytest.raises(ContractBroken) as broken:
        inspected(tmp_path, kind)
    assert str(broken.value) == said


LITERT = "deployspec.runners.tflite_delegate"
MUTE = """\
import os

RUNTIME = "mute"

def load(artifact, options):
    os._exit(0)
"""


def asked(folder: Path, runner: str) -> dict[str, Any]:
    """The facts of a .tflite, part of which a delegate takes, where `runner` is asked for that."""
    model = Model(name="net", source="net.py:net", inputs=(Input(name="x", shape=(1, 2)),), outputs=(Output(name="y"),))
    lowered = Job(inputs={}, out=folder / "lowered", options={}, model=model)
    (folder / "out").mkdir()
    lowered.out.mkdir()
    (lowered.artifact / "net.tflite").write_bytes(left_over().bytes())
    record(lowered, [np.zeros((1, 2), "f4")], [np.zeros((1, 3), "f4")], options=model.ends)
    options = {
        "inspector": "deployspec.formats.tflite:inspect",
        "runner": {"script": runner, "needs": ["deployspec.runners.protocol"], "family": runner},
    }
    return inspect_artifact(Job(inputs={"artifact": lowered.out}, out=folder / "out", options=options, model=model))


def test_what_a_delegate_leaves_is_asked_of_the_runner(tmp_path: Path) -> None:
    facts = asked(tmp_path, LITERT)
    assert facts["structure"]["undelegated"] == [["FLOOR_MOD", 1]]
    assert facts["structure"]["operators"] == [["FLOOR_MOD", 1], ["FULLY_CONNECTED", 1]]
    assert facts["remarks"] == ["operators that XNNPACK leaves to slower kernels: FLOOR_MOD (1)"]


def test_a_runner_that_does_not_answer_breaks_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mute.py").write_text(MUTE)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ContractBroken, match="exited 0 without an answer"):
        asked(tmp_path, "mute")


def test_figures_are_counts_and_shares() -> None:
    figures = {each.name: each.statistic for each in measure_structure("phone", FOUND)}
    assert figures == {
        "parameters": Count(value=Decimal(20)),
        "macs": NotMeasured(reason="'resize' has no known shape"),
        "sparsity": Share(hits=4, n=16),
        "operators": Operators(counts=(("conv", 2), ("relu", 1))),
        "weights.float32": Count(value=Decimal(80)),
        "undelegated_ops": Count(value=Decimal(3)),
    }


def test_a_format_without_delegates_has_no_such_figure_and_one_without_kernels_no_sparsity() -> None:
    bare = replace(FOUND, undelegated=None, kernel_elements=0, kernel_zeros=0, macs=7)
    figures = {each.name: each.statistic for each in measure_structure("phone", bare)}
    assert "undelegated_ops" not in figures
    assert isinstance(figures["sparsity"], NotMeasured)
    assert figures["macs"] == Count(value=Decimal(7))


def test_counts_are_ranked_and_ties_stand_by_name() -> None:
    assert ranked({"b": 1, "a": 1, "c": 3}) == (("c", 3), ("a", 1), ("b", 1))
