"""The table of formats and schemes: every pair that the registry offers, made of the digits and measured.

    python docs/matrix.py            check them all, then write the block `matrix` of docs/formats.md; some minutes
    python docs/matrix.py --spec     print the spec that is checked

The report of that check is the only source of the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from generate import fill
from tables import table

from deployspec import registry
from deployspec.ir.evidence import Classified, Count, NotMeasured, Processes, Share
from deployspec.ir.plan import TORCH_MODULE
from deployspec.registry import Family
from deployspec.routes import NoRoute, find_route
from deployspec.units import Dimension, shown
from deployspec.verify import read_unverified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deployspec.ir.evidence import Statistic
    from deployspec.ir.report import Report

ROOT: Final = Path(__file__).parent.parent
DIGITS: Final = ROOT / "specs" / "digits.toml"
OPTIONS: Final[dict[str, dict[str, str]]] = {"coreml": {"minimum": "iOS18"}}
"""Of a format whose schemes depend on an option: the one that has them all."""

COLUMNS: Final = ("format", "scheme", "size", "agreement", "accuracy drop", "time / baseline")
BUDGETS: Final = 'agreement = ">= 50 %"\naccuracy_drop = "< 50 pp"\nlatency_reduction = ">= 0 %"\n'
"""They make the figures be taken; whether they hold is not asked."""


@dataclass(frozen=True)
class Pair:
    """A format with a scheme of its, or with none."""

    format: str
    scheme: str | None

    @property
    def target(self) -> str:
        """Its target in the spec."""
        return f"{self.format}-{self.scheme or 'float32'}"

    def text(self) -> str:
        """Its table in the spec."""
        options = "".join(f'{key} = "{value}"\n' for key, value in OPTIONS.get(self.format, {}).items())
        passes = f'passes = [{{ pass = "quantize", scheme = "{self.scheme}" }}]\n' if self.scheme else ""
        return f'[targets.{self.target}]\nformat = "{self.format}"\n{options}{passes}\n'


def pairs() -> Iterator[Pair]:
    """Every format with every scheme that a torch module can be made with, float32 first."""
    for name in registry.names(Family.TARGETS):
        plugin = _plugin(name)
        schemes = {edge.realises for edge in plugin.lowerings()} | {None}
        for scheme in sorted(schemes, key=lambda each: each or ""):
            if _leads(plugin, scheme):
                yield Pair(name, scheme)


def _plugin(name: str) -> Any:
    return registry.load(Family.TARGETS, name)(**OPTIONS.get(name, {}))


def _leads(plugin: Any, scheme: str | None) -> bool:
    try:
        find_route(TORCH_MODULE, plugin.form, [scheme] if scheme else [], plugin.lowerings())
    except NoRoute:
        return False
    return True


def spec() -> str:
    """The digits spec with a target for every pair."""
    head, _, _ = DIGITS.read_text().partition("[budgets]")
    return f"{head}[budgets]\n{BUDGETS}\n{''.join(pair.text() for pair in pairs())}"


def check() -> Report:
    """The report of a check of that spec, which lies beside the digits' own for as long as it takes."""
    with tempfile.TemporaryDirectory() as folder, _beside(DIGITS, spec()) as path:
        command = [sys.executable, "-m", "deployspec", "check", str(path), "--out", f"{folder}/report"]
        ran = subprocess.run(command, check=False, stdout=sys.stderr)
        if ran.returncode not in (0, 1, 3):
            raise SystemExit(ran.returncode)
        _, report = read_unverified(Path(folder, "report", "report.dsse.json").read_bytes())
        return report


@contextlib.contextmanager
def _beside(other: Path, text: str) -> Iterator[Path]:
    path = other.with_name(f".matrix-{other.name}")
    path.write_text(text)
    try:
        yield path
    finally:
        path.unlink()


def rows(report: Report) -> Iterator[tuple[str, ...]]:
    """One row a pair; a figure that is not there is its reason."""
    for pair in pairs():
        found = {each.name: each.statistic for each in reversed(report.measurements) if each.target == pair.target}
        yield (
            f"`{pair.format}`",
            f"`{pair.scheme}`" if pair.scheme else "float32",
            _size(found["size"]),
            _agreement(found["agreement"]),
            _drop(found["quality"]),
            _time(found.get("latency_reduction") or found["latency.p50"]),
        )


def _size(statistic: Statistic) -> str:
    assert isinstance(statistic, Count)
    return shown(statistic.value, Dimension.BYTES)


def _agreement(statistic: Statistic) -> str:
    return f"{statistic.hits} of {statistic.n}" if isinstance(statistic, Share) else _absent(statistic)


def _drop(statistic: Statistic) -> str:
    """Of the accuracy, in percentage points; below 0 where the artifact is right more often than the reference."""
    if not isinstance(statistic, Classified):
        return _absent(statistic)
    net = sum(each.broken - each.repaired for each in statistic.paired)
    return f"{100 * net / statistic.n + 0.0:.2f} pp"


def _time(statistic: Statistic) -> str:
    """The median over processes of the interleaved ratio."""
    if not isinstance(statistic, Processes):
        return _absent(statistic)
    return f"{1 - statistics.median(statistic.values):.2f}"


def _absent(statistic: Statistic) -> str:
    assert isinstance(statistic, NotMeasured), statistic
    return statistic.reason.partition(":")[0]


def block(report: Report) -> str:
    """The whole block."""
    return f"{table(COLUMNS, rows(report))}\n\n{_not_taken()}"


def _not_taken() -> str:
    """For each format, the schemes that others take and it does not, with its reason."""
    offered = list(pairs())
    schemes = sorted({pair.scheme for pair in offered if pair.scheme})
    lines = []
    for name in registry.names(Family.TARGETS):
        reasons = _plugin(name).reasons
        lacking = [scheme for scheme in schemes if Pair(name, scheme) not in offered]
        lines += [f"- `{name}` with `{scheme}`: {reasons[scheme]}" for scheme in lacking]
    return "\n".join(["<details><summary>What a format does not take, and why</summary>", "", *lines, "", "</details>"])


def main() -> int:
    """Do what the command line asks; the exit code."""
    parser = argparse.ArgumentParser(description="Measure every format with every scheme, for docs/formats.md.")
    parser.add_argument("--spec", action="store_true", help="print the spec that is checked, and check nothing")
    if parser.parse_args().spec:
        sys.stdout.write(spec())
        return 0
    page = ROOT / "docs" / "formats.md"
    page.write_text(fill(page.read_text(), "matrix", block(check())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
