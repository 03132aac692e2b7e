"""Every kind of task, from a spec to a report that verifies: small linear models of scikit-learn's data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from programs import Ran, deployspec
from projects import Project
from safetensors.numpy import save_file
from sklearn.datasets import load_diabetes, load_digits

if TYPE_CHECKING:
    from pathlib import Path

NET = """
import torch


def build():
    return torch.nn.Linear({inputs}, {outputs})
"""

SPEC = """
deployspec = 1

[model]
name = "linear"
source = "net.py:build"
weights = "net.safetensors"

[[model.inputs]]
name = "x"
shape = ["batch", {inputs}]

[[model.outputs]]
name = "said"
kind = "{kind}"

{task}

[data]
test = "test.npz"

[budgets]
{budgets}

[targets.small]
format = "torchscript"
passes = [{{ pass = "quantize", scheme = "int8-dynamic" }}]
"""

METRICS = """
import numpy as np


def distance(outputs, targets):
    return np.linalg.norm(outputs - targets, axis=1)


def kept(outputs, targets):
    return 1 - distance(outputs, targets) / np.linalg.norm(targets, axis=1)


def broken(outputs, targets):
    return np.where(np.arange(len(targets)) == 7, np.nan, 1.0)


def lost(outputs, targets):
    return distance(outputs, targets)[:-1]
"""


def fitted(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (outputs, inputs) and biases of the least squares."""
    solved = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0]
    return np.ascontiguousarray(solved[:-1].T), solved[-1]  # safetensors writes the memory as it lies


def project(folder: Path, x: np.ndarray, y: np.ndarray, model: tuple[np.ndarray, np.ndarray], **spec: str) -> Project:
    folder.mkdir(exist_ok=True)
    made = Project(folder)
    weights, biases = model
    outputs, inputs = weights.shape
    made.write("spec.toml", SPEC.format(inputs=inputs, **spec))
    made.write("net.py", NET.format(inputs=inputs, outputs=outputs))
    made.write("metrics.py", METRICS)
    save_file({"weight": weights.astype(np.float32), "bias": biases.astype(np.float32)}, folder / "net.safetensors")
    made.save("test.npz", x=x.astype(np.float32), y=y)
    return made


def run(made: Project, command: str, *more: str) -> Ran:
    return deployspec(command, str(made.spec), *more, DEPLOYSPEC_STORE=str(made.folder / "store"))


