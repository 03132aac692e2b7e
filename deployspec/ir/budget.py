"""The table of every budget: what it limits, in which unit, what it is measured from and how it is judged.

The parser, the JSON schema, the judge and the reference documentation all read this one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from deployspec.ir.model import ANY_TASK, CLASSIFIED, LABELLED, Task
from deployspec.units import Bound, Dimension

if TYPE_CHECKING:
    from decimal import Decimal


class EvidenceKind(StrEnum):
    """The kinds for which a spec may demand a least class of evidence."""

    STATIC = "static"
    QUALITY = "quality"
    LATENCY = "latency"
    MEMORY = "memory"
    ENERGY = "energy"


class Method(StrEnum):
    """How a verdict follows from the evidence; `judge.verdicts` picks the modules by it."""

    EXACT = "exact"
    """A census: the value itself is compared, there is nothing to estimate."""
    PROPORTION = "proportion"
    """Clopper-Pearson bounds of a share of independent samples."""
    PAIRED = "paired"
    """Non-inferiority of paired outcomes: exact unconditional, Tango's interval for large tables."""
    JACCARD = "jaccard"
    """F1 through J = TP/(TP+FP+FN), a proportion."""
    RESAMPLED = "resampled"
    """Seeded draws of the table, each with one sample more that speaks against the claim."""
    SCORES = "scores"
    """Means of paired scores by a seeded Bayesian bootstrap that reckons with an unseen sample; order statistics of
    their medians and percentiles."""
    DRIFT = "drift"
    """Noncentral chi-square bounds of a population stability index, scaled to random deals of the same samples."""
    PROCESSES = "processes"
    """Order-statistic bounds of the median over processes, at looks fixed in advance."""


class Keys(StrEnum):
    """Whether a budget is one figure or one per class label."""

    NONE = "none"
    CLASSES = "classes"


@dataclass(frozen=True, kw_only=True)
class BudgetKind:
    """One row of the table.

    `measured_from` names the measurement (see `deployspec.ir.evidence`) that decides it.
    """

    name: str
    dimension: Dimension
    ceiling: bool
    """True when smaller is better, so that only `<` and `<=` make sense."""
    kind: EvidenceKind
    method: Method
    measured_from: str
    meaning: str
    keys: Keys = Keys.NONE
    tasks: frozenset[Task] = ANY_TASK
    needs_split: bool = False
    """True when it is judged on a data split, so that `field.` may stand before its name."""
    needs_labels: bool = False
    """True when that split must hold y."""
    needs_delegates: bool = False
    """True when there is such a figure in formats only whose runtime hands operators to delegates."""
    over_classes: bool = False
    """True when it is a mean over the classes, each of which needs samples."""
    compares: bool = False
    """True when it compares two timings, either of which contention can have made too large."""
    change: str = ""
    """How the figure changes for the worse, one of `CHANGES`, where it compares the artifact with the reference."""


def _size(name: str, measured_from: str, meaning: str) -> BudgetKind:
    return BudgetKind(
        name=name, dimension=Dimension.BYTES, ceiling=True, kind=EvidenceKind.STATIC,
        method=Method.EXACT, measured_from=measured_from, meaning=meaning,
    )  # fmt: skip


def _count(name: str, measured_from: str, meaning: str) -> BudgetKind:
    return BudgetKind(
        name=name, dimension=Dimension.COUNT, ceiling=True, kind=EvidenceKind.STATIC,
        method=Method.EXACT, measured_from=measured_from, meaning=meaning,
    )  # fmt: skip


def _time(name: str, measured_from: str, meaning: str) -> BudgetKind:
    return BudgetKind(
        name=name, dimension=Dimension.TIME, ceiling=True, kind=EvidenceKind.LATENCY,
        method=Method.PROCESSES, measured_from=measured_from, meaning=meaning,
    )  # fmt: skip


def _quality(
    name: str, method: Method, meaning: str, *, drop: bool = False, keys: Keys = Keys.NONE,
    tasks: frozenset[Task] = CLASSIFIED, over_classes: bool = False,
) -> BudgetKind:  # fmt: skip
    return BudgetKind(
        name=name, dimension=Dimension.DROP if drop else Dimension.SHARE, ceiling=drop,
        kind=EvidenceKind.QUALITY, method=method, measured_from="quality", meaning=meaning,
        keys=keys, tasks=tasks, needs_split=True, needs_labels=True,
        over_classes=over_classes, change="drop" if drop else "",
    )  # fmt: skip


def _census(name: str, dimension: Dimension, meaning: str) -> BudgetKind:
    return BudgetKind(
        name=name, dimension=dimension, ceiling=True, kind=EvidenceKind.STATIC, method=Method.EXACT,
        measured_from=name, meaning=meaning, needs_split=True,
    )  # fmt: skip


