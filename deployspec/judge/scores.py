"""Scores of samples: means by a Bayesian bootstrap that reckons with an unseen sample, quantiles by order statistics.

No bound on a mean holds without knowing how far scores can reach (Bahadur and Savage 1956, Annals of Mathematical
Statistics 27:1115-1122), and a bootstrap takes what was seen for all there is: of equal scores it proves their value.
Here one sample more than was seen is drawn with the others, in the Bayesian bootstrap (Rubin 1981, Annals of
Statistics 9:130-134), at the end where scores cannot lie beyond. With a known end this is Gaffke's bound (2005,
Mathematical Methods of Statistics 14:451-467), which for scores of 0 and 1 is Clopper-Pearson. Ends are not known
here and are taken from the scores of both models:

- A score may lie beyond the farthest one seen by as much as they reach, 0 being in their reach. Scores that never
  pass 0 are taken to end there.
- A sample's score may change by all of that reach, from whatever the reference scores in the mean. So n samples
  without any change do not prove that nothing changes, just as n samples without a wrong decision do not.

Fewer than 1/alpha samples give no bound: a fresh score passes the largest of n with a chance of 1/(n + 1). Nor do
scores that are all 0, which tell of no reach. A change is drawn in pairs, both models under the same weights.

A quantile's bounds are scores of stated ranks, exact for any distribution. The change of a quantile is drawn in pairs
like that of a mean; the unseen sample lies above all scores of one model and below those of the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from itertools import cycle, islice
from math import ceil, floor, isfinite, log, sqrt
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from deployspec.ir.evidence import Aggregate, NotMeasured, Scores
from deployspec.judge import figure as figures
from deployspec.judge.decide import MOST_SAMPLES, holds, samples_needed
from deployspec.judge.figure import GRID, Figure, point
from deployspec.judge.ranks import rank_above, rank_below
from deployspec.judge.resample import DRAWS, uniform
from deployspec.judge.words import limits, told
from deployspec.units import Dimension

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deployspec.ir.budget import Budget
    from deployspec.units import Bound

    Floats = np.ndarray[Any, np.dtype[np.float64]]

Value = TypeVar("Value", Decimal, "Floats")

_AT_ONCE: Final = 250
"""Samples, or draws, whose weights are held together, so that memory does not grow with their product."""

_TIMES: Final = 4
"""So many times the samples tell how a bound comes nearer."""

_WORDS: Final = {
    Aggregate.MEAN: "mean",
    Aggregate.ROOT_MEAN: "root of the mean",
    Aggregate.MEDIAN: "median",
    Aggregate.P95: "95th percentile",
}


@dataclass(frozen=True)
class Change:
    """How the artifact's figure is told: by itself, or (`sign` 1 or -1) as how far it lies above or below the
    reference's, which `relative` makes a share of the reference's.
    """

    sign: int = 0
    relative: bool = False

    def of(self, artifact: Value, reference: Value) -> Value:
        """The figure, from those of the two models."""
        if not self.sign:
            return artifact
        change = (artifact - reference) * self.sign
        return change / abs(reference) if self.relative else change


def sample_of(budget: Budget, scores: Scores, seed: int) -> Drawn | Quantile | NotMeasured:
    """What a budget on scores rests on."""
    if not scores.artifact:
        return NotMeasured(reason="the split has no sample")
    change = Change()
    if worse := budget.row.change:
        change = Change(-1 if worse == "drop" else 1, budget.limit.relative)
    if change.relative and (why := _no_share(scores)):
        return NotMeasured(reason=f"{why}, so a share of it means nothing: write the limit as a bare number")
    exact = scores.aggregate.quantile is not None and not change.sign
    apart = () if change.sign else limits(budget)
    return Quantile(scores, apart) if exact else Drawn(scores, change, seed, apart)


def _no_share(scores: Scores) -> str:
    """Why a change cannot be told as a share of the reference's figure; empty where it can."""
    if min(scores.reference) < 0 < max(scores.reference):
        return "the reference has scores of either sign"
    return "" if scores.aggregate.of(_ordered(scores)[1]) else "the reference's figure is 0"


