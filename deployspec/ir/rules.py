"""What counts as proof: classes of evidence and the rules that a target is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final


class EvidenceClass(StrEnum):
    """Where a figure comes from, best first."""

    DEVICE = "device"
    EMULATOR = "emulator"
    HOST = "host"
    REFERENCE = "reference"
    STATIC = "static"
    CLAIMED = "claimed"

    def reaches(self, least: EvidenceClass) -> bool:
        """Whether this class is at least as good as `least`."""
        return _RANK[self] <= _RANK[least]


_RANK: Final = {member: rank for rank, member in enumerate(EvidenceClass)}


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What counts as proof for one target: the spec's `[evidence]`, resolved.

    `confidence` is one-sided, None for `"point"`. `least` maps an `EvidenceKind` value to the least class.
    """

    confidence: Decimal | None
    least: dict[str, EvidenceClass]
    min_support: int = 1
    seed: int = 0
    accept_claimed: bool = False
    """Whether evidence that others hand in counts without a lab's signature: `[evidence] accept = "claimed"`."""

    def least_for(self, kind: str) -> EvidenceClass:
        """The least class that counts for a kind of evidence, by its `EvidenceKind` value."""
        default = EvidenceClass.STATIC if kind == EvidenceClass.STATIC else EvidenceClass.HOST
        return self.least.get(kind, default)
