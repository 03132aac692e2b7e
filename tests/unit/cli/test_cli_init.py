"""`deployspec init`: what it finds it says, what it cannot know it marks, and its spec is one that validates."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from deployspec.cli import group
from deployspec.errors import DeploySpecError

X = np.zeros((6, 4), np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text("def build(): ...\ndef train(): ...\ndef _own(): ...\n")
    return tmp_path


def init(*arguments: str) -> tuple[str, dict[str, Any]]:
    """What it says, and the spec that it wrote, which validates."""
    outcome = CliRunner().invoke(group, ["init", *arguments], catch_exceptions=False)
    assert outcome.exit_code == 0
    path = arguments[arguments.index("--out") + 1] if "--out" in arguments else "deployspec.toml"
    assert CliRunner().invoke(group, ["validate", path]).exit_code == 0
    return outcome.stdout, tomllib.loads(Path(path).read_text())


def refusal(*arguments: str) -> str:
    outcome = CliRunner().invoke(group, ["init", *arguments])
    assert isinstance(outcome.exception, DeploySpecError) or outcome.exit_code == 2
    return str(outcome.exception) if isinstance(outcome.exception, DeploySpecError) else outcome.stderr


def test_safetensors_are_taken_and_what_else_is_there_is_named(folder: Path) -> None:
    for name in ("a.pt", "other.safetensors", "model.safetensors", "train.npz"):
        (folder / name).touch()
    (folder / "data").mkdir()
    (folder / "data" / "train.npz").touch()
    said, spec = init("model.py:build")
    assert spec["model"]["weights"] == "model.safetensors"
    assert "  weights: model.safetensors, and not other.safetensors, a.pt\n" in said
    assert spec["data"]["train"] == "data/train.npz"
    assert "  train: data/train.npz, and not train.npz\n" in said


def test_places_to_edit_are_counted(folder: Path) -> None:
    said, _ = init("model.py:build")
    assert said.startswith("wrote deployspec.toml, with 3 places marked EDIT\n")
    assert (folder / "deployspec.toml").read_text().count("EDIT") == 3
    np.savez(folder / "test.npz", x=X, y=np.arange(6) % 3)
    said, spec = init("model.py:build", "--out", "other.toml")
    assert said.startswith("wrote other.toml, with 1 place marked EDIT\n  test: test.npz\n")
    assert spec["task"]["labels"] == ["0", "1", "2"]
    assert spec["model"]["inputs"] == [{"name": "input", "shape": ["batch", 4], "dtype": "float32"}]


def test_the_folder_of_out_is_made_and_a_spec_is_never_overwritten(folder: Path) -> None:
    (folder / "pyproject.toml").touch()
    _, spec = init("model.py:build", "--out", "specs/deep/model.toml")
    assert spec["model"]["source"] == "../../model.py:build"
    assert "model.toml exists: choose another name" in refusal("model.py:build", "--out", "specs/deep/model.toml")
    assert "exists: choose another name" in refusal("model.py:build", "--out", "model.py/model.toml")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "model.py",
            "model.py is code: name the function that makes the model, as model.py:NAME; it defines build, tra",
        ),
        ("model.py:", "model.py is code: name the function that makes the model"),
        ("model.py:biuld", "model.py has no 'biuld': perhaps you meant 'build'"),
        ("model.py:zzz", "model.py has no 'zzz': it defines build, train"),
        ("nowhere.py:build", "nowhere.py does not exist: "),
    ],
)
def test_a_source_that_names_no_callable_is_refused(source: str, said: str) -> None:
    assert said in refusal(source)


def test_labels_stored_by_name_become_the_tasks_in_sorted_order(folder: Path) -> None:
    np.savez(folder / "test.npz", x=X, y=np.array(["dog", "cat", "dog", 'a "hen"', "cat", "dog"]))
    said, spec = init("model.py:build")
    assert spec["task"]["labels"] == ['a "hen"', "cat", "dog"]
    assert "  y holds the labels themselves: store each one's place in [task] labels, counted from 0, instead\n" in said


def test_samples_of_another_name_name_the_input(folder: Path) -> None:
    np.savez(folder / "test.npz", image=np.zeros((6, 8, 8, 1), np.uint8), y=np.arange(6))
    _, spec = init("model.py:build")
    assert spec["model"]["inputs"][0]["name"] == "image"
    assert spec["model"]["inputs"][0]["shape"] == ["batch", 1, 8, 8]


def test_values_that_are_no_classes_are_not_listed(folder: Path) -> None:
    np.savez(folder / "test.npz", x=X, y=np.arange(6) * 200)
    _, spec = init("model.py:build")
    assert spec["task"]["labels"] == ["0", "1"]


def test_a_test_split_that_is_none_is_refused_in_the_words_of_check(folder: Path) -> None:
    (folder / "test.npz").write_text("junk")
    assert "test.npz is not a whole .npz file: write it with numpy.savez" in refusal("model.py:build")


@pytest.mark.parametrize("y", [np.linspace(0, 1, 6), np.zeros((6, 1), np.float32), np.linspace(0, 9, 12).reshape(6, 2)])
def test_floats_make_a_regression(folder: Path, y: np.ndarray) -> None:
    np.savez(folder / "test.npz", x=X, y=y)
    said, spec = init("model.py:build")
    assert said.startswith("wrote deployspec.toml, with 0 places marked EDIT\n")
    assert "  the task is taken for a regression, as y is stored as floats\n" in said
    assert spec["task"] == {"kind": "regression"}
    assert spec["model"]["outputs"] == [{"name": "values", "kind": "values"}]
    assert list(spec["budgets"]) == ["size", "latency_p95", "mae_rise", "agreement"]


@pytest.mark.parametrize("dtype", [np.int64, bool, np.float32])
def test_a_0_or_1_for_each_label_makes_a_multilabel_task(folder: Path, dtype: type) -> None:
    y: np.ndarray = np.array([[0, 1, 1], [1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1], [0, 0, 1]], dtype)
    np.savez(folder / "test.npz", x=X, y=y)
    said, spec = init("model.py:build")
    assert "  the task is taken for multilabel, as y holds a 0 or a 1 for each of several labels\n" in said
    assert spec["task"] == {"kind": "multilabel", "labels": ["0", "1", "2"]}
    assert list(spec["budgets"]) == ["size", "latency_p95", "recall_drop", "recall"]


@pytest.mark.parametrize("y", [np.eye(6), np.arange(6)[:, None], np.arange(6) * 200])
def test_a_task_that_y_leaves_open_is_marked(folder: Path, y: np.ndarray) -> None:
    np.savez(folder / "test.npz", x=X, y=y)
    said, spec = init("model.py:build")
    assert said.startswith("wrote deployspec.toml, with 2 places marked EDIT\n")
    assert spec["task"] == {"kind": "classification", "labels": ["0", "1"]}
    assert "# EDIT: classification | binary | multilabel | regression | custom" in Path("deployspec.toml").read_text()