def _error(name: str, measured_from: str, meaning: str, *, rise: bool = False) -> BudgetKind:
    return BudgetKind(
        name=name, dimension=Dimension.RISE if rise else Dimension.NUMBER, ceiling=True, kind=EvidenceKind.QUALITY,
        method=Method.SCORES, measured_from=measured_from, meaning=meaning,
        tasks=frozenset({Task.REGRESSION}), needs_split=True, needs_labels=True, change="rise" if rise else "",
    )  # fmt: skip


_ROWS: Final = (
    _size("size", "size", "bytes that ship: the file, or the sum of the folder's regular files"),
    _size("size_compressed", "size_compressed", "bytes of the same files deflated, what a store downloads"),
    BudgetKind(
        name="size_reduction", dimension=Dimension.SHARE, ceiling=False, kind=EvidenceKind.STATIC,
        method=Method.EXACT, measured_from="size_reduction",
        meaning="1 - size / bytes of the reference's parameters and buffers",
    ),
    _count("parameters", "parameters", "stored weights, counted in the artifact"),
    _count(
        "macs",
        "macs",
        "multiply-accumulates of one inference, counted in the artifact: those of convolutions, matrix products and "
        "recurrent layers; products and sums element by element are none",
    ),
    BudgetKind(
        name="undelegated_ops", dimension=Dimension.COUNT, ceiling=True, kind=EvidenceKind.STATIC,
        method=Method.EXACT, measured_from="undelegated_ops", needs_delegates=True,
        meaning="operators left to the portable kernels",
    ),
    BudgetKind(
        name="sparsity", dimension=Dimension.SHARE, ceiling=False, kind=EvidenceKind.STATIC,
        method=Method.EXACT, measured_from="sparsity",
        meaning="share of zeros in the stored weights of two or more dimensions",
    ),
    _time("latency_p50", "latency.p50", "median time of a warm call, median over processes"),
    _time("latency_p90", "latency.p90", "90th percentile of a process's warm calls, median over processes"),
    _time("latency_p95", "latency.p95", "95th percentile of a process's warm calls, median over processes"),
    _time("latency_p99", "latency.p99", "99th percentile of a process's warm calls, median over processes"),
    _time("load_p50", "load", "time from the file's bytes to a model that can be called, median over processes"),
    _time("first_call_p50", "first_call", "time of the first call after loading, median over processes"),
    _time("cold_start_p50", "cold_start", "time of loading and the first call together, median over processes"),
    BudgetKind(
        name="sustained_slowdown", dimension=Dimension.SHARE, ceiling=True, kind=EvidenceKind.LATENCY,
        method=Method.PROCESSES, measured_from="sustained_slowdown", compares=True,
        meaning="median call of the last quarter of a run as long as `sustained`, over the first quarter's, less 1",
    ),
    BudgetKind(
        name="latency_reduction", dimension=Dimension.SHARE, ceiling=False, kind=EvidenceKind.LATENCY,
        method=Method.PROCESSES, measured_from="latency_reduction", compares=True,
        meaning="1 - time / time of the plain float32 artifact (torchscript, ptmobile: the eager model), interleaved",
    ),
    BudgetKind(
        name="memory_peak", dimension=Dimension.BYTES, ceiling=True, kind=EvidenceKind.MEMORY,
        method=Method.PROCESSES, measured_from="memory_peak",
        meaning="peak resident memory above what the runner held before loading, median over processes",
    ),
    BudgetKind(
        name="energy", dimension=Dimension.ENERGY, ceiling=True, kind=EvidenceKind.ENERGY,
        method=Method.PROCESSES, measured_from="energy", compares=True,
        meaning="energy of one inference above idle, from a counter that measures",
    ),
    _quality("accuracy", Method.PROPORTION, "share of samples decided right"),
    _quality("accuracy_drop", Method.PAIRED, "accuracy of the reference minus the artifact's, paired", drop=True),
    _quality("top5_accuracy", Method.PROPORTION, "share of samples whose class is among the five best",
             tasks=frozenset({Task.CLASSIFICATION})),
    _quality("recall", Method.PROPORTION, "share of a class's samples that are found",
             keys=Keys.CLASSES, tasks=LABELLED),
    _quality("recall_drop", Method.PAIRED, "recall of the reference minus the artifact's, paired within the class",
             drop=True, keys=Keys.CLASSES, tasks=LABELLED),
    _quality("precision", Method.PROPORTION, "share of a class's predictions that are right, given their number",
             keys=Keys.CLASSES, tasks=LABELLED),
    _quality("precision_drop", Method.RESAMPLED, "precision of the reference minus the artifact's",
             drop=True, keys=Keys.CLASSES, tasks=LABELLED),
    _quality("f1", Method.JACCARD, "harmonic mean of a class's precision and recall",
             keys=Keys.CLASSES, tasks=LABELLED),
    _quality("macro_f1", Method.RESAMPLED, "mean of the classes' F1", tasks=LABELLED, over_classes=True),
    _quality("macro_recall", Method.RESAMPLED, "mean of the classes' recall", tasks=LABELLED, over_classes=True),
    _quality("balanced_accuracy", Method.RESAMPLED, "mean of the classes' recall, its other name",
             over_classes=True),
    _error("mae", "absolute_error", "mean absolute error, in the targets' own unit"),
    _error("mae_rise", "absolute_error", "mean absolute error minus the reference's, paired", rise=True),
    _error("rmse", "squared_error", "root of the mean squared error, in the targets' own unit"),
    _error("rmse_rise", "squared_error", "root of the mean squared error minus the reference's, paired", rise=True),
    BudgetKind(
        name="agreement", dimension=Dimension.SHARE, ceiling=False, kind=EvidenceKind.QUALITY,
        method=Method.PROPORTION, measured_from="agreement", needs_split=True,
        meaning="share of samples with the reference's decision; values: within `tolerance` of its spread",
    ),
    BudgetKind(
        name="churn", dimension=Dimension.CHANGE, ceiling=True, kind=EvidenceKind.QUALITY,
        method=Method.PAIRED, measured_from="churn", needs_split=True,
        meaning="share of decisions that change under a little noise, above the reference's own share",
    ),
    BudgetKind(
        name="stable", dimension=Dimension.FLAG, ceiling=False, kind=EvidenceKind.QUALITY,
        method=Method.EXACT, measured_from="stable",
        meaning="same input, same output; finite over the declared input space; shape and dtype kept",
    ),
    _census("leakage", Dimension.SHARE, "share of the split's samples that occur in train, calibration or tuning"),
    _census("near_duplicates", Dimension.SHARE, "share of the split's samples with a near-duplicate in those"),
    BudgetKind(
        name="drift_psi", dimension=Dimension.NUMBER, ceiling=True, kind=EvidenceKind.STATIC, method=Method.DRIFT,
        measured_from="drift_psi",
        meaning="population stability index between test and field inputs above what chance gives, the worst feature's",
    ),
    _census("split_uses", Dimension.COUNT, "how many candidates this split has judged, by the ledger of the store"),
)  # fmt: skip

