"""Options that several commands have alike, and how those that judge end."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from deployspec.cli.named import NamedPath
from deployspec.registry import broken
from deployspec.units import QuantityError, parse_duration_s, parse_size_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deployspec.registry import Family
    from deployspec.report.summary import Standing
    from deployspec.requests import Checked

_Command = TypeVar("_Command", bound="Callable[..., Any]")


class _Quantity(click.ParamType[int]):
    """A number with its unit, such as `30 min`; what the command gets is whole, in the base unit."""

    def __init__(self, name: str, parse: Callable[[str], int]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else self._parse(value)
        except QuantityError as error:
            self.fail(str(error), param, ctx)


DURATION: Final = _Quantity("duration", parse_duration_s)
SIZE: Final = _Quantity("size", parse_size_bytes)


def format_option(*forms: str, help: str = "json is for programs.") -> Callable[[_Command], _Command]:
    """`--format`, one of `forms`; the first is the default."""
    kind = click.Choice([str(each) for each in forms])
    return click.option("--format", "form", type=kind, default=str(forms[0]), show_default=True, help=help)


targets_option = click.option(
    "--target", "targets", multiple=True, metavar="NAME", help="Only this target; may be repeated."
)
key_option = click.option("--key", type=NamedPath(), help="Private key (PEM, or hsm:…) that signs the report.")
trust_option = click.option(
    "--trust",
    type=NamedPath(dir_okay=False),
    help="A trust.toml. Evidence that a key of the role 'lab' signed counts as stated; all else is claimed.",
)
strict_option = click.option("--strict", is_flag=True, help="Count a warning as a failure.")
report_format_option = format_option(
    "text",
    "markdown",
    "json",
    help="How to write the report to standard output; json is the statement's predicate.",
)


def say_left_out(*families: Family) -> None:
    """Say which plug-ins a look at all of them leaves out, and why."""
    for why in itertools.chain.from_iterable(map(broken, families)):
        click.echo(f"left out: {why}", err=True)


def say_kept(report: Path) -> None:
    """Say where a signed report that was in the way is now."""
    click.echo(f"the signed report that was there is kept as {report}", err=True)


def say_judged(judged: Checked, form: str) -> Standing:
    """Write the report in the form that was asked for, and where it lies; who vouches for it."""
    from deployspec.cli.views import render
    from deployspec.report.summary import Standing

    standing = Standing(signers=judged.envelope.keyids, verified=True)
    click.echo(render(judged.report, standing, form), nl=False)
    click.echo(f"report: {judged.path}", err=form != "text")
    return standing
