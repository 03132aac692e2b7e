"""An ML Program, prepared once and then run as a plain loop over its operators."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from deployspec.evaluators.mlprogram import ops as _ops  # noqa: F401  (fills the table)
from deployspec.evaluators.mlprogram.conformance import is_covered
from deployspec.evaluators.mlprogram.faults import WrongInput
from deployspec.evaluators.mlprogram.features import Feature, inputs_of, outputs_of
from deployspec.evaluators.mlprogram.numerics import Mode, Numerics
from deployspec.evaluators.mlprogram.prepare import Preparation
from deployspec.formats.mlpackage import Package, UnreadableModel, open_package, tensor_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from deployspec.evaluators.mlprogram.plan import Block

_OPSETS: Final = {"CoreML5": 5, "CoreML6": 6, "CoreML7": 7, "CoreML8": 8}


@dataclass(frozen=True)
class State:
    """What a stateful model remembers between calls, by name; every call writes into it."""

    values: dict[str, Any]


@dataclass(frozen=True)
class Program:
    """A function of an ML Program, ready to be called. Calls do not change it, so threads may share it."""

    function: str
    mode: Mode
    opset: int
    """5 for iOS 15 up to 8 for iOS 18."""
    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    operators: Mapping[str, int]
    """The operators that the function consists of, each with how often it stands there; constants left out."""
    _block: Block = field(repr=False)
    _states: Mapping[str, tuple[int, Feature]] = field(repr=False)
    _slots: int = field(repr=False)

    def __call__(self, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs for the inputs of these names, from a fresh state; raises `WrongInput`."""
        return self.run(arrays)

    def uncovered(self) -> tuple[str, ...]:
        """The operators that no matching case of the conformance suite covers, in the meaning they have here."""
        return tuple(sorted(op for op in self.operators if not is_covered(op, self.opset)))

    def new_state(self) -> State:
        """A state of zeros, to be handed to each `run` of one sequence."""
        numerics = Numerics(self.mode)
        return State(
            {
                name: torch.zeros([each or 1 for each in feature.shape], dtype=numerics.dtype(feature.dtype))
                for name, (_, feature) in self._states.items()
            }
        )

    def run(self, arrays: Mapping[str, np.ndarray], state: State | None = None) -> dict[str, np.ndarray]:
        """The outputs for `arrays`; reads and writes `state` if the model has one."""
        frame: list[Any] = [None] * self._slots
        memory = (state or self.new_state()).values
        for name, (slot, _) in self._states.items():
            frame[slot] = (memory, name)
        with torch.inference_mode():
            results = self._block.run(frame, self._tensors(arrays))
        return {each.name: each.to_numpy(result) for each, result in zip(self.outputs, results, strict=True)}

    def _tensors(self, arrays: Mapping[str, np.ndarray]) -> list[Any]:
        unknown = sorted(set(arrays) - {each.name for each in self.inputs})
        if unknown:
            names = ", ".join(f"'{each.name}'" for each in self.inputs)
            raise WrongInput(f"the model has no input '{unknown[0]}'; its inputs are {names or 'none'}")
        numerics = Numerics(self.mode)
        return [each.to_tensor(arrays.get(each.name), numerics) for each in self.inputs]


def load(path: Path | str, *, function: str | None = None, mode: Mode = Mode.DECLARED) -> Program:
    """Prepare a function of the model at `path`, its default one unless named.

    Raises `UnreadableModel` for a file that is no ML Program, `Unsupported` for an operator that is not implemented.
    """
    package = open_package(Path(path))
    program = package.program
    name = function or package.model.description.defaultFunctionName or "main"
    if name not in program.functions:
        raise UnreadableModel(f"{path}: has no function '{name}'; it has {', '.join(sorted(program.functions))}")
    return _prepared(package, name, Numerics(mode))


def _prepared(package: Package, name: str, numerics: Numerics) -> Program:
    function = package.program.functions[name]
    opset = _OPSETS.get(function.opset)
    if opset is None or function.opset not in function.block_specializations:
        raise UnreadableModel(
            f"{package.root}: the operator set '{function.opset}' is not known; {', '.join(_OPSETS)} are"
        )
    preparation = Preparation(package, numerics, opset)
    values = [each for each in function.inputs if each.type.WhichOneof("type") != "stateType"]
    states = [each for each in function.inputs if each.type.WhichOneof("type") == "stateType"]
    body = function.block_specializations[function.opset]
    scope, slots = preparation.scope(states)
    block = preparation.block(body, scope, values)
    return Program(
        function=name,
        mode=numerics.mode,
        opset=opset,
        inputs=inputs_of(package, name, values),
        outputs=outputs_of(body, values, _classes(block)),
        operators=Counter(preparation.operators),
        _block=block,
        _states={
            each.name: (slot, Feature(each.name, tensor_type(each.type).dtype, tensor_type(each.type).shape))
            for each, slot in zip(states, slots, strict=True)
        },
        _slots=preparation.slots,
    )


def _classes(block: Block) -> list[str | int]:
    """The classes of the function's classifier, if it is one."""
    return next((step.call.keywords["classes"] for step in block.steps if step.site.op == "classify"), [])
