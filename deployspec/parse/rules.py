"""What counts as proof: a spec's `[evidence]`, tightened by its policies, resolved for a target."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

from deployspec.ir.budget import EvidenceKind
from deployspec.ir.rules import EvidenceClass, Rules
from deployspec.ir.spec import DEFAULT_TOLERANCE
from deployspec.units import QuantityError, parse_duration_s, parse_share

if TYPE_CHECKING:
    from deployspec.ir.spec import TaskTable
    from deployspec.parse.document import Evidence, EvidenceDemanded, EvidenceTable
    from deployspec.parse.faults import Faults

DEFAULT_CONFIDENCE: Final = Decimal("0.95")
DEFAULT_CHURN_NOISE: Final = Decimal("0.01")
TIMED: Final = (EvidenceKind.LATENCY, EvidenceKind.MEMORY, EvidenceKind.ENERGY)
CHOSEN: Final = (EvidenceKind.QUALITY, *TIMED)
"""The kinds whose least class a spec may name; what is read from the artifact's bytes is always static."""

HELP: Final = "a spec may only tighten a policy"


@dataclass(frozen=True)
class Reach:
    """What a target's default classes depend on: whether it names a device, and whether an evaluator stands for it."""

    device: bool
    evaluated: bool


def resolve(spec: EvidenceTable, policies: tuple[Evidence, ...], faults: Faults) -> dict[Reach, Rules]:
    """The rules for each kind of target."""
    confidence = _confidence(spec, policies, faults)
    support = _min_support(spec, policies, faults)
    if spec.accept == "claimed" and any(each.accept == "signed" for each in policies):
        faults.at_value("loosens-policy", "the policy accepts signed evidence only", ("evidence", "accept"), HELP)
    for kind in CHOSEN:
        _check_class(kind, spec, policies, faults)
    return {
        reach: Rules(
            confidence=confidence,
            least={EvidenceKind.STATIC.value: EvidenceClass.STATIC}
            | {kind.value: _least(kind, spec, policies, reach) for kind in CHOSEN},
            min_support=support,
            seed=spec.seed,
            accept_claimed=spec.accept == "claimed",
        )
        for reach in itertools.starmap(Reach, itertools.product((False, True), repeat=2))
    }


def _confidence(spec: EvidenceTable, policies: tuple[Evidence, ...], faults: Faults) -> Decimal | None:
    """The confidence, None for the bare estimate."""
    path = ("evidence", "confidence")
    demanded = [each.confidence for each in policies if each.confidence is not None]
    if spec.confidence is None:
        return max(map(_strength, demanded), default=DEFAULT_CONFIDENCE) or None
    if check_confidence(spec, faults) and any(_strength(spec.confidence) < _strength(each) for each in demanded):
        faults.at_value(
            "loosens-policy", f"the policy demands a confidence of {max(map(_strength, demanded))}", path, HELP
        )
    return _strength(spec.confidence) or None


def check_confidence(table: Evidence, faults: Faults) -> bool:
    """Whether a confidence that is given lies in [0.5, 1)."""
    number = table.confidence
    if not isinstance(number, Decimal) or Decimal("0.5") <= number < 1:
        return True
    message = "confidence is one-sided and lies in [0.5, 1)"
    help = 'e.g. 0.95, or "point" for the bare estimate'
    faults.at_value("bad-confidence", message, ("evidence", "confidence"), help)
    return False


def _strength(confidence: Literal["point"] | Decimal) -> Decimal:
    """The confidence as a number; the bare estimate claims none."""
    return confidence if isinstance(confidence, Decimal) else Decimal(0)


def churn_noise(spec: EvidenceTable, policies: tuple[Evidence, ...], faults: Faults) -> Decimal:
    """The noise that `churn` adds, as a share of the inputs' spread: at least what the policies demand."""
    demanded = max((_noise(each) or Decimal(0) for each in policies), default=Decimal(0))
    own = _noise(spec) if check_churn_noise(spec, faults) else None
    if own is not None and own < demanded:
        message = f"the policy demands a churn_noise of {(100 * demanded).normalize():f} %"
        faults.at_value("loosens-policy", message, ("evidence", "churn_noise"), HELP)
    return own or demanded or DEFAULT_CHURN_NOISE


def check_churn_noise(table: Evidence, faults: Faults) -> bool:
    """Whether a churn_noise that is given can be read."""
    try:
        _noise(table)
    except QuantityError as error:
        faults.at_value("bad-share", str(error), ("evidence", "churn_noise"), 'e.g. "1 %"')
        return False
    return True


def _noise(table: Evidence) -> Decimal | None:
    return None if table.churn_noise is None else parse_share(table.churn_noise)


def usual_tolerance(task: TaskTable | None, policies: tuple[EvidenceDemanded, ...], faults: Faults) -> float:
    """The tolerance of a task that states none, which is at most what the policies allow."""
    allowed = min((each.tolerance for each in policies if each.tolerance is not None), default=math.inf)
    if task is not None and task.tolerance is not None and task.tolerance > allowed:
        message = f"the policy allows a tolerance of {allowed:g}"
        faults.at_value("loosens-policy", message, ("task", "tolerance"), HELP)
    return min(allowed, DEFAULT_TOLERANCE)


def least_sustained_s(policies: tuple[EvidenceDemanded, ...]) -> int:
    """How long the policies want a sustained run to be; 0 where they do not say."""
    return max((parse_duration_s(each.sustained) for each in policies if each.sustained is not None), default=0)


def check_sustained(table: EvidenceDemanded, faults: Faults) -> bool:
    """Whether a policy's sustained that is given can be read."""
    try:
        least_sustained_s((table,))
    except QuantityError as error:
        faults.at_value("bad-duration", str(error), ("evidence", "sustained"), 'e.g. "2 min"')
        return False
    return True


def _min_support(spec: EvidenceTable, policies: tuple[Evidence, ...], faults: Faults) -> int:
    demanded = max((each.min_support or 1 for each in policies), default=1)
    if spec.min_support is not None and spec.min_support < demanded:
        path = ("evidence", "min_support")
        faults.at_value("loosens-policy", f"the policy demands a min_support of {demanded}", path, HELP)
    return max(spec.min_support or 1, demanded)


def _check_class(kind: EvidenceKind, spec: EvidenceTable, policies: tuple[Evidence, ...], faults: Faults) -> None:
    own = _named(kind, spec)
    for demanded in filter(None, (_named(kind, each) for each in policies)):
        if own is not None and not own.reaches(demanded):
            message = f"the policy demands {kind} evidence of class {demanded} or better"
            faults.at_value("loosens-policy", message, ("evidence", kind.value), HELP)


def _least(kind: EvidenceKind, spec: EvidenceTable, policies: tuple[Evidence, ...], reach: Reach) -> EvidenceClass:
    least = _named(kind, spec) or _default(kind, reach)
    for demanded in filter(None, (_named(kind, each) for each in policies)):
        least = demanded if demanded.reaches(least) else least
    return least


def _default(kind: EvidenceKind, reach: Reach) -> EvidenceClass:
    if reach.device and kind in TIMED:
        return EvidenceClass.DEVICE
    if reach.evaluated and kind is EvidenceKind.QUALITY:
        return EvidenceClass.REFERENCE
    return EvidenceClass.HOST


def _named(kind: EvidenceKind, table: Evidence) -> EvidenceClass | None:
    name = getattr(table, kind.value)
    return None if name is None else EvidenceClass(name)
