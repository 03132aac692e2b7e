"""The turns of phrase that messages of every stage share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 budget`, `2 budgets`, `1,250 samples`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def some(named: Sequence[str], most: int = 5) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return ", ".join(named[:most]) + more
