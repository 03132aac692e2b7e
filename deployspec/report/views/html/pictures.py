"""Pictures across targets, drawn by matplotlib as SVG that follows the page's colours and needs no inline style.

Their only words are our own: targets are named by their number in the page's table.
"""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from dataclasses import dataclass
from math import log
from statistics import geometric_mean, median
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.axes import Axes

INK: Final = "#24292f"
FAINT: Final = "#8c959f"
ACCENT: Final = "#0a58ca"
"""The page's style sheet gives each of these its colour in the dark."""

_INCHES: Final = (3.9, 2.75)
_ROW_INCHES: Final = 0.24
_LEFT: Final = 0.7
_BELOW: Final = 0.45
_ABOVE: Final = 0.08
"""Inches around the axes; fixed, as matplotlib would draw everything twice to find them."""
_SVG: Final = "{http://www.w3.org/2000/svg}"
_XLINK: Final = "{http://www.w3.org/1999/xlink}href"
_DROPPED: Final = frozenset({f"{_SVG}metadata", f"{_SVG}style", f"{_SVG}title"})
_KEPT_STYLES: Final = frozenset(
    {"fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "fill-opacity", "stroke-opacity", "text-anchor"}
)
_NEAR: Final = 0.08
"""Of what a picture spans: targets as near as this are named together."""

_RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "deployspec",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
}


@dataclass(frozen=True)
class Point:
    """One target: its number, and two figures of it."""

    number: int
    x: float
    y: float


@dataclass(frozen=True)
class Row:
    """One target's processes: its number, and each one's figure."""

    number: int
    values: tuple[float, ...]


def scatter(points: Sequence[Point], x_label: str, y_label: str, name: str) -> Markup:
    """Targets by two figures, the first on a logarithmic scale; the second is a share."""
    with _drawing(name) as (axes, done):
        axes.set_xscale("log")
        axes.plot([each.x for each in points], [each.y for each in points], "o", color=ACCENT, markersize=5)
        for group in _groups(points):
            numbers = ", ".join(str(each.number) for each in group)
            above = geometric_mean(each.x for each in group), max(each.y for each in group)
            axes.annotate(numbers, above, xytext=(0, 6), textcoords="offset points", ha="center")
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.margins(x=0.18)
        axes.set_ylim(*_share_limits([point.y for point in points]))
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
        _plain_ticks(axes)
    return done()


def processes(rows: Sequence[Row], x_label: str, name: str) -> Markup:
    """Every process of every target as a dot, its target's median as a stroke."""
    with _drawing(name, rows=len(rows)) as (axes, done):
        axes.set_xscale("log")
        for height, row in enumerate(rows):
            axes.plot(row.values, [height] * len(row.values), "o", color=ACCENT, markersize=4.5, alpha=0.6)
            axes.plot([median(row.values)], [height], "|", color=INK, markersize=13, markeredgewidth=1.6)
        axes.set_yticks(range(len(rows)), [str(row.number) for row in rows])
        axes.set(xlabel=x_label, ylabel="target", ylim=(len(rows) - 0.4, -0.6))
        axes.margins(x=0.08)
        _plain_ticks(axes)
    return done()


@contextmanager
def _drawing(name: str, rows: int = 0) -> Iterator[tuple[Axes, Callable[[], Markup]]]:
    """Axes to draw on, and a function that gives the SVG once that is done."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_RC):
        width, height = _INCHES
        height = max(height, _BELOW + _ABOVE + _ROW_INCHES * rows)
        figure = Figure(figsize=(width, height))
        figure.subplots_adjust(left=_LEFT / width, right=0.98, bottom=_BELOW / height, top=1 - _ABOVE / height)
        out = io.BytesIO()
        yield figure.subplots(), lambda: _for_page(out.getvalue(), name)
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})


def _plain_ticks(axes: Axes) -> None:
    """Few ticks in plain numbers, where a logarithmic scale would write powers of ten or none at all."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    low, high = axes.get_xlim()
    narrow = high / low < 10
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7) if narrow else (1,), numticks=6))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _share_limits(shares: Sequence[float]) -> tuple[float, float]:
    """A little more than what is there, and nothing much beyond all or nothing."""
    low, high = min(shares), max(shares)
    pad = max(0.2 * (high - low), 0.005)
    return max(low - pad, -0.02), min(high + pad, 1.002)


def _groups(points: Sequence[Point]) -> list[list[Point]]:
    """Points so close, each to the next, that one would cover the other's number; from left to right."""
    xs, ys = [log(each.x) for each in points], [each.y for each in points]
    x_span, y_span = max(xs) - min(xs) or 1.0, max(ys) - min(ys) or 1.0
    groups: list[list[Point]] = []
    for point in sorted(points, key=lambda each: each.x):
        for group in groups:
            last = group[-1]
            if log(point.x / last.x) < _NEAR * x_span and abs(point.y - last.y) < _NEAR * y_span:
                group.append(point)
                break
        else:
            groups.append([point])
    return groups


def _for_page(svg: bytes, name: str) -> Markup:
    """The SVG without inline style, which a strict content security policy forbids, its ids unique in the page."""
    root = ElementTree.fromstring(svg)  # noqa: S314 - matplotlib just wrote it
    referred = {each[1:] for node in root.iter() if (each := node.get(_XLINK))}
    clips = set(re.findall(r"url\(#([^)]+)\)", svg.decode()))
    for parent in root.iter():
        for child in [each for each in parent if each.tag in _DROPPED]:
            parent.remove(child)
    for node in root.iter():
        _style_to_attributes(node)
        _rename(node, name, referred | clips)
    for stamp in root.iterfind(f".//{_SVG}defs//*"):  # takes the colours of each place where it is put
        stamp.attrib.pop("fill", None)
        stamp.attrib.pop("stroke", None)
    root.attrib.update({"class": "picture", "aria-hidden": "true"})
    text = ElementTree.tostring(root, encoding="unicode")
    return Markup(re.sub(r"\bns\d+:|\sxmlns:ns\d+=\"[^\"]*\"", "", text))  # noqa: S704 - no text of a report is in it


def _style_to_attributes(node: ElementTree.Element) -> None:
    for declaration in node.attrib.pop("style", "").split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key in _KEPT_STYLES:
            node.set(key, value)


def _rename(node: ElementTree.Element, name: str, kept: set[str]) -> None:
    identity = node.attrib.pop("id", "")
    if identity in kept:
        node.set("id", f"{name}-{identity}")
    if target := node.attrib.pop(_XLINK, ""):
        node.set("href", f"#{name}-{target[1:]}")
    if clip := node.get("clip-path"):
        node.set("clip-path", clip.replace("url(#", f"url(#{name}-"))
