"""Multiply-accumulates of an ML Program, from the shapes that it declares; `deployspec.formats.macs` has the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deployspec.formats import macs
from deployspec.formats.mlpackage import TensorType, tensor_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Untold(Exception):
    """The program does not tell; the text says why."""


def multiply_accumulates(block: Any, types: dict[str, TensorType]) -> tuple[int | None, str]:
    """The count of one sample, or None and the reason. `types` are the program's tensors by name.

    A size that is open until the program runs counts as 1 where it is the batch: the first, in recurrent cells the
    second.
    """
    constants = {op.outputs[0].name: op.attributes["val"] for op in flat(block) if op.type == "const"}
    try:
        return sum(_count(op, _Sizes(op, types, constants)) for op in block.operations), ""
    except _Untold as reason:
        return None, str(reason)


def flat(block: Any) -> Iterator[Any]:
    """Every operation, those of nested blocks after the one that holds them."""
    for op in block.operations:
        yield op
        for inner in op.blocks:
            yield from flat(inner)


def _count(op: Any, sizes: _Sizes) -> int:
    counted = [each.type for inner in op.blocks for each in flat(inner) if each.type in _RULES]
    if counted:
        raise _Untold(f"how often '{counted[0]}' runs is decided inside '{op.type}', when the program runs")
    return _RULES[op.type](sizes) if op.type in _RULES else 0


@dataclass(frozen=True)
class _Sizes:
    """What the rules ask of one operation."""

    op: Any
    types: dict[str, TensorType]
    constants: dict[str, Any]

    def of(self, key: str, place: int = 0, batch: int = 0) -> tuple[int, ...]:
        """The shape of an argument, for one sample; `batch` is the axis that may be open."""
        argument = self._argument(key, place)
        if argument.WhichOneof("binding") == "value":
            return self._fixed(tensor_type(argument.value.type), batch)
        return self._fixed(self._type(argument.name), batch)

    def output(self) -> tuple[int, ...]:
        """The shape of the first output, for one sample."""
        return self._fixed(self._type(self.op.outputs[0].name), 0)

    def given(self, key: str) -> bool:
        """Whether an optional argument is there."""
        return key in self.op.inputs

    def flag(self, key: str) -> bool:
        """A constant truth value; false where it is left out."""
        if not self.given(key):
            return False
        argument = self._argument(key, 0)
        value = argument.value if argument.WhichOneof("binding") == "value" else self.constants.get(argument.name)
        if value is None or not value.immediateValue.tensor.bools.values:
            raise _Untold(f"'{key}' of a '{self.op.type}' is decided when the program runs")
        return bool(value.immediateValue.tensor.bools.values[0])

    def _argument(self, key: str, place: int) -> Any:
        given = self.op.inputs[key].arguments if key in self.op.inputs else ()
        if place >= len(given):
            raise _Untold(f"a '{self.op.type}' lacks its '{key}'")
        return given[place]

    def _type(self, name: str) -> TensorType:
        if name not in self.types:
            raise _Untold(f"the program declares no tensor '{name}'")
        return self.types[name]

    def _fixed(self, kind: TensorType, batch: int) -> tuple[int, ...]:
        shape = tuple(1 if size is None and axis == batch else size for axis, size in enumerate(kind.shape))
        if None in shape or not shape:
            raise _Untold(f"the shapes of a '{self.op.type}' are open until the program runs")
        return tuple(size for size in shape if size is not None)


def _convolution(sizes: _Sizes) -> int:
    return macs.convolution(sizes.output(), sizes.of("weight"))


def _transposed(sizes: _Sizes) -> int:
    return macs.transposed_convolution(sizes.of("x"), sizes.of("weight"))


def _linear(sizes: _Sizes) -> int:
    return macs.product(sizes.output(), sizes.of("weight")[-1])


def _matmul(sizes: _Sizes) -> int:
    x = sizes.of("x")
    return macs.product(sizes.output(), x[-2 if sizes.flag("transpose_x") and len(x) > 1 else -1])


def _einsum(sizes: _Sizes) -> int:
    """The format has one equation only, nchw,nwhu->nchu, which sums over the last axis of its first operand."""
    return macs.product(sizes.output(), sizes.of("values")[-1])


def _attention(sizes: _Sizes) -> int:
    """Queries times keys, (…, queries, keys), then these times the values."""
    queries, keys, output = sizes.of("query"), sizes.of("key"), sizes.output()
    scores = (*output[:-1], keys[-2])
    return macs.product(scores, queries[-1]) + macs.product(output, keys[-2])


def _recurrent(gates: int) -> Callable[[_Sizes], int]:
    def rule(sizes: _Sizes) -> int:
        steps, _, inputs = sizes.of("x", batch=1)
        hidden = sizes.of("weight_hh")[-1]
        return macs.recurrent(steps, gates, inputs, hidden, 2 if sizes.given("weight_hh_back") else 1)

    return rule


_RULES: Final[dict[str, Callable[[_Sizes], int]]] = {
    "conv": _convolution,
    "conv_transpose": _transposed,
    "linear": _linear,
    "matmul": _matmul,
    "einsum": _einsum,
    "scaled_dot_product_attention": _attention,
    "lstm": _recurrent(4),
    "gru": _recurrent(3),
    "rnn": _recurrent(1),
}