@dataclass(frozen=True)
class Drawn:
    """A mean of scores or its root, or the change of any figure, bounded by what weightings of the samples give."""

    scores: Scores
    change: Change
    seed: int
    apart: tuple[Decimal, ...] = field(default=(), compare=False)
    """Limits that the figure is told apart from."""

    @property
    def basis(self) -> str:
        """The figures of both models in words."""
        return _basis(self.scores, self.change, *self.figures, self.apart)

    @property
    def figures(self) -> tuple[Decimal, Decimal]:
        """The artifact's figure and the reference's."""
        artifact, reference = map(self.scores.aggregate.of, _ordered(self.scores))
        return artifact, reference

    def figure(self, alpha: float | None) -> Figure:
        """The figure with its bounds, each erring about `alpha`; None compares the estimate alone."""
        estimate = self.change.of(*self.figures)
        return point(estimate, self.scores.n) if alpha is None else _bounded(self, estimate, alpha)

    def needed(self, bound: Bound, alpha: float) -> int | None:
        """About how many more samples would decide, from how far the bound is off with these and with them repeated.

        Where they are too few for a bound, they are repeated until there is one.
        """
        distance = bound.limit - self.figure(alpha).estimate
        for sample in self._longer(self._least(alpha)):
            reach, n = sample._reach(distance, alpha), sample.scores.n
            if reach is not None and distance:
                nearer = sample._repeated(_TIMES * len(sample.scores.artifact))._reach(distance, alpha)
                size = n * _times(float(reach), float(reach if nearer is None else nearer), float(abs(distance)))
                least = max(n, self.scores.n + 1)
                return max(ceil(size), least) - self.scores.n if size <= MOST_SAMPLES else None
        return None

    def _reach(self, distance: Decimal, alpha: float) -> Decimal | None:
        """How far the bound on the side of `distance` is from the estimate; None where there is none."""
        figure = self.figure(alpha)
        side = figure.upper if distance > 0 else figure.lower
        return None if side is None else abs(side - figure.estimate)

    def _longer(self, least: int) -> Iterator[Drawn]:
        """The sample itself, where it has `least` scores; else it and then it again, up to four times as many."""
        if len(self.scores.artifact) >= least:
            yield self
            return
        for size in (least, ceil(1.2 * least), 2 * least, 4 * least):
            yield self._repeated(size)

    def _repeated(self, size: int) -> Drawn:
        """The sample, and then it again, up to `size` scores."""
        scores = self.scores
        artifact, reference = (tuple(islice(cycle(each), size)) for each in (scores.artifact, scores.reference))
        return replace(self, scores=replace(scores, artifact=artifact, reference=reference))

    def _least(self, alpha: float) -> int:
        """The fewest scores that can have a bound; a quantile must also lie below the unseen sample often enough."""
        share = self.scores.aggregate.quantile
        return max(ceil(1 / alpha), ceil(log(alpha) / log(share)) if share else 0)

    def drawn(self) -> tuple[Floats, Floats]:
        """The figure of `DRAWS` weightings, with the unseen sample at the end that lowers it, and that raises it."""
        of_each = _quantiles if self.scores.aggregate.quantile is not None else _means
        pairs = of_each(self.scores, self.seed, paired=bool(self.change.sign))
        if self.change.relative:
            return _shares(self.change, pairs)
        first, second = (self.change.of(artifact, reference) for artifact, reference in pairs)
        return np.minimum(first, second), np.maximum(first, second)


