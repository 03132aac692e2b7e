"""What the bytes of an artifact are: its weights by their stored type, and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from deployspec.ir.evidence import Count
from deployspec.report.views.html.measured import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deployspec.ir.evidence import Measurement


@dataclass(frozen=True)
class Part:
    """Bytes of one kind, and their share of the largest thing that is shown."""

    name: str
    size_bytes: Decimal
    share: float


def parts(measurements: Iterable[Measurement]) -> tuple[Part, ...]:
    """Weights by stored type, the largest first, then all else; empty when nothing tells of weights.

    Where a file packs its weights they may outweigh it: then there is no telling what all else takes.
    """
    known = {each.name: each.statistic.value for each in measurements if isinstance(each.statistic, Count)}
    weights = {name.removeprefix(WEIGHTS): value for name, value in known.items() if name.startswith(WEIGHTS)}
    held = sum(weights.values(), Decimal(0))
    rest = known.get("size", held) - held
    sizes = [(f"weights, {name}", size) for name, size in sorted(weights.items(), key=lambda each: -each[1])]
    sizes += [("graph, code and names", rest)] if weights and rest > 0 else []
    largest = max((size for _, size in sizes), default=0) or 1
    return tuple(Part(name, size, float(size / largest)) for name, size in sizes)
