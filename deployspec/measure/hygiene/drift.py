"""Drift: how the inputs of the field split differ from those of the test split, feature by feature, against chance.

What chance does at these sizes is seen by dealing the samples of both splits out again at random: whole samples, since
the values of one image are not independent. Bins are quantiles of both splits together, which no deal changes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.measure.hygiene.features import by_feature, feature_names
from deployspec.wording import some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deployspec.ir.artifact import Job

MOST_ROWS: Final = 5_000
"""Of a larger split so many samples are taken, evenly spaced: chance alone then makes an index of less than 0.004."""

DEALS: Final = 200
SUSPECT: Final = 0.01
"""The chance, over all features together, below which a difference is told as a finding."""

_FINE: Final = 50
_COARSE: Final = 10
_PASSED: Final = 0.95
"""By so much of a value a bin may pass the edge of a decile: of n values ceil(n k / 10) lie below the k-th."""

_ROUNDING: Final = 1e-24
"""What of an index, or of its variance, is no more than the rounding of its arithmetic."""

Counts = np.ndarray
"""(samples, bins): the share of a sample's values that falls into each bin."""


def compare_inputs(job: Job) -> dict[str, Any]:
    """A step: compare the splits of the roles "test" and "field"; features that vary in neither are left out.

    So are those of which the deciles are one bin, as nearly all values are the same: no index shows their drift.
    Facts: `test` and `field` (how many samples), `features`: for each its name, the population stability index over the
    deciles, the mean and the variance of that index under random deals, and the Kolmogorov-Smirnov distance over 50
    quantiles, with the share of deals in which any feature's is as large. `remarks` tell of those that chance does not
    explain.
    """
    features = list(_features(job))
    samples = {split: len(_taken(job, split, 0)) for split in ("test", "field")}
    if not features:
        return samples | {"features": [], "remarks": []}
    names, counts = zip(*features, strict=True)
    deal = _deals(samples["test"], samples["field"], job.seed)
    psi, ks = (np.array([index(each, deal) for each in counts]) for index in (_stability, _distance))
    shown = np.array([_coarse(each).shape[1] > 1 for each in counts])
    rows = [row for row, kept in zip(_rows(names, psi, ks), shown, strict=True) if kept]
    hidden = np.array(names)[~shown].tolist()
    return samples | {"features": rows, "remarks": [*_told(names, psi, ks), *_hidden(hidden)]}


def _features(job: Job) -> Iterator[tuple[str, Counts]]:
    """Each feature that varies: its name and the counts of all samples, those of the test split first."""
    for i, declared in enumerate(job.model.inputs):
        both = np.concatenate([_taken(job, split, i) for split in ("test", "field")])
        values = by_feature(both, channels_last=job.model.framework == "keras")
        for place, name in enumerate(feature_names(declared, values.shape[1])):
            counts = _counted(values[:, place].astype(np.float64))
            if counts.shape[1] > 1:
                yield name, counts


def _taken(job: Job, split: str, place: int) -> np.ndarray:
    stored = np.load(job.inputs[split] / f"{place}.npy", mmap_mode="r")
    return np.asarray(stored[np.linspace(0, len(stored) - 1, min(len(stored), MOST_ROWS)).astype(np.int64)])


