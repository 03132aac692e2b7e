"""A prepared program: steps over a frame of slots, run as a plain loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from deployspec.errors import DeploySpecError
from deployspec.evaluators.mlprogram.faults import UnknownOption, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from functools import partial

    from deployspec.evaluators.mlprogram.table import Convert, Frame, Site

KERNEL_FAULTS: Final = (RuntimeError, ValueError, IndexError, TypeError, KeyError, OverflowError, AttributeError)
"""What torch and Python raise for operands that do not fit."""


@dataclass(frozen=True)
class Constant:
    """An operand known when the program is prepared."""

    value: Any

    def read(self, frame: Frame) -> Any:  # noqa: ARG002  (an operand is read from a frame)
        """The value."""
        return self.value


@dataclass(frozen=True)
class Slot:
    """An operand computed while the program runs."""

    index: int

    def read(self, frame: Frame) -> Any:
        """The value, once its operator has run."""
        return frame[self.index]


Operand: TypeAlias = Constant | Slot
Settle: TypeAlias = "Callable[[Any], Any]"


@dataclass(frozen=True)
class Argument:
    """An argument of a kernel that is read from the frame at each call."""

    operands: tuple[Operand, ...]
    several: bool
    convert: Convert | None

    def read(self, frame: Frame) -> Any:
        """The value as the kernel wants it."""
        value = [each.read(frame) for each in self.operands] if self.several else self.operands[0].read(frame)
        return value if self.convert is None else self.convert(value)


@dataclass(frozen=True)
class Step:
    """One operator of the plan."""

    site: Site
    call: partial[Any]
    arguments: tuple[tuple[str, Argument], ...]
    asks_frame: bool
    settle: tuple[Settle, ...]
    """For each result, what brings it into its declared type."""
    slots: tuple[int, ...]
    reads: frozenset[int]
    frees: tuple[int, ...] = ()

    def run(self, frame: Frame) -> None:
        """Put the results into the frame, and forget what nobody reads any more."""
        for slot, value in zip(self.slots, self.compute(frame), strict=True):
            frame[slot] = value
        for slot in self.frees:
            frame[slot] = None

    def compute(self, frame: Frame) -> list[Any]:
        """The results in their declared types; raises `EvaluationFailed`."""
        try:
            arguments = {name: each.read(frame) for name, each in self.arguments}
            result = self.call(**arguments, frame=frame) if self.asks_frame else self.call(**arguments)
            values = result if isinstance(result, tuple) else (result,)
            return [settle(value) for settle, value in zip(self.settle, values, strict=True)]
        except DeploySpecError:
            raise
        except UnknownOption as error:
            raise Unsupported(self.site.op, str(error)) from error
        except KERNEL_FAULTS as error:
            raise self.site.fault(str(error).partition("\n")[0]) from error


@dataclass(frozen=True)
class Block:
    """A sequence of steps with inputs and outputs, sharing its program's frame."""

    inputs: tuple[int, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Operand, ...]
    reads: frozenset[int]
    """Slots that it reads and does not fill itself."""
    gives: frozenset[int]
    """Slots that it fills with its outputs."""

    def run(self, frame: Frame, values: Sequence[Any]) -> list[Any]:
        """The outputs for the values of the inputs."""
        for slot, value in zip(self.inputs, values, strict=True):
            frame[slot] = value
        for step in self.steps:
            step.run(frame)
        results = [each.read(frame) for each in self.outputs]
        for slot in self.gives:
            frame[slot] = None
        return results
