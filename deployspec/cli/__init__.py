"""The command line: one module per command, imported when it is asked for. The only place that prints or exits."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from deployspec import __version__
from deployspec.errors import DeploySpecError, ExitCode, SpecFaults

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS: Final = {
    "init": "Write a commented spec for a model.",
    "validate": "Check specs and policies, and report every fault with its location.",
    "plan": "Show the steps of every target, and what the data can decide.",
    "check": "Build, measure and judge every target, and sign the report.",
    "judge": "Judge measurements made elsewhere, without building.",
    "evidence": "Check, convert and sign measurements made elsewhere.",
    "verify": "Verify a report: signatures, digests, and every verdict derived again.",
    "sign": "Add a signature to a report.",
    "show": "Show a report in readable form.",
    "diff": "Show what changed between two reports or specs.",
    "inspect": "Show the contents of a model file.",
    "measure": "Measure a model file on this machine, without a spec.",
    "run": "Run a Core ML model in the reference evaluator, on any machine.",
    "keygen": "Make a key pair to sign reports with.",
    "targets": "List formats and passes, their options, and what is installed.",
    "schema": "Print the JSON schema of the spec language, for editors.",
}
"""Every command and the line that `--help` gives it; its module exposes `command`."""


_UNWRITABLE: Final = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO)


class _Lazy(click.Group):
    """A group that knows its commands by name and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"deployspec.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            from deployspec.diagnostics import nearest

            ctx.fail(f"no command '{args[0]}': {nearest(args[0], COMMANDS) or 'deployspec --help lists them'}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  deployspec validate specs/digits.toml
  deployspec check specs/digits.toml --key release.pem
  deployspec verify deployspec-report/report.dsse.json --public-key release.pub.pem

\b
Exit codes, the first that applies:
  2  the spec, the data or the command is wrong
  5  a signature, digest or policy check failed
  4  a build step failed
  1  a budget fails
  3  not proven: inconclusive or not measured
  0  every budget passes""",
)
@click.version_option(__version__, prog_name="deployspec")
def group() -> None:
    """Compile a deployment spec into a signed proof that a model meets its budgets on every target."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit. What users can act on is said in a line; a bug keeps its traceback and exits 70."""
    _prepare()
    try:
        code = group.main(args=arguments, prog_name="deployspec", standalone_mode=False)
    except SpecFaults as faults:
        from deployspec.parse.render import render

        click.echo(render(faults.faults), err=True, nl=False)
        code = faults.exit_code
    except DeploySpecError as error:
        click.echo(f"error: {error}", err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = ExitCode.FAULTY
    except (click.Abort, KeyboardInterrupt) as stopped:
        click.echo("; ".join(["interrupted: nothing is left running", *map(str, stopped.args)]), err=True)
        code = ExitCode.INTERRUPTED
    except Exception as error:
        code = _report_crash(error)
    sys.exit(int(code or 0))


def _prepare() -> None:
    """Open closed standard streams on the null device, and handle SIGTERM like Ctrl-C."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - lives as long as the program
    with suppress(ValueError):  # only a main thread hears signals
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _report_crash(error: Exception) -> ExitCode:
    """Report that the output cannot be written, or else a bug with its traceback."""
    if isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITABLE:
        with suppress(OSError):
            click.echo(f"error: the output cannot be written: {error.strerror}", err=True)
        return ExitCode.FAULTY
    import traceback

    traceback.print_exc()
    click.echo("this is a bug in deployspec: please report it with the lines above", err=True)
    return ExitCode.BUG
