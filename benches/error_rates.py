"""The chance that a bound proves what is not so, where the truth lies exactly on the limit."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import product
from math import comb
from typing import Protocol

import numpy as np
from scipy.stats import binom

from deployspec.ir.evidence import PairedOutcomes
from deployspec.judge.figure import Figure
from deployspec.judge.jaccard import Overlap
from deployspec.judge.order import LOOKS, rank_above
from deployspec.judge.paired import Paired, p_value_above, p_value_below
from deployspec.judge.proportions import Proportion, lower_bound
from deployspec.judge.resample import MacroF1, MacroRecall, PrecisionDrop, Resampled

ALPHA = 0.05

DRAWN = 1000
"""Tables that are drawn where they are too many to be judged one by one."""

NEGLIGIBLE = 1e-9
"""Tables that are rarer are not judged, and count as errors."""

DROP = Decimal("0.05")


@dataclass(frozen=True)
class Errors:
    """The chances of a wrong pass and of a wrong fail; `about` when tables were drawn."""

    passes: float
    fails: float
    about: bool = False


class Sample(Protocol):
    """Whatever the judge bounds."""

    def figure(self, alpha: float | None) -> Figure:
        """The estimate with its bounds."""


Weighed = Iterable[tuple[Sample, float]]
"""Samples with their chances."""


def of_floor(samples: Weighed, truth: float, *, about: bool = False) -> Errors:
    """Of a floor at the truth: passes where the lower bound lies above it, fails where the upper one lies below."""
    passes = fails = 0.0
    left = 1.0
    for sample, chance in samples:
        figure = sample.figure(ALPHA)
        passes += chance * (figure.lower > Decimal(str(truth)))
        fails += chance * (figure.upper < Decimal(str(truth)))
        left -= chance
    unseen = 0.0 if about else max(left, 0.0)
    return Errors(passes + unseen, fails + unseen, about)


def share(n: int, p: float) -> Errors:
    """Hits of n, each with chance p."""
    return of_floor(((Proportion(k, n), chance) for k, chance in _hits(n, p)), p)


def f1(n: int, p: float) -> Errors:
    """F1 = p of n samples that are of a class or called so."""
    return of_floor(((Overlap(k, n - k, 0), chance) for k, chance in _hits(n, p / (2 - p))), p)


def worst_share(n: int) -> Errors:
    """Over all p: wrong passes are likeliest where p is a lower bound itself, and wrong fails mirror them."""
    at_bounds = max(float(binom.sf(k - 1, n, lower_bound(k, n, ALPHA))) for k in range(1, n + 1))
    return Errors(at_bounds, at_bounds)


def two_classes(kind: type[MacroRecall] | type[MacroF1]) -> Callable[[int, float], Errors]:
    """The mean over two classes of n / 2 samples, each found with chance p: every table is judged."""

    def errors(n: int, p: float) -> Errors:
        each = list(_hits(n // 2, p))
        pairs = ((a, b, one * other) for (a, one), (b, other) in product(each, each) if one * other > NEGLIGIBLE)
        return of_floor(
            ((_table(kind, np.array([[a, n // 2 - a], [n // 2 - b, b]])), chance) for a, b, chance in pairs), p
        )

    return errors


def ten_classes(kind: type[MacroRecall] | type[MacroF1]) -> Callable[[int, float], Errors]:
    """The mean over ten classes of n / 10 samples, each found with chance p, else called another at random."""

    def errors(n: int, p: float) -> Errors:
        chances = np.full((10, 10), (1 - p) / 9) + np.eye(10) * (p - (1 - p) / 9)
        rng = np.random.default_rng(n)
        drawn = (_table(kind, rng.multinomial(n // 10, chances)) for _ in range(DRAWN))
        return of_floor(((table, 1 / DRAWN) for table in drawn), p, about=True)

    return errors


def precision_drop(n: int, p: float) -> Errors:
    """A drop of 5 pp from a precision of p, of n samples that either model calls so; 3 % of them are lost."""
    lost, drop = 0.03, float(DROP)
    right = p - lost
    raised = right / (p - drop) - right - (1 - p)
    cells = np.array([right, lost, 0.0, raised, 0.0, 1 - p])
    drawn = np.random.default_rng(n).multinomial(n, cells / cells.sum(), size=DRAWN)
    passes = fails = 0
    for table, count in Counter(map(tuple, drawn.tolist())).items():
        both, broken, repaired, alarms, silenced, kept = table
        if not (both + broken + silenced + kept and both + repaired + alarms + kept):
            continue  # one of the models never calls a sample so: not measured
        inside = PairedOutcomes(both=both, broken=broken, repaired=repaired, neither=0)
        outside = PairedOutcomes(both=0, broken=alarms, repaired=silenced, neither=kept)
        figure = Resampled(PrecisionDrop(inside, outside), 0).figure(ALPHA)
        passes += count * (figure.upper < DROP)
        fails += count * (figure.lower > DROP)
    return Errors(passes / DRAWN, fails / DRAWN, about=True)


@dataclass(frozen=True)
class Drop:
    """A drop of `limit`, or of that share of the reference's, over n pairs."""

    n: int
    limit: Decimal
    relative: bool = False

    @property
    def rho(self) -> float:
        """What a repaired sample weighs against a broken one."""
        return 1 - float(self.limit) if self.relative else 1.0

    def errors(self, unchanged: float) -> Errors:
        """Where this share of the pairs is as before: by both right, or by neither."""
        return self._at((1 - float(self.limit) - unchanged) / (1 + self.rho))

    def worst(self) -> Errors:
        """The largest errors that any share of unchanged pairs leaves, passes and fails each by itself."""
        each = [
            self._at(q) for q in (1 - float(self.limit)) / (1 + self.rho) * np.sin(np.linspace(0, np.pi / 2, 300)) ** 2
        ]
        return Errors(max(e.passes for e in each), max(e.fails for e in each))

    def _at(self, q: float) -> Errors:
        """Where a sample is repaired with chance q."""
        p_b = float(self.limit) + self.rho * q
        return Errors(_reached(_passing(self), p_b, q), _reached(_failing(self), q, p_b))


