"""Opening the source model: what is wrong with it is said in one line, and it is the same model in every process."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from deployspec.runners.callables import ModelFault
from deployspec.runners.eager import load_module, torch_run

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "import torch\n\n"
BUILD = "def build():\n    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2))\n"


@pytest.fixture(autouse=True)
def unchanged_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's folder goes to the path of the process that opens it, which here is not ours."""
    monkeypatch.setattr(sys, "path", [*sys.path])


def fault(folder: Path, code: str, weights: str | None = None) -> str:
    (folder / "model.py").write_text(HEAD + code)
    with pytest.raises(ModelFault) as refused:
        load_module(str(folder), "model.py:build", weights)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def biuld(): ...", "model.py has no 'build': perhaps you meant 'biuld'"),
        ("def other(): ...", "model.py has no 'build'"),
        ("def build():\n    return {}['width']", "model.py:4 in build: KeyError: 'width'"),
        ("def deep():\n    torch.zeros(2) @ torch.zeros(3)\ndef build():\n    deep()",
         "model.py:4 in deep: RuntimeError: inconsistent tensor size, "),
        ("import nowhere_at_all", "model.py:3: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("def build(:", "model.py:3: SyntaxError: "),
        ("def build():\n    return {}", "model.py:build returned a dict, which is no torch.nn.Module"),
        ("def build(): ...", "model.py:build returned None, which is no torch.nn.Module"),
        ("def build(width, *rest, depth=3): ...",
         "model.py:build wants arguments (width): name a function that wants none"),
        ("build = torch.nn.Linear", "model.py:build wants arguments (in_features, out_features): "),
        ("build = torch.nn.Linear(4, 3)", "model.py:build is a Linear: name a function, or a class, that makes the "),
        ("build = 3", "model.py:build is an int: name a function"),
    ],
)  # fmt: skip
def test_code_that_makes_no_model_is_named_with_its_line(tmp_path: Path, code: str, said: str) -> None:
    assert fault(tmp_path, code).startswith(said)


def state() -> dict[str, torch.Tensor]:
    return {
        "0.weight": torch.ones(3, 4),
        "0.bias": torch.ones(3),
        "1.weight": torch.ones(2, 3),
        "1.bias": torch.ones(2),
    }


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"epoch": 3, "model_state": state()}, "its state_dict lies under 'model_state': save that alone"),
        ({f"module.{name}": value for name, value in state().items()},
         "its names begin with 'module.', the model's do not: save the inner model's state_dict()"),
        ({name: value for name, value in state().items() if name != "1.bias"}, "it lacks 1.bias"),
        (state() | {"extra": torch.ones(1)}, "the model has no extra"),
        ({}, "it lacks 0.weight, 0.bias, 1.weight and 1 more"),
        (state() | {"0.bias": torch.ones(5), "1.bias": torch.ones(9)},
         "0.bias is [5] and the model's [3], 1.bias is [9] and the model's [2]"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_say_how(tmp_path: Path, held: dict[str, Any], said: str) -> None:
    torch.save(held, tmp_path / "w.pt")
    assert fault(tmp_path, BUILD, "w.pt") == f"w.pt does not fit the model: {said}"


def test_weights_of_an_inner_model_are_told_from_those_of_the_whole(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "w.pt")
    wrapped = BUILD.replace("build", "inner") + "def build():\n    return torch.nn.ModuleDict({'net': inner()})\n"
    assert fault(tmp_path, wrapped, "w.pt").startswith(
        "w.pt does not fit the model: the model's names begin with 'net.', its own do not: "
    )


def test_a_pickled_model_is_refused_without_the_advice_to_trust_it(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(4, 3), tmp_path / "w.pt")
    said = fault(tmp_path, BUILD, "w.pt")
    assert said.startswith("w.pt is a pickled model, not a state_dict (it holds torch.nn.modules.linear.Linear): save ")
    assert "weights_only" not in said


def test_what_is_no_file_of_weights_is_said(tmp_path: Path) -> None:
    torch.save(torch.ones(3), tmp_path / "tensor.pt")
    assert fault(tmp_path, BUILD, "tensor.pt").startswith("tensor.pt holds a Tensor, not a state_dict: save model.")
    (tmp_path / "junk.pt").write_text("these are no weights")
    assert fault(tmp_path, BUILD, "junk.pt").startswith("junk.pt is not a whole file of torch.save: save model.")
    (tmp_path / "junk.safetensors").write_text("these are no weights")
    assert fault(tmp_path, BUILD, "junk.safetensors").startswith("junk.safetensors is not a whole safetensors file: ")


def test_weights_that_fit_are_loaded(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(HEAD + BUILD)
    torch.save(state(), tmp_path / "w.pt")
    module = load_module(str(tmp_path), "model.py:build", "w.pt")
    assert all(torch.equal(value, state()[name]) for name, value in module.state_dict().items())
    assert not module.training


def test_forward_must_return_tensors() -> None:
    class Named(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"logits": x}

    with pytest.raises(ModelFault, match="forward returned a dict: return a tensor or a tuple of tensors"):
        torch_run(Named())([np.zeros((1, 2), np.float32)])


DRAWN = """\
import random, numpy, torch
BIAS = torch.randn(3)
def build():
    net = torch.nn.Linear(4, 3)
    net.bias.data = BIAS * random.random() * float(numpy.random.rand())
    return net
"""
DRAW = """\
import sys
from deployspec.runners.eager import load_module
print([value.tolist() for value in load_module(sys.argv[1], "model.py:build", None).state_dict().values()])
"""


def test_a_callable_that_draws_its_weights_draws_the_same_in_every_process(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(DRAWN)
    command = [sys.executable, "-c", DRAW, str(tmp_path)]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert first == second != ""
