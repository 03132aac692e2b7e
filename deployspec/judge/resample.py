"""Macro figures and precision drops: seeded draws of tables that could have given the counts.

Such a figure has no exact bound of its own, and a plain bootstrap of an error-free table is blind: it gives [1, 1]. A
share of k of n has: Clopper and Pearson's lower bound is a quantile of Beta(k, n - k + 1), and their upper one of
Beta(k + 1, n - k). That is one sample more, which speaks against the claim. So are all tables drawn: each count is a
gamma variate of that shape, their ratios are beta variates, and for the lower bound of the figure every outcome that
lowers it has one sample more, spread evenly where it could have fallen; for the upper bound every outcome that raises
it (generalized fiducial inference: Hannig 2009, Statistica Sinica 19:491-544). What is drawn for one class alone gives
the exact bounds; those of several erred in 6.2 % of the worst case that was found for 5 % (benches/coverage.py).
Neither leaves out the estimate itself.

The randomness is the raw 64-bit output of PCG64, whose stream is the same in every version of numpy. It chooses
among the quantiles of a gamma distribution, which are worked out once for each count.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, inf, prod
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

import numpy as np

from deployspec.ir.evidence import PairedOutcomes
from deployspec.judge import figure as figures
from deployspec.judge.decide import MOST_SAMPLES, holds
from deployspec.judge.figure import Figure, point, ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.units import Bound

    Floats = np.ndarray[Any, np.dtype[np.float64]]

DRAWS: Final = 2000
"""Draws behind each bound."""

_QUANTILES: Final = 2048
"""Values that stand for a gamma distribution: so fine that the error of 2,000 draws hides what they leave out."""

_ROOT: Final = Decimal("0.5")
_STEP: Final = 1.1
"""By so much a table grows that decides nothing yet."""

_BLOCK: Final = 4096
"""Cells of a confusion matrix that are drawn at a time: 64 MiB of draws, however many cells there are."""


class Table(Protocol):
    """Counts that a figure follows from."""

    @property
    def n(self) -> int:
        """Samples that the figure rests on."""

    @property
    def basis(self) -> str:
        """The counts in words."""

    @property
    def estimate(self) -> Fraction:
        """The figure of the table itself."""

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the largest that the figure can be."""

    def grown(self, factor: Fraction) -> Table:
        """The nearest table with as many times the counts."""

    def drawn(self, seed: int) -> tuple[Floats, Floats]:
        """The figure of `DRAWS` tables, for its lower bound and for its upper one."""


@dataclass(frozen=True)
class Resampled:
    """A table and the seed that it is drawn with."""

    table: Table
    seed: int

    @property
    def basis(self) -> str:
        """The counts in words."""
        return self.table.basis

    def figure(self, alpha: float | None) -> Figure:
        """The figure with the quantiles of its draws; no bounds where these are too few for `alpha`."""
        estimate = ratio(*self.table.estimate.as_integer_ratio())
        return point(estimate, self.table.n) if alpha is None else _bounded(self, estimate, alpha)

    def needed(self, bound: Bound, alpha: float) -> int | None:
        """About how many more samples would decide, or None where no split of a sane size would.

        The distance to a bound shrinks as a power of their number: with the root of it where there are errors, with
        the number itself where there are none. The power is found by looking at one larger table, and what it leads to
        is tried: of a few samples it is a poor guide.
        """
        distance, n = bound.limit - self.figure(alpha).estimate, Decimal(self.table.n)
        reach = self._reach(distance, alpha)
        first = n * (reach / distance) ** 2 if reach and distance else Decimal("Infinity")
        if first > MOST_SAMPLES:
            return None
        nearer = max(self._grown(ceil(first))._reach(distance, alpha), figures.GRID)
        power = min(max((reach / nearer).ln() / (first / n).ln(), _ROOT), Decimal(1)) if first > n else _ROOT
        size = max(ceil(first * (nearer / abs(distance)) ** (1 / power)), self.table.n + 1)
        while size <= MOST_SAMPLES and holds(self._grown(size).figure(alpha), bound) is None:
            size = ceil(size * _STEP)
        return size - self.table.n if size <= MOST_SAMPLES else None

    def _grown(self, size: int) -> Resampled:
        return Resampled(self.table.grown(Fraction(size, self.table.n)), self.seed)

    def _reach(self, distance: Decimal, alpha: float) -> Decimal:
        """How far the bound on the side of `distance` is from the estimate; 0 where there is none."""
        figure = self.figure(alpha)
        bound = figure.upper if distance > 0 else figure.lower
        return Decimal() if bound is None else abs(bound - figure.estimate)


