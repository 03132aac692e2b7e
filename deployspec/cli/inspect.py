"""`deployspec inspect`: what a model file holds, from its own bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from deployspec.cli.model_files import format_of, inspector_of, parse_input, read
from deployspec.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deployspec.ir.structure import End, Structure

_EXAMPLES: Final = """\b
Examples:
  deployspec inspect digits.mlpackage
  deployspec inspect digits.tflite --format json | jq .operators
  deployspec inspect digits.ts.pt --input image=1x1x8x8
"""


@click.command(epilog=_EXAMPLES)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--input",
    "inputs",
    metavar="NAME=SHAPE[:DTYPE]",
    multiple=True,
    help="An input's shape, as image=1x3x224x224: .pt and .ptl keep none, and without it no MACs are counted.",
)
@click.option("--as", "name", metavar="FORMAT", help="The format, where the file's name does not tell it.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to write it.")
def command(model: Path, inputs: tuple[str, ...], name: str | None, form: str) -> None:
    """Tell what MODEL, a file of any format, holds.

    Its inputs and outputs, operators, parameters, bytes of weights and multiply-accumulates, the oldest system that
    runs it, and what is known to go wrong with it on devices. The model is read, not run, and without its framework.
    """
    if not model.exists():
        raise UsageError(f"no file or folder '{model}'")
    name = name or format_of(model)
    structure = read(model, inspector_of(name), tuple(map(parse_input, inputs)))
    if form == "json":
        from deployspec.ir import codec

        told = {"file": model.name, "format": name} | codec.encode(structure)
        click.echo(json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        click.echo("\n".join([f"{model.name}: {name}", *(f"  {key:<13}{text}" for key, text in _lines(structure))]))


def _lines(structure: Structure) -> Iterator[tuple[str, str]]:
    """Each line's key, empty where it goes on from the line before, and text."""
    yield from _block("inputs", _table(structure.inputs))
    yield from _block("outputs", _table(structure.outputs))
    if structure.minimum:
        yield "runs on", f"{structure.minimum} and later"
    yield "parameters", f"{structure.parameters:,}{_zeros(structure)}"
    yield "weights", ", ".join(f"{size:,} bytes of {kind}" for kind, size in structure.weight_bytes) or "none"
    yield "MACs", f"not known: {structure.macs_reason}" if structure.macs is None else f"{structure.macs:,}, one sample"
    yield "operators", _counts(structure.operators)
    if structure.undelegated is not None:
        yield "undelegated", _counts(structure.undelegated)
    yield from _block("findings", structure.findings)


def _block(key: str, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip([key, *[""] * len(lines)], lines, strict=False)


def _table(ends: Sequence[End]) -> list[str]:
    width = max((len(end.name) for end in ends), default=0)
    return [f"{end.name:<{width}}  {_shape(end)}  {end.dtype}".strip() for end in ends]


def _shape(end: End) -> str:
    if end.shape is None:
        return "shape not kept"
    return "x".join("?" if size < 0 else str(size) for size in end.shape) or "scalar"


def _zeros(structure: Structure) -> str:
    if not structure.kernel_zeros:
        return ""
    return (
        f", {structure.kernel_zeros / structure.kernel_elements:.1%} of the kernels' {structure.kernel_elements:,} zero"
    )


def _counts(counts: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts) or "none"
