"""`deployspec run`: one call of a Core ML model in the reference evaluator, on any machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from deployspec import registry
from deployspec.cli.arrays import read_arrays, write_arrays
from deployspec.cli.model_files import formats_of, require
from deployspec.cli.named import NamedPath
from deployspec.errors import UsageError
from deployspec.registry import Family

if TYPE_CHECKING:
    from pathlib import Path

MODES: Final = ("declared", "fp64", "fp16acc")

_EXAMPLES: Final = """\b
Examples:
  deployspec run digits.mlpackage --inputs image.npz --outputs logits.npz
  deployspec run digits.mlpackage --inputs image.npz --outputs exact.npz --mode fp64
"""


@click.command(epilog=_EXAMPLES)
@click.argument("model", type=NamedPath())
@click.option(
    "--inputs",
    metavar="X.npz",
    required=True,
    type=NamedPath(),
    help="The arrays of one call, each by its input's name.",
)
@click.option(
    "--outputs",
    metavar="Y.npz",
    required=True,
    type=NamedPath(),
    help="Where to write the outputs, each by its name.",
)
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default="declared",
    show_default=True,
    help="declared rounds as the package's types say, fp64 computes all in float64, fp16acc also adds in float16.",
)
@click.option("--function", metavar="NAME", help="One of several functions, instead of the default one.")
def command(model: Path, inputs: Path, outputs: Path, mode: str, function: str | None) -> None:
    """Run MODEL, an .mlpackage, without Core ML and without macOS.

    This is a reference evaluator: it computes what the model means by Core ML's specification. A device rounds and
    may err otherwise, and how long this takes says nothing of how long a device takes.
    """
    if "coreml" not in (formats_of(model) or ["coreml"]):
        raise UsageError(f"run takes an .mlpackage; this is a {model.suffix}")
    require(registry.load(Family.TARGETS, "coreml")().runner().toolchain)
    from deployspec.evaluators.mlprogram import Mode, load

    program = load(model, function=function, mode=Mode(mode))
    answered = program.run(read_arrays(inputs))
    write_arrays(outputs, answered)
    click.echo(f"{outputs}: " + ", ".join(f"{name} {list(each.shape)} {each.dtype}" for name, each in answered.items()))