@dataclass(frozen=True)
class MacroRecall:
    """The mean over the classes of `hits` / `support`; every class has samples."""

    hits: tuple[int, ...]
    support: tuple[int, ...]
    ends: ClassVar = (0.0, 1.0)

    @property
    def n(self) -> int:
        """All samples."""
        return sum(self.support)

    @property
    def basis(self) -> str:
        """The counts in words."""
        return f"{sum(self.hits)} of {self.n} over {len(self.hits)} classes"

    @property
    def estimate(self) -> Fraction:
        """The mean recall."""
        return sum(map(Fraction, self.hits, self.support), Fraction()) / len(self.hits)

    def grown(self, factor: Fraction) -> MacroRecall:
        """The nearest table with as many times the counts."""
        return MacroRecall(_times(factor, self.hits), _times(factor, self.support))

    def drawn(self, seed: int) -> tuple[Floats, Floats]:
        """The mean recall of each draw."""
        hits = np.array(self.hits, dtype=float)
        right, wrong, more = gammas(np.stack([hits, np.array(self.support) - hits, np.ones_like(hits)]), seed)
        lower, upper = (each / (right + wrong + more) for each in (right, right + more))
        return lower.mean(axis=0), upper.mean(axis=0)


@dataclass(frozen=True)
class MacroF1:
    """The mean over the classes of F1 = 2 TP / (2 TP + FP + FN), from a matrix whose every row has samples."""

    confusion: tuple[tuple[int, ...], ...]
    ends: ClassVar = (0.0, 1.0)

    @property
    def n(self) -> int:
        """All samples."""
        return sum(map(sum, self.confusion))

    @property
    def basis(self) -> str:
        """The counts in words."""
        right = sum(row[i] for i, row in enumerate(self.confusion))
        return f"{right} of {self.n} over {len(self.confusion)} classes"

    @property
    def estimate(self) -> Fraction:
        """The mean F1."""
        rows, columns = (
            [sum(row) for row in self.confusion],
            [sum(column) for column in zip(*self.confusion, strict=True)],
        )
        scores = [Fraction(2 * self.confusion[i][i], rows[i] + columns[i]) for i in range(len(rows))]
        return sum(scores, Fraction()) / len(scores)

    def grown(self, factor: Fraction) -> MacroF1:
        """The nearest table with as many times the counts."""
        return MacroF1(tuple(_times(factor, row) for row in self.confusion))

    def drawn(self, seed: int) -> tuple[Floats, Floats]:
        """The mean F1 of each draw."""
        counts, source = np.array(self.confusion, dtype=float), np.random.PCG64(seed)
        classes = len(counts)
        right, more = _gammas(np.stack([np.diagonal(counts), np.ones(classes)]), source)
        of_class, called = right.copy(), right.copy()
        true, said = np.nonzero(counts * ~np.eye(classes, dtype=bool))
        for start in range(0, len(true), _BLOCK):
            row, column = (each[start : start + _BLOCK] for each in (true, said))
            errors = _gammas(counts[row, column], source)
            of_class += _summed(errors, row, classes)
            called += _summed(errors, column, classes)
        elsewhere = (more.sum(axis=0) - more) / max(classes - 1, 1)
        lower = 2 * right / (of_class + more + called + elsewhere)
        upper = 2 * (right + more) / (of_class + more + called + more)
        return lower.mean(axis=0), upper.mean(axis=0)


