"""Leads shapes through torch's operators, and adds up how much they multiply.

An operator without a rule, or called as no rule expects, is `Unknown`, never taken for free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deployspec.formats.torch_archive import Instance, Shaped, Stored
from deployspec.formats.torch_products import PRODUCTS
from deployspec.formats.torch_shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deployspec.formats.torch_archive import Archive
    from deployspec.ir.model import Model


class Unknown(Exception):
    """The work cannot be told; the text says at which operator and why."""


class Work:
    """Applies operators to shapes, and adds up in `macs` what they multiply."""

    def __init__(self, archive: Archive) -> None:
        self.macs = 0
        self._archive = archive

    def apply(self, name: str, arguments: Sequence[Any], named: dict[str, Any]) -> Any:
        """The result of the operator, e.g. `aten::relu`. Raises Unknown."""
        plain = name if name.endswith("__") else name.removesuffix("_")
        rule = PRODUCTS.get(plain) or SHAPES.get(plain)
        if rule is None:
            raise Unknown(f"{name} has no rule here")
        try:
            if plain in PRODUCTS:
                result, work = rule(*map(self._unpacked, arguments), **named)
                self.macs += work
                return result
            return rule(*arguments, **named)
        except Exception as error:  # the file may say anything
            raise Unknown(f"{name} is called in a way that is not known ({type(error).__name__})") from None

    def of(self, run: Callable[[], Any]) -> tuple[int | None, str]:
        """The multiply-accumulates of what `run` applies here, or None with the reason."""
        try:
            run()
        except Unknown as unknown:
            return None, str(unknown)
        except (RecursionError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            return None, f"its code is not what torch writes ({type(error).__name__})"
        return self.macs, ""

    def constant(self, value: Any) -> Any:
        """A constant of the archive as operators take it: a tensor without dimensions is its number."""
        return self._archive.number(value) if isinstance(value, Stored) and not value.shape else value

    def _unpacked(self, value: Any) -> Any:
        """The parameters of quantized layers in the place of the objects that pack them."""
        if isinstance(value, list):
            return [_cell(each) if isinstance(each, Instance) else each for each in value]
        if not isinstance(value, Instance):
            return value
        if value.name.endswith("LinearPackedParamsBase"):
            return value.state[0]
        _, (settings, weight), _ = value.state
        rank, *numbers = map(int, self._archive.elements(settings))
        stride, padding, dilation, extra = (numbers[rank * i : rank * (i + 1)] for i in range(4))
        groups, flags = numbers[4 * rank :]
        return weight, None, stride, padding, dilation, bool(flags & 1), extra, groups


def _cell(packed: Instance) -> list[Any]:
    """The weights of a quantized recurrent cell: for its input, and for its state."""
    return [each.state[0] for each in packed.state[4]]


def declared_shapes(model: Model) -> list[Shaped]:
    """The spec's inputs for one sample: a symbolic dimension is 1."""
    return [Shaped(tuple(1 if isinstance(size, str) else size for size in each.shape)) for each in model.inputs]
