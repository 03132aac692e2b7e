"""Which samples of a split a quality figure counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Counting:
    """One way of counting: `kept` (n,) tells which rows count, None: all of them.

    `variant` is what measurements call this way, empty for the plain one. `refused` is why nothing can be counted.
    """

    kept: np.ndarray | None = None
    variant: str = ""
    refused: str = ""

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Those of an array's rows, one a sample, that count."""
        return rows if self.kept is None else rows[self.kept]

    @property
    def excluded(self) -> int:
        """How many rows do not count."""
        return 0 if self.kept is None else int(np.count_nonzero(~self.kept))


EVERY_ROW: Final = Counting()
"""All samples of the split, where none of them can have leaked."""
