"""The words that the findings of several steps share."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN: Final = 5


def some(named: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return ", ".join(islice(named, _SHOWN)) + more