@dataclass(frozen=True)
class Quantile:
    """A quantile of the artifact's scores, bounded by scores of stated ranks."""

    scores: Scores
    apart: tuple[Decimal, ...] = ()
    """Limits that the figure is told apart from."""

    @property
    def basis(self) -> str:
        """The figure in words."""
        return _basis(self.scores, Change(), self._estimate, Decimal(), self.apart)

    @property
    def _estimate(self) -> Decimal:
        return self.scores.aggregate.of(_ordered(self.scores)[0])

    def figure(self, alpha: float | None) -> Figure:
        """The figure with its bounds, each erring at most `alpha`; None compares the estimate alone."""
        n = self.scores.n
        return point(self._estimate, n) if alpha is None else self._bounded(alpha, n)

    def needed(self, bound: Bound, alpha: float) -> int | None:
        """About how many more samples, spread like these, would decide the bound."""
        n = self.scores.n
        size = samples_needed(lambda size: holds(self._bounded(alpha, size), bound) is not None, n)
        return None if size is None else size - n

    def _bounded(self, alpha: float, size: int) -> Figure:
        """The figure of as many samples as `size`, spread like these."""
        share = float(self.scores.aggregate.quantile or 0)
        ordered = _ordered(self.scores)[0]
        lower, upper = (
            None if rank is None else ordered[ceil(rank * len(ordered) / size) - 1]
            for rank in (rank_below(size, share, alpha), rank_above(size, share, alpha))
        )
        return Figure(estimate=self._estimate, lower=lower, upper=upper, n=size)


@lru_cache(maxsize=16)
def _ordered(scores: Scores) -> tuple[list[Decimal], list[Decimal]]:
    return sorted(scores.artifact), sorted(scores.reference)


@lru_cache(maxsize=256)
def _bounded(sample: Drawn, estimate: Decimal, alpha: float) -> Figure:
    scores, tail = sample.scores, floor(alpha * DRAWS)
    if len(scores.artifact) * alpha < 1 or not tail or not any((*scores.artifact, *scores.reference)):
        return Figure(estimate=estimate, lower=None, upper=None, n=scores.n)
    lowered, raised = (np.sort(each) for each in sample.drawn())
    lower, upper, grid = float(lowered[tail - 1]), float(raised[-tail]), _grid(*sample.figures)
    return Figure(
        estimate=estimate,
        lower=min(figures.floor(lower, grid), figures.floor(estimate, grid)) if isfinite(lower) else None,
        upper=max(figures.ceiling(upper, grid), figures.ceiling(estimate, grid)) if isfinite(upper) else None,
        n=scores.n,
        grid=grid,
    )


def _times(reach: float, nearer: float, distance: float) -> float:
    """How many times the samples bring a bound from `reach` to `distance`, if `_TIMES` as many bring it to `nearer`.

    Spread shrinks with the root of their number, the room for an unseen sample with the number itself.
    """
    spread = min(max((_TIMES * nearer - reach) / (sqrt(_TIMES) - 1), 0.0), reach)
    room = reach - spread
    root = (spread + sqrt(spread**2 + 4 * room * distance)) / (2 * distance)
    return root**2


Pair = tuple["Floats", "Floats"]
"""A figure of the artifact and one of the reference for each weighting."""


def _means(scores: Scores, seed: int, *, paired: bool) -> tuple[Pair, Pair]:
    """Weighted means, or their roots, with the unseen sample at either end."""
    sums, seen, weight = _weighted(scores, seed)
    low, high = (
        [(each + weight * score) / (seen + weight) for each, score in zip(sums, unseen, strict=True)]
        for unseen in _unseen(scores, paired=paired)
    )
    if scores.aggregate is Aggregate.ROOT_MEAN:
        low, high = ([np.sqrt(np.maximum(each, 0.0)) for each in pair] for pair in (low, high))
    return (low[0], low[1]), (high[0], high[1])


@lru_cache(maxsize=16)
def _weighted(scores: Scores, seed: int) -> tuple[Floats, Floats, Floats]:
    """Per draw: both models' weighted sums (2, draws), the sum of the weights, and the weight of the unseen sample.

    Weights are independent exponentials, whose shares are uniform on the simplex.
    """
    both = np.array([scores.artifact, scores.reference, [1] * len(scores.artifact)], dtype=float)
    source, sums = np.random.PCG64(seed), np.zeros((3, DRAWS))
    unseen = -np.log(uniform(source, (DRAWS,)))
    for start in range(0, both.shape[1], _AT_ONCE):
        rows = both[:, start : start + _AT_ONCE]
        sums += rows @ -np.log(uniform(source, (rows.shape[1], DRAWS)))
    return sums[:2], sums[2], unseen


