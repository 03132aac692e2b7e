"""The chance that a bound proves what is not so, where the truth lies exactly on the limit."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import product
from math import comb
from typing import Protocol

import numpy as np
from scipy.stats import binom

from deployspec.ir.evidence import Aggregate, PairedOutcomes, Scores
from deployspec.judge.figure import Figure
from deployspec.judge.jaccard import Overlap
from deployspec.judge.paired import Paired, p_value_above, p_value_below
from deployspec.judge.processes import LOOKS
from deployspec.judge.proportions import Proportion, lower_bound
from deployspec.judge.ranks import rank_above
from deployspec.judge.resample import MacroF1, MacroRecall, PrecisionDrop, Resampled
from deployspec.judge.scores import Change, Drawn

ALPHA = 0.05

DRAWN = 1000
"""Tables that are drawn where they are too many to be judged one by one."""

NEGLIGIBLE = 1e-9
"""Tables that are rarer are not judged, and count as errors."""

FEWER = 200
"""Of scores, whose bounds take longer."""

EVERY = 100
"""Up to so many samples, every table of two classes is judged."""


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


def worst_of_two(kind: type[MacroRecall] | type[MacroF1]) -> Callable[[int], Errors]:
    """Over two classes of n samples, as many of each or one of ten, each found with any chance."""

    def errors(n: int) -> Errors:
        found = [
            _of_two(kind, (first, n - first), chances)
            for first in (n // 2, n // 10)
            for chances in product((0.5, 0.7, 0.9, 0.97, 1.0), repeat=2)
        ]
        return _worst(found)

    return errors


def _of_two(kind: type[MacroRecall] | type[MacroF1], support: tuple[int, int], chances: tuple[float, float]) -> Errors:
    """The mean over two classes: every table is judged where they are few."""
    truth = float(_estimate(kind, support, chances))
    about = sum(support) > EVERY
    if about:
        rng = np.random.default_rng(sum(support))
        pairs = Counter(map(tuple, rng.binomial(support, chances, (DRAWN, 2)).tolist()))
        weighed = ((a, b, count / DRAWN) for (a, b), count in pairs.items())
    else:
        each = product(_hits(support[0], chances[0]), _hits(support[1], chances[1]))
        weighed = ((a, b, one * other) for (a, one), (b, other) in each if one * other > NEGLIGIBLE)
    tables = ((_two(kind, support, (a, b)), chance) for a, b, chance in weighed)
    return of_floor(tables, truth, about=about)


@dataclass(frozen=True)
class Known:
    """A figure that was worked out before."""

    found: Figure

    def figure(self, _: float | None) -> Figure:
        """It."""
        return self.found


@cache
def _two(kind: type[MacroRecall] | type[MacroF1], support: tuple[int, int], hits: tuple[int, int]) -> Known:
    (n, m), (a, b) = support, hits
    return Known(_table(kind, np.array([[a, n - a], [m - b, b]])).figure(ALPHA))


def _estimate(
    kind: type[MacroRecall] | type[MacroF1], support: tuple[int, int], chances: tuple[float, float]
) -> Fraction:
    """The figure of the table in which each class is found as often as it is on the whole."""
    (n, m), (p, q) = support, (Fraction(str(each)) for each in chances)
    scale = 10_000
    cells = [[n * p, n * (1 - p)], [m * (1 - q), m * q]]
    return _table(kind, np.array([[int(each * scale) for each in row] for row in cells])).table.estimate


def precision_drop(n: int) -> Errors:
    """The worst of drops of 2, 5 and 10 pp from any precision: by lost samples, by new false alarms, by both."""
    return _worst(
        _precision_drop(n, np.array(cells) / sum(cells), drop)
        for drop, p in product((0.02, 0.05, 0.1), (0.5, 0.9, 1.0))
        for cells in _dropped(p, drop)
    )


def _dropped(p: float, drop: float) -> Iterator[tuple[float, ...]]:
    """Shares of both, lost, gained, raised, silenced and kept, of a precision of p that becomes p - drop."""
    after = p - drop
    yield p, 0.0, 0.0, p / after - 1, 0.0, 1 - p
    lost = drop / (1 - after)
    yield p - lost, lost, 0.0, 0.0, 0.0, 1 - p
    churn = 0.03 * (p < 1)
    yield p - churn, churn, churn, p / after - 1 + churn, churn, 1 - p - churn


def _precision_drop(n: int, shares: np.ndarray, drop: float) -> Errors:
    """Of n samples that either model calls so."""
    passes = fails = 0
    limit = Decimal(str(drop))
    if shares.min() < 0:
        return Errors(0, 0, about=True)
    drawn = np.random.default_rng(n).multinomial(n, shares, size=DRAWN)
    for table, count in Counter(map(tuple, drawn.tolist())).items():
        both, broken, repaired, alarms, silenced, kept = table
        if not (both + broken + silenced + kept and both + repaired + alarms + kept):
            continue  # one of the models never calls a sample so: not measured
        inside = PairedOutcomes(both=both, broken=broken, repaired=repaired, neither=0)
        outside = PairedOutcomes(both=0, broken=alarms, repaired=silenced, neither=kept)
        figure = Resampled(PrecisionDrop(inside, outside), 0).figure(ALPHA)
        passes += count * (figure.upper < limit)
        fails += count * (figure.lower > limit)
    return Errors(passes / DRAWN, fails / DRAWN, about=True)


def only_raised(n: int) -> Errors:
    """The worst of drops up to 30 pp where the reference never errs and new false alarms alone lower the precision."""
    alarms, nothing = np.arange(n), PairedOutcomes(both=0, broken=0, repaired=0, neither=0)
    figures = [Resampled(_raised(n - each, each, nothing), 0).figure(ALPHA) for each in alarms.tolist()]
    lower, upper = (np.array(each, float) for each in zip(*((one.lower, one.upper) for one in figures), strict=True))
    drops = np.arange(1, 121) / 400
    chances = [(drop, binom.pmf(alarms, n, drop)) for drop in drops]
    return _worst(Errors(chance[upper < drop].sum(), chance[lower > drop].sum()) for drop, chance in chances)


def _raised(kept: int, alarms: int, nothing: PairedOutcomes) -> PrecisionDrop:
    """Of a precision of 1."""
    return PrecisionDrop(replace(nothing, both=kept), replace(nothing, broken=alarms))


SHAPES = {
    "even": (lambda rng, n: rng.random(n), 0.5),
    "skewed": (lambda rng, n: rng.exponential(size=n), 1.0),
    "one in a hundred is 50": (
        lambda rng, n: np.where(rng.random(n) < 0.01, 50.0, rng.random(n)),
        0.01 * 50 + 0.99 * 0.5,
    ),
}
"""Scores, and their mean."""


def mean_score(n: int, shape: str) -> Errors:
    """The mean of n scores of that shape."""
    draw, truth = SHAPES[shape]
    rng = np.random.default_rng(n)
    passes = fails = 0
    for _ in range(FEWER):
        drawn = tuple(Decimal(f"{score:.6f}") for score in draw(rng, n))
        figure = Drawn(Scores(artifact=drawn, reference=drawn, aggregate=Aggregate.MEAN), Change(), 0).figure(ALPHA)
        passes += figure.upper is not None and figure.upper < truth
        fails += figure.lower is not None and figure.lower > truth
    return Errors(passes / FEWER, fails / FEWER, about=True)


def _worst(found: Iterable[Errors]) -> Errors:
    """The most wrong passes and the most wrong fails, each by itself."""
    each = list(found)
    about = any(one.about for one in each)
    return Errors(max(one.passes for one in each), max(one.fails for one in each), about)


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
        largest = (1 - float(self.limit)) / (1 + self.rho)
        return _worst(self._at(q) for q in largest * np.sin(np.linspace(0, np.pi / 2, 300)) ** 2)

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
        rank = rank_above(look, 0.5, ALPHA / len(LOOKS))
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