@cache
def _passing(drop: Drop) -> np.ndarray:
    """For each number of broken samples, the fewest repaired with which the drop passes."""

    def rejects(b: int, c: int) -> bool:
        sample = Paired(b, c, drop.n, drop.limit, drop.relative)
        return p_value_below(sample, float(drop.limit), exact=sample.exact) <= ALPHA

    return _staircase(rejects, drop.n)


@cache
def _failing(drop: Drop) -> np.ndarray:
    """For each number of repaired samples, the fewest broken with which it fails."""

    def rejects(c: int, b: int) -> bool:
        sample = Paired(b, c, drop.n, drop.limit, drop.relative)
        return p_value_above(sample, float(drop.limit), exact=False) <= ALPHA

    return _staircase(rejects, drop.n)


def _staircase(rejects: Callable[[int, int], bool], n: int) -> np.ndarray:
    """The fewest of the one for each number of the other, n + 1 where none will do; more of the other take more."""
    fewest, y = np.full(n + 1, n + 1), 0
    for x in range(n + 1):
        while y <= n - x and not rejects(x, y):
            y += 1
        if y > n - x:
            break
        fewest[x] = y
    return fewest


def _reached(fewest: np.ndarray, p_x: float, p_y: float) -> float:
    """The chance of at least the fewest y for x, of n pairs that are x, y or neither."""
    x = np.flatnonzero(fewest <= len(fewest) - 1)
    n = len(fewest) - 1
    rest = min(p_y / (1 - p_x), 1.0) if p_x < 1 else 0.0
    return float((binom.pmf(x, n, p_x) * binom.sf(fewest[x] - 1, n - x, rest)).sum())


def processes(looks: tuple[int, ...]) -> Errors:
    """Of a median at the limit, whatever the distribution: wrong at any of these looks. By counting all ways there."""
    slower, error, seen = {0: 1}, 0.0, 0
    for look in looks:
        steps = look - seen
        ways = Counter()
        for above, count in slower.items():
            for more in range(steps + 1):
                ways[above + more] += count * comb(steps, more)
        rank = rank_above(look, ALPHA / len(LOOKS))
        passed = {above for above in ways if rank is not None and above <= look - rank}
        failed = {above for above in ways if rank is not None and look - above <= look - rank}
        error += sum(ways[above] for above in passed) / 2**look
        slower = {above: count for above, count in ways.items() if above not in passed | failed}
        seen = look
    return Errors(error, error)


def _hits(n: int, p: float) -> Iterator[tuple[int, float]]:
    chances = binom.pmf(np.arange(n + 1), n, p)
    return ((k, float(chance)) for k, chance in enumerate(chances) if chance > NEGLIGIBLE)


def _table(kind: type[MacroRecall] | type[MacroF1], confusion: np.ndarray) -> Resampled:
    if kind is MacroF1:
        return Resampled(MacroF1(tuple(map(tuple, confusion.tolist()))), 0)
    return Resampled(MacroRecall(tuple(confusion.diagonal().tolist()), tuple(confusion.sum(axis=1).tolist())), 0)