BUDGETS: Final[dict[str, BudgetKind]] = {row.name: row for row in _ROWS}
"""Every built-in budget by its name in a spec. Metrics of a spec's own add `<metric>` and `<metric>_drop|_rise`."""

CHANGES: Final = ("rise", "drop")
"""How the change of an own metric for the worse is called: of one that is better when lower, and when higher."""


def own_kind(name: str, metric: str, meaning: str = "", *, ceiling: bool) -> BudgetKind:
    """The row of a budget on an own `metric`: on its figure, where the two names are the same, or on its change."""
    return BudgetKind(
        name=name,
        dimension=Dimension.NUMBER if name == metric else Dimension.RISE,
        ceiling=ceiling,
        kind=EvidenceKind.QUALITY,
        method=Method.SCORES,
        measured_from=f"metrics.{metric}",
        meaning=meaning,
        needs_split=True,
        needs_labels=True,
        change="" if name == metric else name.removeprefix(f"{metric}_"),
    )


@dataclass(frozen=True, kw_only=True)
class Budget:
    """One limit on one figure of one target, with `*` and bare per-class budgets already spelled out.

    `good` is the inner band of a two-band budget, else None.
    """

    metric: str
    limit: Bound
    good: Bound | None = None
    label: str | None = None
    on_field: bool = False
    ceiling: bool = True
    dimension: Dimension = Dimension.NUMBER

    @property
    def name(self) -> str:
        """The spelling of waivers and reports: `recall.3`, `field.accuracy_drop`."""
        return "field." * self.on_field + self.metric + (f".{self.label}" if self.label is not None else "")

    @property
    def inner(self) -> Decimal | None:
        """The limit of the good band, if there is one."""
        return self.good.limit if self.good else None

    @property
    def subject(self) -> str:
        """How a reason begins: "recall of class '3'" for `recall.3`, "field accuracy drop" for a drop on the field."""
        name = "field " * self.on_field + self.metric.replace("_", " ")
        return name if self.label is None else f"{name} of class '{self.label}'"

    @property
    def row(self) -> BudgetKind:
        """Its row of the table, or that of a metric of the spec's own."""
        return BUDGETS.get(self.metric) or own_kind(self.metric, self.own_metric, ceiling=self.ceiling)

    @property
    def own_metric(self) -> str:
        """Of a spec's own metrics the one that it limits, or whose change it does; empty for a built-in figure."""
        if self.metric in BUDGETS:
            return ""
        return self.metric.rpartition("_")[0] if self.dimension is Dimension.RISE else self.metric

    @property
    def split(self) -> str:
        """The split it is judged on."""
        return "field" if self.on_field else "test"