def check(made: Project) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code and the verdicts by budget, of a report that verifies."""
    ran = run(made, "check", "--out", str(made.folder / "out"), "--format", "json")
    assert ran.code in (0, 1, 3), ran.said
    verified = deployspec("verify", str(made.folder / "out" / "report.dsse.json"), "--allow-unsigned")
    assert verified.code == ran.code, verified.out + verified.said
    return ran.code, {each["budget"]: each for each in json.loads(ran.out)["verdicts"]}


def outcomes(verdicts: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: each["verdict"] for name, each in verdicts.items()}


def test_a_regression(tmp_path: Path) -> None:
    data = load_diabetes()
    order = np.random.default_rng(0).permutation(len(data.target))
    x, y = data.data[order] * 20, data.target[order]
    model = fitted(x[:142], y[:142, None])
    made = project(
        tmp_path / "regression", x[142:], y[142:], model, kind="values", task='[task]\nkind = "regression"',
        budgets='mae = "< 60"\nmae_rise = "< 8 %"\nrmse = "< 20"\nrmse_rise = "< 5"\nagreement = ">= 50 %"',
    )  # fmt: skip
    planned = run(made, "plan")
    assert planned.code == 0, planned.said
    assert "mae_rise" in planned.out
    code, found = check(made)
    assert code == 1
    passing = dict.fromkeys(("mae", "mae_rise", "rmse_rise", "agreement"), "pass")
    assert outcomes(found) == passing | {"rmse": "fail"}
    errors = np.abs(x[142:] @ model[0][0] + model[1] - y[142:])
    assert float(found["mae"]["estimate"]) == pytest.approx(errors.mean(), rel=0.02)
    assert float(found["rmse"]["estimate"]) == pytest.approx(np.sqrt((errors**2).mean()), rel=0.02)
    assert {each["n"] for each in found.values()} == {300}


def test_several_labels_a_sample(tmp_path: Path) -> None:
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    x, digit = digits.data[order] / 16, digits.target[order]
    y = np.column_stack([np.isin(digit, (0, 6, 8, 9)), digit % 2 == 0, digit > 4, digit > 9]).astype(np.int64)
    weights, biases = fitted(x[:897], y[:897] * 8.0 - 4)
    made = project(
        tmp_path / "several", x[897:], y[897:], (weights, biases), kind="logits",
        task='[task]\nkind = "multilabel"\nlabels = ["loop", "even", "large", "huge"]\nthreshold = 0.4',
        budgets=(
            'recall = { loop = ">= 80 %", even = ">= 99 %", huge = ">= 1 %" }\nrecall_drop = { loop = "< 2 pp" }\n'
            'precision = { large = ">= 70 %" }\nf1 = { even = ">= 80 %" }\nmacro_recall = ">= 50 %"\n'
            'agreement = ">= 90 %"'
        ),
    )  # fmt: skip
    planned = run(made, "plan", "--format", "json")
    told = {each["budget"]: each for each in json.loads(planned.out)["decidable"]["small"]}
    assert (told["recall.huge"]["n"], told["recall.huge"]["passable"]) == (0, False)
    assert told["agreement"]["n"] == 900
    code, found = check(made)
    assert code == 1
    assert outcomes(found) == {
        "recall.loop": "pass", "recall.even": "fail", "recall.huge": "not_measured", "recall_drop.loop": "pass",
        "precision.large": "pass", "f1.even": "pass", "macro_recall": "not_measured", "agreement": "pass",
    }  # fmt: skip
    called = x[897:] @ weights[0] + biases[0] >= np.log(0.4 / 0.6)
    expected = called[y[897:, 0] == 1].mean()
    assert float(found["recall.loop"]["estimate"]) == pytest.approx(expected, abs=0.01)


def test_metrics_of_the_specs_own(tmp_path: Path) -> None:
    """A projection to 30 dimensions and back: how far an image comes out from what went in."""
    images = load_digits().data / 16
    _, _, directions = np.linalg.svd(images[:1000], full_matrices=False)
    kept = directions[:30].T @ directions[:30]
    metrics = "".join(
        f'[metrics.{name}]\nsource = "metrics.py:{function}"\nbetter = "{better}"\naggregate = "{aggregate}"\n'
        for name, function, better, aggregate in (
            ("distance", "distance", "lower", "mean"), ("worst", "distance", "lower", "p95"),
            ("kept", "kept", "higher", "median"), ("broken", "broken", "lower", "mean"),
            ("lost", "lost", "lower", "mean"),
        )
    )  # fmt: skip
    made = project(
        tmp_path / "own", images[1000:], images[1000:], (kept, np.zeros(64)), kind="values",
        task=f'[task]\nkind = "custom"\n{metrics}',
        budgets=(
            'distance = "< 1"\ndistance_rise = "< 10 %"\nworst = "< 1.5"\nworst_rise = "< 0.2"\nkept = "> 0.8"\n'
            'kept_drop = "< 2 %"\nbroken = "< 3"\nlost_rise = "< 3"'
        ),
    )  # fmt: skip
    assert run(made, "validate").code == 0
    code, found = check(made)
    assert code == 3, "what gives no scores is not measured, and the artifact stands"
    passing = dict.fromkeys(("distance", "distance_rise", "worst", "worst_rise", "kept", "kept_drop"), "pass")
    assert outcomes(found) == passing | dict.fromkeys(("broken", "lost_rise"), "not_measured")
    assert "metrics.py:broken gave no scores: its score of sample 7 is nan" in found["broken"]["reason"]
    assert "it gave scores of shape [796] for 797 samples" in found["lost_rise"]["reason"]
    lengths = np.linalg.norm(images[1000:] @ kept - images[1000:], axis=1)
    assert float(found["distance"]["estimate"]) == pytest.approx(lengths.mean(), rel=0.02)
    assert float(found["worst"]["estimate"]) == pytest.approx(np.quantile(lengths, 0.95), rel=0.03)
    made.write("metrics.py", METRICS + "\n\n# its code is in the key of the scores, and in no other\n")
    planned = {line.split()[0]: line.endswith("cached") for line in run(made, "plan").out.splitlines() if " → " in line}
    again = {name for name, cached in planned.items() if not cached}
    assert again == {name for name in planned if name.endswith((".distance", ".worst", ".kept", ".broken", ".lost"))}
