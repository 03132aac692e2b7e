"""`deployspec validate`: every fault of every spec, before any work."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

import click

from deployspec.diagnostics import Diagnostic
from deployspec.errors import DigestMismatch, ExitCode, SpecFaults
from deployspec.parse import check_pin, notes, parse_spec

if TYPE_CHECKING:
    from deployspec.ir.spec import Spec


class Format(StrEnum):
    """How the outcome is written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One spec and what was found in it; `mismatch` says that a pinned file is another one."""

    path: Path
    spec: Spec | None = None
    found: tuple[Diagnostic, ...] = ()
    mismatch: str = ""

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All that was found, a pin that does not match among it."""
        if not self.mismatch:
            return self.found
        pin = Diagnostic(code="digest-mismatch", message=self.mismatch, file=self.path, path=("model", "sha256"))
        return (*self.found, pin)

    @property
    def exit_code(self) -> ExitCode:
        """What this spec alone would exit with."""
        if self.spec is None:
            return ExitCode.FAULTY
        return ExitCode.UNTRUSTED if self.mismatch else ExitCode.OK


@click.command(
    epilog="""\b
Examples:
  deployspec validate specs/digits.toml
  deployspec validate specs/*.toml --format github
"""
)
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice([each.value for each in Format]),
    default=Format.TEXT.value,
    show_default=True,
    help="How to write what is found.",
)
def command(specs: tuple[Path, ...], form: str) -> None:
    """Check deployment specs and tell every fault at once, each with its place.

    Needs no framework and no data. Exits 0 when all is well, 2 on a fault, 5 when a pinned file is another one.
    """
    checked = [_check(path) for path in specs]
    match Format(form):
        case Format.TEXT:
            _write_text(checked)
        case Format.JSON:
            _write_json(checked)
        case Format.GITHUB:
            _write_github(checked)
        case Format.SARIF:
            _write_sarif(checked)
        case other:
            assert_never(other)
    codes = {each.exit_code for each in checked}
    worst = next((code for code in (ExitCode.FAULTY, ExitCode.UNTRUSTED) if code in codes), ExitCode.OK)
    if worst is not ExitCode.OK:
        raise SystemExit(worst)


def _check(path: Path) -> Checked:
    try:
        spec = parse_spec(path)
    except SpecFaults as error:
        return Checked(path=path, found=error.faults)
    try:
        check_pin(spec)
    except DigestMismatch as error:
        return Checked(path=path, spec=spec, found=notes(spec), mismatch=str(error))
    return Checked(path=path, spec=spec, found=notes(spec))


def _write_text(checked: list[Checked]) -> None:
    for each in checked:
        if each.found:
            from deployspec.parse import render  # with its parser of positions: only where there is something to show

            click.echo(render.render(each.found), err=True)
        if each.spec is None:
            click.echo(f"{each.path}: {count(len(each.found), 'fault')}", err=True)
        elif each.mismatch:
            click.echo(f"error: {each.mismatch}", err=True)
        else:
            budgets = sum(len(target.budgets) for target in each.spec.targets)
            click.echo(f"{each.path}: valid, {count(len(each.spec.targets), 'target')}, {count(budgets, 'budget')}")


def _write_json(checked: list[Checked]) -> None:
    import json

    from deployspec.parse import render

    objects = [
        {
            "spec": str(each.path),
            "valid": each.exit_code is ExitCode.OK,
            "targets": {target.name: len(target.budgets) for target in each.spec.targets} if each.spec else {},
            "mismatch": each.mismatch,
            "diagnostics": render.as_objects(each.found),
        }
        for each in checked
    ]
    click.echo(json.dumps(objects, indent=2, allow_nan=False))


def _write_github(checked: list[Checked]) -> None:
    from deployspec.parse import render

    for each in checked:
        click.echo(render.as_github(each.diagnostics), nl=False)


def _write_sarif(checked: list[Checked]) -> None:
    from deployspec.parse import sarif

    click.echo(sarif.render([diagnostic for each in checked for diagnostic in each.diagnostics]), nl=False)


def count(n: int, word: str) -> str:
    """`1 fault`, `2 faults`."""
    return f"{n:,} {word}{'s' if n != 1 else ''}"
