"""A claim of speed: two figures of one run, their ratio, and the bar that it must hold."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Claim:
    """`ours` and `theirs` in `unit`. The ratio must not pass `bar` (with `at_least`: must reach it)."""

    name: str
    ours: float
    theirs: float
    ratio: float
    bar: float
    unit: str = "s"
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the bar is kept."""
        return self.ratio >= self.bar if self.at_least else self.ratio <= self.bar

    def row(self) -> list[str]:
        """The claim as cells of `COLUMNS`."""
        sign = ">=" if self.at_least else "<="
        figures = [f"{value:.3g} {self.unit}" for value in (self.ours, self.theirs)]
        return [self.name, *figures, f"{self.ratio:.3g}", f"{sign} {self.bar:g}", "ok" if self.holds else "MISSED"]


COLUMNS = ["claim", "ours", "theirs", "ratio", "bar", ""]


def of_pairs(name: str, pairs: Sequence[tuple[float, float]], bar: float, **more: bool | str) -> Claim:
    """The median of the ratios, pair by pair; each side shown by its own median."""
    ours, theirs = map(statistics.median, zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    return Claim(name=name, ours=ours, theirs=theirs, ratio=ratio, bar=bar, **more)
