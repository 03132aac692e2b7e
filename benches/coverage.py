"""How often each method proves what is not so, at a nominal 5 %: `python benches/coverage.py [--markdown]`.

The truth lies exactly on the limit, where a pass is wrong and likeliest, and so is a fail. Where tables are few enough
each is judged and weighed by its chance, so that the error is known to the digit; elsewhere tables are drawn, and the
figures are marked with ~. Exits 1 when an exact method errs more than 5 %, or another more than is stated here.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt

from error_rates import (
    ALPHA,
    DRAWN,
    SHAPES,
    Drop,
    Errors,
    f1,
    mean_score,
    only_raised,
    precision_drop,
    processes,
    share,
    ten_classes,
    two_classes,
    worst_of_two,
    worst_share,
)

from deployspec.judge.resample import MacroF1, MacroRecall

SIZES = (10, 30, 100, 1000)
SHARES = (0.5, 0.9, 0.99)
PAIRED = (
    (Decimal("0.01"), False, "paired: drop of 1 pp", (ALPHA, 0.09)),
    (Decimal("0.01"), True, "paired: drop of 1 %", (ALPHA, 0.09)),
    (Decimal("0.1"), False, "paired: drop of 10 pp", (0.06, 0.09)),
)
"""Passes are exact while limit x n is below 100; beyond, as for every fail, Tango's interval stands in."""

BEYOND = ((1000, Decimal("0.1")), (2000, Decimal("0.05")), (10_000, Decimal("0.01")))
ABOUT = (0.06, 0.06)
"""Of what is drawn: 2,000 draws leave a quantile, and so an error, off by a tenth."""

UNSEEN = (1.0, ALPHA)
"""Of a mean whose rare, large scores the sample may lack: no method bounds what it has not seen."""

TINY = (3, 4, 5, 39)
"""Sizes at which a fail of a drop errs most."""

RAISED = (12, 20, 26, 58)
"""Sizes at which false alarms alone pass wrongly most often."""

LOOKED = ((6,), (6, 12), (6, 12, 24))


@dataclass(frozen=True)
class Row:
    """One method at one truth; `most` is what its wrong passes, and its wrong fails, may come to."""

    method: str
    truth: str
    errors: tuple[Errors, ...]
    most: tuple[float, float] = (ALPHA, ALPHA)

    @property
    def holds(self) -> bool:
        """Whether none errs more; of what was drawn, by more than three standard errors."""
        return all(
            found <= most + each.about * 3 * sqrt(most * (1 - most) / DRAWN) + 1e-6
            for each in self.errors
            for found, most in zip((each.passes, each.fails), self.most, strict=True)
        )

    def cells(self) -> list[str]:
        """As a row of the table: percentages, wrong passes before wrong fails."""
        told = [f"{'~' * each.about}{100 * each.passes:.1f} / {100 * each.fails:.1f}" for each in self.errors]
        return [self.method, self.truth, *told, " / ".join(f"{100 * most:g}" for most in self.most)]


@dataclass(frozen=True)
class Table:
    """Rows under their headings."""

    headings: tuple[str, ...]
    rows: Callable[[], Iterator[Row]]


def by_size() -> Iterator[Row]:
    """Every method that rests on samples."""
    yield from _over_shares("Clopper-Pearson: a share", share)
    yield Row("", "worst", tuple(map(worst_share, SIZES)))
    yield from _over_shares("Clopper-Pearson through J: F1", f1)
    for limit, relative, name, most in PAIRED:
        drops = [Drop(n, limit, relative) for n in SIZES]
        for each in SHARES:
            if each + float(limit) <= 1:
                yield Row(name, f"{_percent(each)} unchanged", tuple(drop.errors(each) for drop in drops), most)
        yield Row(name, "worst", tuple(drop.worst() for drop in drops), most)
    for classes, make in ((2, two_classes), (10, ten_classes)):
        yield from _over_shares(f"resampled: macro recall, {classes} classes", make(MacroRecall), ABOUT)
        yield from _over_shares(f"resampled: macro F1, {classes} classes", make(MacroF1), ABOUT)
    for kind, name in ((MacroRecall, "macro recall"), (MacroF1, "macro F1")):
        yield Row(f"resampled: {name}, 2 unlike classes", "worst", tuple(map(worst_of_two(kind), SIZES)), ABOUT)
    yield Row("resampled: precision drop", "worst", tuple(map(precision_drop, SIZES)), ABOUT)
    for shape in SHAPES:
        most = UNSEEN if "hundred" in shape else (ALPHA, ALPHA)
        yield Row("bootstrapped: a mean of scores", shape, tuple(mean_score(n, shape) for n in SIZES), most)


def beyond() -> Iterator[Row]:
    """Tango's interval, where it takes over from the exact test."""
    for relative, name in ((False, "Tango: drop"), (True, "Tango: relative drop")):
        yield Row(name, "worst", tuple(Drop(n, limit, relative).worst() for n, limit in BEYOND), (0.06, 0.06))


def tiny() -> Iterator[Row]:
    """Drops of classes with few samples: fails rest on Tango's interval."""
    for relative, unit in ((False, "pp"), (True, "%")):
        for limit in (Decimal("0.01"), Decimal("0.05"), Decimal("0.1"), Decimal("0.3")):
            drops = tuple(Drop(n, limit, relative).worst() for n in TINY)
            yield Row(f"paired: drop of {float(limit) * 100:g} {unit}", "worst", drops, (ALPHA, 0.15))


def raised() -> Iterator[Row]:
    """A precision drop of which every table is judged: the reference never errs, the artifact adds false alarms."""
    yield Row("resampled: precision drop up to 30 pp", "worst", tuple(map(only_raised, RAISED)), ABOUT)


def over_looks() -> Iterator[Row]:
    """Order statistics over processes, at looks fixed in advance."""
    yield Row("order statistics: median over processes", "any", tuple(map(processes, LOOKED)))


def _over_shares(
    method: str, errors: Callable[[int, float], Errors], most: tuple[float, float] = (ALPHA, ALPHA)
) -> Iterator[Row]:
    for each in SHARES:
        yield Row(method, _percent(each), tuple(errors(n, each) for n in SIZES), most)


def _percent(share: float | Decimal) -> str:
    return f"{float(share) * 100:g} %"


TABLES = (
    Table(("method", "truth", *(f"{n:,}" for n in SIZES), "at most"), by_size),
    Table(("method", "truth", *(f"{n:,}, limit {_percent(limit)}" for n, limit in BEYOND), "at most"), beyond),
    Table(("method", "truth", *map(str, TINY), "at most"), tiny),
    Table(("method", "truth, only false alarms added", *map(str, RAISED), "at most"), raised),
    Table(("method", "truth", *(f"looks {', '.join(map(str, looks))}" for looks in LOOKED), "at most"), over_looks),
)


def main() -> int:
    """Print the tables; whether every error is at most what it may be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true", help="write the tables of docs/judging.md")
    form = _markdown if parser.parse_args().markdown else _line
    held = True
    for table in TABLES:
        print(form(list(table.headings)), *([_markdown(["---"] * len(table.headings))] * (form is _markdown)), sep="\n")
        for row in table.rows():
            print(form(row.cells()) + ("" if row.holds else "  MISSED"), flush=True)
            held &= row.holds
        print()
    return 0 if held else 1


def _markdown(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _line(cells: list[str]) -> str:
    method, truth, *errors = cells
    return f"{method:<40}{truth:<16}" + "".join(f"{each:>19}" for each in errors)


if __name__ == "__main__":
    sys.exit(main())
