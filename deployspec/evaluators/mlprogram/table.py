"""The table of operators: name and operator set to a small function on tensors.

A function's parameters are the operator's inputs, by name. Their annotations say how an input reaches it: `Tensor` as
it is; `int`, `float`, `bool`, `str`, `Ints` and `Bools` as Python values; `Tensors` any number of them. A parameter
called `site` receives where the operator stands, one called `frame` the values that its nested blocks read.

An input without a parameter is refused, so no option is ignored in silence. An operator that only gained inputs from
one operator set to the next is one function; where its meaning changed, there is one for each meaning.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from deployspec.evaluators.mlprogram.faults import EvaluationFailed, Unsupported
from deployspec.formats.mlpackage import UnreadableModel

if TYPE_CHECKING:
    from torch import Tensor

    from deployspec.evaluators.mlprogram.numerics import Numerics
    from deployspec.formats.mlpackage import TensorType

IOS15, IOS16, IOS17, IOS18 = 5, 6, 7, 8
"""Operator sets, as programs name them: CoreML5 to CoreML8."""

Ints: TypeAlias = list[int]
Bools: TypeAlias = list[bool]
Tensors: TypeAlias = "list[Tensor]"
"""An input that takes any number of tensors."""
TensorList: TypeAlias = "list[Tensor]"
"""MIL's list, one value."""
Frame: TypeAlias = list[Any]
"""The values of a running program, by slot."""
Kernel: TypeAlias = Callable[..., Any]
Convert: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True)
class Site:
    """Where an operator stands in its program."""

    op: str
    name: str
    opset: int
    numerics: Numerics
    results: tuple[TensorType | None, ...]
    """The declared types of its outputs; None for a list or a dictionary."""
    blocks: tuple[Callable[[Frame, Sequence[Any]], list[Any]], ...] = ()
    """Its nested blocks: called with the frame and the values of their inputs."""

    @property
    def rounds_sums(self) -> bool:
        """Whether this operator's running totals are rounded to half precision."""
        first = self.results[0]
        return first is not None and self.numerics.rounds_sums(first.dtype)

    def fault(self, why: str) -> EvaluationFailed:
        """This operator cannot be evaluated."""
        return EvaluationFailed(self.op, self.name, why)


@dataclass(frozen=True)
class Operator:
    """One row of the table."""

    name: str
    since: int
    kernel: Kernel
    exact: bool
    """Its result holds only elements of its inputs, zeros and ones: rounding would change nothing."""
    converts: dict[str, Convert | None]
    """For each input: how its value becomes the kernel's argument; None if it is passed as it is."""
    tuples: frozenset[str]
    """Inputs that take any number of values."""
    required: frozenset[str]
    idle: frozenset[str]
    """Inputs that are accepted and say nothing that is not known anyway, such as the name of the declared type."""
    asks: frozenset[str]
    """What the kernel wants beside inputs: `site`, `frame`."""

    def check_inputs(self, given: Collection[str]) -> None:
        """Raise for an input that is not implemented, and for one that is missing."""
        unknown = sorted(set(given) - self.converts.keys() - self.idle)
        if unknown:
            raise Unsupported(self.name, f"its input '{unknown[0]}' is not implemented")
        missing = sorted(self.required - set(given))
        if missing:
            raise UnreadableModel(f"operator '{self.name}' lacks its input '{missing[0]}': the program is damaged")


_ASKS: Final = frozenset({"site", "frame"})

_TABLE: Final[dict[str, list[Operator]]] = {}
_REFUSED: Final[dict[str, str]] = {}

_CONVERTS: Final[dict[str, Convert | None]] = {
    "int": lambda value: int(value.item()),
    "float": lambda value: float(value.item()),
    "bool": lambda value: bool(value.item()),
    "Ints": lambda value: [int(each) for each in _flat(value)],
    "Bools": lambda value: [bool(each) for each in _flat(value)],
}


def op(name: str, *, since: int = IOS15, exact: bool = False, idle: Collection[str] = ()) -> Callable[[Kernel], Kernel]:
    """Enter the decorated function as operator `name` of operator set `since` and later ones."""

    def enter(kernel: Kernel) -> Kernel:
        signature = inspect.signature(kernel).parameters
        inputs = {key: each for key, each in signature.items() if key not in _ASKS}
        row = Operator(
            name,
            since,
            kernel,
            exact,
            converts={key: _CONVERTS.get(_kind(each)) for key, each in inputs.items()},
            tuples=frozenset(key for key, each in inputs.items() if _kind(each) == "Tensors"),
            required=frozenset(key for key, each in inputs.items() if each.default is inspect.Parameter.empty),
            idle=frozenset(idle),
            asks=_ASKS & signature.keys(),
        )
        rows = _TABLE.setdefault(name, [])
        if any(each.since == since for each in rows):
            raise ValueError(f"operator '{name}' of operator set {since} is in the table already")
        _TABLE[name] = sorted([*rows, row], key=lambda each: each.since, reverse=True)
        return kernel

    return enter


def refuse(name: str, why: str) -> None:
    """Enter operator `name` as one that is known and never evaluated."""
    _REFUSED[name] = why


def find(name: str, opset: int) -> Operator:
    """The operator `name` as operator set `opset` defines it; raises `Unsupported`."""
    rows = _TABLE.get(name)
    if rows is None:
        raise Unsupported(name, _REFUSED.get(name, "no operator of this name is implemented"))
    for row in rows:
        if row.since <= opset:
            return row
    raise Unsupported(name, f"it is not in the operator set CoreML{opset} that the program is written in")


def implemented() -> frozenset[str]:
    """The names of all operators that the evaluator implements, in any operator set."""
    return frozenset(_TABLE)


def _kind(parameter: inspect.Parameter) -> str:
    return str(parameter.annotation).removesuffix(" | None")


def _flat(value: Any) -> list[Any]:
    """The elements of a tensor, or of a tuple of scalars."""
    if isinstance(value, list):
        return [each.item() for each in value]
    return list(value.reshape(-1).tolist())
