"""Pruning, end to end on the digits: what it takes away, what it leaves, and that it is done once."""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from programs import ROOT, Ran, deployspec

if TYPE_CHECKING:
    from pathlib import Path

HEAD = (ROOT / "specs" / "digits.toml").read_text().partition("# What must hold on every target.")[0]

TARGETS = """
[budgets]
accuracy = ">= 95 %"

[targets.dense]
format = "torchscript"

[targets.sparse]
format = "torchscript"
passes = [{ pass = "prune", sparsity = 0.5 }]

[targets.sparse.budgets]
sparsity = ">= 49 %"

[targets.narrow]
format = "torchscript"
passes = [{ pass = "prune", method = "structured", sparsity = 0.5, finetune = "tune.py:finetune" }]

[targets.narrow.budgets]
parameters = "<= 4000"
"""

WIDER = """
[targets.narrow-too]
format = "torchscript"
method = "script"
passes = [{ pass = "prune", method = "structured", sparsity = 0.5, finetune = "tune.py:finetune" }]
"""

QUANTIZED = """
[budgets]
accuracy = ">= 95 %"

[targets.dense]
format = "tflite"
passes = [{ pass = "quantize", scheme = "int8" }]

[targets.sparse]
format = "tflite"
passes = [{ pass = "prune", sparsity = 0.5 }, { pass = "quantize", scheme = "int8" }]
"""

HOOK = "from digits import finetune as tune\n\n\ndef finetune(model, train):\n    return tune(model, train)\n"


@dataclass(frozen=True)
class Pruned:
    """A project with the digits, its spec and a store of its own."""

    folder: Path

    def check(self, out: str) -> Ran:
        arguments = ("check", str(self.folder / "spec.toml"), "--out", str(self.folder / out), "--reuse-latency", "1 h")
        return deployspec(*arguments, DEPLOYSPEC_STORE=str(self.folder / "store"))

    def report(self) -> dict[str, Any]:
        """What the first check proved."""
        envelope = json.loads((self.folder / "out" / "report.dsse.json").read_text())
        found: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
        return found

    def figures(self, target: str) -> dict[str, Any]:
        """Each measurement of a target, by its name."""
        found = self.report()["measurements"]
        return {each["name"]: each["statistic"] for each in found if each["target"] == target}

    def counts(self, name: str) -> tuple[int, int]:
        """One count of the dense and of the sparse target."""
        dense, sparse = (int(self.figures(target)[name]["value"]) for target in ("dense", "sparse"))
        return dense, sparse


def project(folder: Path, targets: str) -> Pruned:
    shutil.copytree(ROOT / "examples" / "digits", folder)
    (folder / "spec.toml").write_text(HEAD.replace("../examples/digits/", "") + targets)
    (folder / "tune.py").write_text(HOOK)
    return Pruned(folder)


def built(ran: Ran) -> set[str]:
    """The steps that were not in the store."""
    return {line.split()[1] for line in ran.said.splitlines() if line.split()[0] == "done"}


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Pruned:
    return project(tmp_path_factory.mktemp("pruned") / "project", TARGETS)


@pytest.fixture(scope="module")
def first(pruned: Pruned) -> Ran:
    return pruned.check("out")


def test_half_the_weights_or_half_the_channels_keep_the_accuracy(first: Ran) -> None:
    assert first.code == 0, first.said + first.out
    assert "RELEASED: 5 budgets hold" in first.out


def test_half_the_weights_are_zero_in_the_file_that_ships(pruned: Pruned, first: Ran) -> None:
    share = pruned.figures("sparse")["sparsity"]
    assert share == {"kind": "share", "hits": 7144, "n": 14_288}
    assert pruned.figures("dense")["sparsity"]["hits"] == 0


def test_zeros_shrink_the_download_and_not_the_file(pruned: Pruned, first: Ran) -> None:
    dense, sparse = pruned.counts("size")
    assert sparse == dense
    dense, sparse = pruned.counts("size_compressed")
    assert sparse < 0.7 * dense


def test_channels_that_are_gone_take_three_quarters_of_the_parameters(pruned: Pruned, first: Ran) -> None:
    assert int(pruned.figures("narrow")["parameters"]["value"]) < 0.27 * 14_458


def test_the_report_says_what_was_pruned_and_names_the_hook_among_the_sources(pruned: Pruned, first: Ran) -> None:
    found = pruned.report()
    said = " ".join(found["findings"])
    assert "sparsity 50.0 % of 14,288 weights" in said
    assert "channels 80 → 40, parameters 14,458 → 3,778, finetuned by tune.py:finetune" in said
    assert "tune.py" in {each["name"] for each in found["sources"]}


@pytest.fixture(scope="module")
def wider(pruned: Pruned, first: Ran) -> Ran:
    spec = pruned.folder / "spec.toml"
    spec.write_text(spec.read_text() + WIDER)
    return pruned.check("wider")


def test_another_target_costs_no_second_pruning(wider: Ran) -> None:
    assert wider.code == 0, wider.said + wider.out
    names = {name.removeprefix("torchscript.float32-4") for name in built(wider)}
    assert names == {"", "@structure", "@test"}


def test_an_edited_hook_is_run_again_and_what_follows_only_where_the_weights_differ(pruned: Pruned, wider: Ran) -> None:
    (pruned.folder / "tune.py").write_text(HOOK + "\n# an edit\n")
    ran = pruned.check("edited")
    assert ran.code == 0, ran.said + ran.out
    assert built(ran) == {"torch.nn.Module.pruned-2"}


@pytest.mark.slow
def test_pruned_and_quantized_keeps_the_accuracy_and_the_zeros(tmp_path: Path) -> None:
    both = project(tmp_path / "project", QUANTIZED)
    ran = both.check("out")
    assert ran.code == 0, ran.said + ran.out
    share = both.figures("sparse")["sparsity"]
    assert share["hits"] >= 0.5 * share["n"]
    assert both.figures("dense")["sparsity"]["hits"] < 0.05 * share["n"]
    dense, sparse = both.counts("size_compressed")
    assert sparse < 0.9 * dense