def _counted(values: np.ndarray) -> Counts:
    """(samples, values) to counts, in bins that are fine quantiles of all of them; equal quantiles make one bin."""
    ranks = -(-values.size * np.arange(1, _FINE) // _FINE)
    edges = np.unique(np.sort(values, axis=None)[ranks - 1])
    edges = edges[edges < values.max()]
    codes = np.searchsorted(edges, values, side="left")
    n, bins = len(values), len(edges) + 1
    counts = np.bincount((np.arange(n)[:, None] * bins + codes).ravel(), minlength=n * bins).reshape(n, bins)
    return np.asarray(counts / values.shape[1], np.float32)


def _deals(test: int, field: int, seed: int) -> np.ndarray:
    """(1 + DEALS, samples) of 0 and 1: which samples are the field's, truly in the first row, at random in the rest."""
    generator = np.random.Generator(np.random.PCG64(seed))
    deal = np.zeros((1 + DEALS, test + field), np.float32)
    deal[0, test:] = 1
    for row in deal[1:]:
        row[generator.permutation(test + field)[:field]] = 1
    return deal


def _stability(counts: Counts, deal: np.ndarray) -> np.ndarray:
    """The population stability index of each deal, with half a sample added to each decile: sum (f - t) ln(f / t)."""
    field, test = (part + 0.5 for part in _dealt(_coarse(counts), deal))
    field, test = (part / part.sum(axis=1, keepdims=True) for part in (field, test))
    return np.asarray(((field - test) * np.log(field / test)).sum(axis=1))


def _distance(counts: Counts, deal: np.ndarray) -> np.ndarray:
    """The Kolmogorov-Smirnov distance of each deal: the largest difference of the two distribution functions."""
    field, test = (np.cumsum(part, axis=1) / part.sum(axis=1, keepdims=True) for part in _dealt(counts, deal))
    return np.asarray(np.abs(field - test).max(axis=1))


def _dealt(counts: Counts, deal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(deals, bins): the counts of the field's samples and those of the others."""
    field = (deal @ counts).astype(np.float64)
    return field, counts.sum(axis=0, dtype=np.float64) - field


def _coarse(counts: Counts) -> Counts:
    """Neighbouring bins together, as near to ten of equal weight as they make.

    A bin belongs to the decile that it ends in; one that ends at a decile's edge may pass it by a part of a value.
    """
    value = counts.min(where=counts > 0, initial=1)
    ends = np.cumsum(counts.sum(axis=0, dtype=np.float64)) - _PASSED * value
    decile = np.ceil(ends / len(counts) * _COARSE - 1e-6) - 1
    starts = np.flatnonzero(np.diff(decile, prepend=-1) > 0)
    return np.asarray(np.add.reduceat(counts, starts, axis=1))


def _rows(names: Sequence[str], psi: np.ndarray, ks: np.ndarray) -> list[list[str]]:
    """The facts of each feature: from the indices (features, 1 + DEALS), the true deal's first."""
    chance = _chances(ks)
    figures = zip(names, psi[:, 0], psi[:, 1:].mean(axis=1), psi[:, 1:].var(axis=1), ks[:, 0], chance, strict=True)
    return [[name, *map(_plain, row)] for name, *row in figures]


def _plain(figure: float) -> str:
    """Seven digits without an exponent, however small: the variance of many values' index may be 1e-12."""
    return f"{Decimal(f'{figure:.7g}'):f}" if figure > _ROUNDING else "0"


def _chances(figures: np.ndarray) -> np.ndarray:
    """For each feature the share of deals in which the largest figure of any reaches its own; the true deal is one."""
    largest = figures[:, 1:].max(axis=0)
    return np.asarray([(1 + (largest >= own).sum()) / (1 + DEALS) for own in figures[:, 0]])


def _told(names: Sequence[str], psi: np.ndarray, ks: np.ndarray) -> Iterator[str]:
    expected, spread = psi[:, 1:].mean(axis=1), np.maximum(psi[:, 1:].std(axis=1), np.finfo(np.float64).tiny)
    unusual = (psi - expected[:, None]) / spread[:, None]
    suspect = np.flatnonzero((_chances(unusual) <= SUSPECT) | (_chances(ks) <= SUSPECT))
    if suspect.size:
        worst = suspect[np.argsort(-unusual[suspect, 0], kind="stable")].tolist()
        told = [
            f"{names[i]} (PSI {psi[i, 0]:.3f} where chance gives {expected[i]:.3f}, KS {ks[i, 0]:.3f})" for i in worst
        ]
        yield f"the inputs differ from those of the test split in {some(told)}"


def _hidden(names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"nine tenths or more of the values are the same in {some(names)}: drift_psi cannot tell of a drift there"
