"""`deployspec validate`: every fault of every spec and policy, before any work."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

import click

from deployspec.cli.named import NamedPath
from deployspec.cli.options import format_option
from deployspec.diagnostics import Diagnostic
from deployspec.errors import DigestMismatch, ExitCode, SpecFaults
from deployspec.parse import Kind, check_pin, kind_of, notes, spec_in, toml
from deployspec.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Format(StrEnum):
    """How the outcome is written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One file and what was found in it; `mismatch` says that a pinned file is another one.

    `holds` describes the content of a sound file, and is empty if there are faults.
    """

    path: Path
    kind: Kind = Kind.SPEC
    holds: str = ""
    targets: dict[str, int] = field(default_factory=dict)
    """A spec's targets, each with its number of budgets."""
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
        """What this file alone would exit with."""
        if not self.holds:
            return ExitCode.FAULTY
        return ExitCode.UNTRUSTED if self.mismatch else ExitCode.OK


@click.command(
    epilog="""\b
Examples:
  deployspec validate specs/digits.toml
  deployspec validate specs/*.toml --format github
  deployspec validate release-policy.toml trust.toml
"""
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=NamedPath())
@format_option(*Format, help="Output format.")
def command(files: tuple[Path, ...], form: str) -> None:
    """Check specs and policies, and report every fault with its location.

    The file type is detected from its content: `model`, `task`, `data`, `targets` or `[[waivers]]`: spec; `trust` or
    `keys`: trust policy; only `budgets`, `evidence` or `waivers = true/false`: policy; anything else: spec.

    Needs no framework and no data. Exits 0 if no fault is found, 2 on a fault, 5 if a pinned file's digest differs.
    """
    checked = [_check(path) for path in files]
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
    kind = Kind.SPEC
    try:
        file = toml.read(path)
        kind = kind_of(file.tree)
        return _CHECKS[kind](file)
    except SpecFaults as error:
        return Checked(path=path, kind=kind, found=error.faults)


def _check_spec(file: toml.File) -> Checked:
    spec, mismatch = spec_in(file), ""
    try:
        check_pin(spec)
    except DigestMismatch as error:
        mismatch = str(error)
    targets = {target.name: len(target.budgets) for target in spec.targets}
    holds = f"{counted(len(targets), 'target')}, {counted(sum(targets.values()), 'budget')}"
    return Checked(path=file.path, holds=holds, targets=targets, found=notes(spec), mismatch=mismatch)


def _check_policy(file: toml.File) -> Checked:
    from deployspec.parse.policy_alone import policy_in

    policy, found = policy_in(file)
    return Checked(
        path=file.path, kind=Kind.POLICY, holds=f"a policy of {counted(len(policy.limits), 'budget')}", found=found
    )


def _check_trust(file: toml.File) -> Checked:
    from deployspec.trust.policy import TrustPolicy

    keys = TrustPolicy.read(file.path).keys
    return Checked(path=file.path, kind=Kind.TRUST, holds=f"a trust policy of {counted(len(keys), 'key')}")


_CHECKS: Final[dict[Kind, Callable[[toml.File], Checked]]] = {
    Kind.SPEC: _check_spec,
    Kind.POLICY: _check_policy,
    Kind.TRUST: _check_trust,
}
"""What checks a file of each kind. Raises SpecFaults."""


def _write_text(checked: list[Checked]) -> None:
    for each in checked:
        if each.found:
            from deployspec.parse import render  # with its parser of positions: only where there is something to show

            click.echo(render.render(each.found), err=True)
        if not each.holds:
            click.echo(f"{each.path}: {counted(len(each.found), 'fault')}", err=True)
        elif each.mismatch:
            click.echo(f"error: {each.mismatch}", err=True)
        else:
            click.echo(f"{each.path}: valid, {each.holds}")


def _write_json(checked: list[Checked]) -> None:
    import json

    from deployspec.parse import render

    objects = [
        {
            "spec": str(each.path),
            "kind": each.kind,
            "valid": each.exit_code is ExitCode.OK,
            "targets": each.targets,
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