def _unseen(scores: Scores, *, paired: bool) -> tuple[tuple[float, float], tuple[float, float]]:
    """What an unseen sample could score, artifact and reference, at either end."""
    seen = [float(each) for each in (*scores.artifact, *scores.reference)]
    low, high = min(0.0, *seen), max(0.0, *seen)
    reach = high - low
    if paired:
        usual = float(np.mean(np.array(scores.reference, dtype=float)))
        return (usual - reach, usual), (usual + reach, usual)
    beyond = low - reach if low else 0.0, high + reach if high else 0.0
    return (beyond[0], beyond[0]), (beyond[1], beyond[1])


def _shares(change: Change, pairs: tuple[Pair, Pair]) -> tuple[Floats, Floats]:
    """Relative changes: of a reference of 0 any is possible, and one without end leaves a change of the whole of it."""
    lowered, raised = [], []
    for artifact, reference in pairs:
        whole, none = np.isinf(reference), reference == 0
        figure = change.of(np.where(whole, 0.0, artifact), np.where(whole | none, 1.0, reference))
        lowered.append(np.where(none, -np.inf, figure))
        raised.append(np.where(none, np.inf, figure))
    return np.minimum(*lowered), np.maximum(*raised)


@lru_cache(maxsize=16)
def _quantiles(scores: Scores, seed: int, *, paired: bool) -> tuple[Pair, Pair]:
    """Weighted quantiles, with the unseen sample above all of one model's scores and below all of the other's."""
    assert paired, "a quantile by itself has exact bounds"
    source, share = np.random.PCG64(seed), float(scores.aggregate.quantile or 0)
    models = [np.array(each, dtype=float) for each in (scores.artifact, scores.reference)]
    parts = []
    for start in range(0, DRAWS, _AT_ONCE):
        weights = -np.log(uniform(source, (min(_AT_ONCE, DRAWS - start), len(models[0]) + 1)))
        parts.append([_weighted_quantiles(values, weights, share) for values in models])
    (below, above), (reference_below, reference_above) = np.concatenate(parts, axis=-1)
    return (below, reference_above), (above, reference_below)


def _weighted_quantiles(values: Floats, weights: Floats, share: float) -> Floats:
    """For each draw (2, draws) the quantile where the sample with the last weight lies below all values, and above."""
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(np.take(weights, order, axis=1), axis=1)
    wanted, unseen = share * weights.sum(axis=1), weights[:, -1]
    pairs = zip(cumulated, np.stack([wanted - unseen, wanted], axis=1), strict=True)
    places = np.array([np.searchsorted(row, each) for row, each in pairs]).T
    return np.asarray(np.concatenate([values[order], [np.inf]])[places])


def _grid(artifact: Decimal, reference: Decimal) -> Decimal:
    """The grid of the bounds: the usual one, or six digits of a figure too small for it."""
    size = max(abs(artifact), abs(reference))
    return min(GRID, Decimal(1).scaleb(size.adjusted() - 5)) if size else GRID


def _basis(scores: Scores, change: Change, artifact: Decimal, reference: Decimal, apart: Sequence[Decimal]) -> str:
    """E.g. "mean 54.31, the reference's 53.9, over 442 samples"."""
    other = f", the reference's {told(reference, Dimension.NUMBER)}," if change.sign else ""
    blocks = f" in {len(scores.artifact):,} blocks" if scores.block > 1 else ""
    own = told(artifact, Dimension.NUMBER, apart)
    return f"{_WORDS[scores.aggregate]} {own}{other} over {scores.n:,} samples{blocks}"
