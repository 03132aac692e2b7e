"""Judging is quick: a thousand targets against 25, and against numpy that draws the resamples and does nothing else."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from multiprocessing import get_context

import numpy as np
import scipy.special  # noqa: F401 - which the first verdict would import
from claim import Claim, of_pairs

from deployspec.ir.budget import BUDGETS, Budget
from deployspec.ir.evidence import (
    Classified,
    Count,
    EvidenceClass,
    Measurement,
    PairedOutcomes,
    Processes,
    Rules,
    Share,
)
from deployspec.judge import judge
from deployspec.judge.resample import DRAWS
from deployspec.units import parse_bound

FEW, MANY = 25, 1000
CLASSES = 10
LABELS = tuple(map(str, range(CLASSES)))
RULES = Rules(confidence=Decimal("0.95"), least={})
AT = datetime(2026, 1, 1, tzinfo=UTC)

LIMITS = (
    ("size", "< 20 MB"), ("size_compressed", "< 20 MB"), ("parameters", "<= 1000000"), ("latency_p50", "< 50 ms"),
    ("latency_p95", "< 100 ms"), ("memory_peak", "< 200 MB"), ("accuracy", ">= 85 %"), ("accuracy_drop", "< 2 pp"),
    ("agreement", ">= 95 %"), ("macro_f1", ">= 85 %"),
)  # fmt: skip


def judging() -> Iterator[Claim]:
    """Each target has 20 budgets, one of which resamples, and tables like no other's."""
    turns = [[_alone(_judged, FEW), _alone(_judged, MANY), _alone(_judged, FEW), _alone(_drawn, FEW)] for _ in "123"]
    many_few = [(many, (before + after) / 2) for before, many, after, _ in turns]
    yield of_pairs(f"judge {MANY:,} targets x 20 budgets / {FEW} targets", many_few, 40)
    each = [(many / MANY, drawn / FEW) for _, many, _, drawn in turns]
    yield of_pairs("one of them / numpy drawing its resamples", each, 2)


def _alone(work: Callable[[list[list[Measurement]]], None], size: int) -> float:
    """CPU seconds of the work on so many targets, in a process that has worked out nothing yet."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_cpu_s, work, size).result()


def _cpu_s(work: Callable[[list[list[Measurement]]], None], size: int) -> float:
    targets = [_evidence(np.random.default_rng(seed)) for seed in range(size)]
    start = time.process_time()
    work(targets)
    return time.process_time() - start


def _judged(targets: list[list[Measurement]]) -> None:
    for measurements in targets:
        judge("t", BUDGETS_OF_EACH, measurements, RULES, (), AT)


def _drawn(targets: list[list[Measurement]]) -> None:
    """What one would write in numpy: the table's Dirichlet posterior, drawn, and the quantiles of macro F1."""
    for measurements in targets:
        counts = np.array(measurements[-1].statistic.confusion)
        drawn = np.random.default_rng(0).dirichlet(counts.ravel() + 0.5, DRAWS).reshape(-1, CLASSES, CLASSES)
        right = np.diagonal(drawn, axis1=1, axis2=2)
        np.quantile((2 * right / (drawn.sum(axis=1) + drawn.sum(axis=2))).mean(axis=1), (0.05, 0.95))


def _evidence(rng: np.random.Generator) -> list[Measurement]:
    """A classifier that is right nine times in ten, as it would have been measured."""
    chances = np.full((CLASSES, CLASSES), 0.1 / (CLASSES - 1)) + np.eye(CLASSES) * (0.9 - 0.1 / (CLASSES - 1))
    confusion = rng.multinomial(rng.integers(90, 110, CLASSES), chances)
    right, n = np.diagonal(confusion), confusion.sum(axis=1)
    broken, repaired = rng.binomial(n - right, 0.05), rng.binomial(right, 0.005)
    table = Classified(
        labels=LABELS,
        confusion=tuple(map(tuple, confusion.tolist())),
        reference_confusion=tuple(map(tuple, confusion.tolist())),
        paired=tuple(map(_outcomes, right - repaired, broken, repaired, n - right - broken)),
    )
    counted = {"size": 1e7, "size_compressed": 9e6, "parameters": 5e5}
    timed = {"latency.p50": 30, "latency.p95": 60, "memory_peak": 1e8}
    return [
        *(_measured(name, Count(value=Decimal(int(most * rng.random())))) for name, most in counted.items()),
        *(_measured(name, _processes(most * rng.uniform(0.9, 1, 6))) for name, most in timed.items()),
        _measured("agreement", Share(hits=int(n.sum() - broken.sum()), n=int(n.sum()))),
        _measured("quality", table),
    ]


def _outcomes(*cells: int) -> PairedOutcomes:
    both, broken, repaired, neither = map(int, cells)
    return PairedOutcomes(both=both, broken=broken, repaired=repaired, neither=neither)


def _processes(values: Sequence[float]) -> Processes:
    return Processes(values=tuple(round(Decimal(value), 6) for value in values), calls=100)


def _measured(name: str, statistic: Classified | Count | Processes | Share) -> Measurement:
    split = "test" if name in ("quality", "agreement") else ""
    return Measurement(target="t", name=name, statistic=statistic, evidence=EvidenceClass.HOST, split=split)


def _budget(metric: str, limit: str, label: str | None = None) -> Budget:
    row = BUDGETS[metric]
    bound = parse_bound(limit, row.dimension)
    return Budget(metric=metric, limit=bound, label=label, ceiling=row.ceiling, dimension=row.dimension)


BUDGETS_OF_EACH = [_budget(*each) for each in LIMITS] + [_budget("recall", ">= 80 %", label) for label in LABELS]
