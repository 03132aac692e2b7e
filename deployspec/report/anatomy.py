"""What an artifact is, in one line: size, weights, work, operators."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from deployspec.ir.evidence import Count, Operators, Share
from deployspec.units import Dimension, shown
from deployspec.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deployspec.ir.evidence import Statistic
    from deployspec.ir.report import Report

_LISTED: Final = 6
_MILLION: Final = 1_000_000


def anatomy(report: Report, target: str) -> str:
    """`12.1 kB (9.8 kB compressed) · 13,898 parameters · 0.35 M MACs · 3 CONV_2D, 2 FULLY_CONNECTED`; what is known."""
    known = {each.name: each.statistic for each in report.measurements if each.target == target}
    return " · ".join(_parts(known))


def _parts(known: Mapping[str, Statistic]) -> Iterator[str]:
    match known.get("size"), known.get("size_compressed"):
        case Count(value=size), Count(value=compressed):
            yield f"{shown(size, Dimension.BYTES)} ({shown(compressed, Dimension.BYTES)} compressed)"
    match known.get("parameters"):
        case Count(value=parameters):
            yield f"{parameters:,f} parameters"
    match known.get("sparsity"):
        case Share(hits=hits, n=n) if hits * 100 > n:
            yield f"{shown(Decimal(hits) / n, Dimension.SHARE)} of the kernels are zeros"
    match known.get("macs"):
        case Count(value=macs):
            yield f"{macs / _MILLION:,.2f} M MACs" if macs * 100 > _MILLION else f"{macs:,f} MACs"
    match known.get("undelegated_ops"):
        case Count(value=left) if left:
            yield f"{counted(int(left), 'operator')} left to the portable kernels"
    match known.get("operators"):
        case Operators(counts=counts) if counts:
            yield _operators(counts)


def _operators(counts: tuple[tuple[str, int], ...]) -> str:
    more = f" and {counted(len(counts) - _LISTED, 'other kind')}" if len(counts) > _LISTED else ""
    return ", ".join(f"{count} {name}" for name, count in counts[:_LISTED]) + more
