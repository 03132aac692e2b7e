"""State: what a model remembers between calls. A state is a memory (name to tensor) and its name there."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from deployspec.evaluators.mlprogram.table import IOS18, op

if TYPE_CHECKING:
    from torch import Tensor

Cell: TypeAlias = "tuple[dict[str, Tensor], str]"


@op("read_state", since=IOS18, exact=True)
def read_state(input: Cell) -> Tensor:
    """What the state holds."""
    memory, name = input
    return memory[name]


@op("write_state", since=IOS18)
def write_state(input: Cell, data: Tensor) -> tuple[()]:
    """Put `data` into the state."""
    memory, name = input
    memory[name] = data
    return ()