@dataclass(frozen=True)
class PrecisionDrop:
    """Precision of the reference minus the artifact's for one class, from joint outcomes.

    `inside` counts the samples of the class, right meaning called so; `outside` the others, right meaning not called
    so. Both models call some sample so.
    """

    inside: PairedOutcomes
    outside: PairedOutcomes
    relative: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """All may be gained, or lost; a relative gain has no end."""
        return (-inf if self.relative else -1.0), 1.0

    @property
    def _cells(self) -> tuple[int, ...]:
        inside, outside = self.inside, self.outside
        return (inside.both, inside.broken, inside.repaired, outside.broken, outside.repaired, outside.neither)

    @property
    def n(self) -> int:
        """Samples that at least one of the two calls so."""
        return sum(self._cells)

    @property
    def basis(self) -> str:
        """The counts in words."""
        both, lost, gained, raised, silenced, kept = self._cells
        before, after = both + lost, both + gained
        return f"{before} of {before + silenced + kept} right before, {after} of {after + raised + kept} after"

    @property
    def estimate(self) -> Fraction:
        """The drop of the table itself."""
        return Fraction(self._drop([Fraction(cell) for cell in self._cells]))

    def grown(self, factor: Fraction) -> PrecisionDrop:
        """The nearest table with as many times the counts."""
        return PrecisionDrop(_grown(self.inside, factor), _grown(self.outside, factor), self.relative)

    def drawn(self, seed: int) -> tuple[Floats, Floats]:
        """The drop of each draw: the lower for more gained and silenced, the upper for more lost and raised."""
        shapes = np.array([*self._cells, 1, 1], dtype=float)
        both, lost, gained, raised, silenced, kept, inside, outside = gammas(shapes, seed)
        lower = self._drop((both, lost, gained + inside, raised, silenced + outside, kept))
        upper = self._drop((both, lost + inside, gained, raised + outside, silenced, kept))
        return lower, upper

    def _drop(self, cells: Sequence[Any]) -> Any:
        """The drop from six counts, exact ones or arrays of drawn ones."""
        both, lost, gained, raised, silenced, kept = cells
        before = (both + lost) / (both + lost + silenced + kept)
        after = (both + gained) / (both + gained + raised + kept)
        return (before - after) / before if self.relative else before - after


def _times(factor: Fraction, counts: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(round(factor * count) for count in counts)


def _summed(rows: Floats, by: np.ndarray[Any, np.dtype[np.intp]], groups: int) -> Floats:
    """The sum of the rows of each group, zeros where it has none."""
    order = np.argsort(by, kind="stable")
    present, first = np.unique(by[order], return_index=True)
    sums = np.zeros((groups, rows.shape[1]))
    if present.size:
        sums[present] = np.add.reduceat(rows[order], first)
    return sums


def _grown(each: PairedOutcomes, factor: Fraction) -> PairedOutcomes:
    both, broken, repaired, neither = _times(factor, (each.both, each.broken, each.repaired, each.neither))
    return PairedOutcomes(both=both, broken=broken, repaired=repaired, neither=neither)


def gammas(shapes: Floats, seed: int) -> Floats:
    """Gamma variates: `DRAWS` for each shape, along a new last axis, the same for the same seed anywhere.

    Each is one of `_QUANTILES` equally likely quantiles, chosen by its own bits of the stream.
    """
    return _gammas(shapes, np.random.PCG64(seed))


def _gammas(shapes: Floats, source: np.random.PCG64) -> Floats:
    """The next ones of the stream."""
    drawn = np.empty((shapes.size, DRAWS))
    for row, shape, chosen in zip(drawn, shapes.flat, _choices(source, drawn.shape), strict=True):
        row[:] = _quantiles(float(shape)).take(chosen)
    return drawn.reshape(*shapes.shape, DRAWS)


@lru_cache(maxsize=1024)
def _quantiles(shape: float) -> Floats:
    """The gamma distribution's quantiles in the middle of as many equal parts; of no count at all, none."""
    from scipy.special import gammaincinv

    if not shape:
        return np.zeros(_QUANTILES)
    return np.asarray(gammaincinv(shape, (np.arange(_QUANTILES) + 0.5) / _QUANTILES))


def _choices(source: np.random.PCG64, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Numbers below `_QUANTILES`: four from each 64 bits of the stream, the lowest bits first."""
    words = source.random_raw(-(-prod(shape) // 4)).astype("<u8")
    return np.asarray(words.view("<u2")[: prod(shape)] % np.uint16(_QUANTILES)).reshape(shape)


def uniform(source: np.random.PCG64, shape: tuple[int, ...]) -> Floats:
    """The next numbers between 0 and 1, both exclusive, of the stream: the same in every version of numpy."""
    raw = source.random_raw(prod(shape))
    return np.asarray(((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53).reshape(shape)


@lru_cache(maxsize=256)
def _bounded(sample: Resampled, estimate: Decimal, alpha: float) -> Figure:
    tail = floor(alpha * DRAWS)
    if not tail:
        return Figure(estimate=estimate, lower=None, upper=None, n=sample.table.n)
    for_lower, for_upper = sample.table.drawn(sample.seed)
    lower, upper = np.partition(for_lower, tail - 1)[tail - 1], np.partition(for_upper, -tail)[-tail]
    least, most = sample.table.ends
    return Figure(
        estimate=estimate,
        lower=min(figures.floor(max(lower, least)), figures.floor(estimate)),
        upper=max(figures.ceiling(min(upper, most)), figures.ceiling(estimate)),
        n=sample.table.n,
    )
