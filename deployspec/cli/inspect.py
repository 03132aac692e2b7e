"""`deployspec inspect`: what a model file holds, from its own bytes."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from deployspec.cli.model_files import format_of, inspector_of, parse_input, read, target_of
from deployspec.cli.named import NamedPath
from deployspec.cli.options import format_option
from deployspec.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deployspec.ir.plan import Runner
    from deployspec.ir.structure import End, Structure

TIME_LIMIT_S: Final = 60
"""For a runtime that is queried for what the file does not contain."""

_EXAMPLES: Final = """\b
Examples:
  deployspec inspect digits.mlpackage
  deployspec inspect digits.tflite --format json | jq .operators
  deployspec inspect digits.ts.pt --input image=1x1x8x8
"""


@click.command(epilog=_EXAMPLES)
@click.argument("model", type=NamedPath())
@click.option(
    "--input",
    "inputs",
    metavar="NAME=SHAPE[:DTYPE]",
    multiple=True,
    help="An input's shape, as image=1x3x224x224: .pt and .ptl keep none, and without it no MACs are counted.",
)
@click.option("--as", "name", metavar="FORMAT", help="The format, if the file name does not show it.")
@format_option("text", "json")
def command(model: Path, inputs: tuple[str, ...], name: str | None, form: str) -> None:
    """Show the contents of MODEL, a file of any format.

    Its inputs and outputs, operators, parameters, bytes of weights and multiply-accumulates, the oldest system that
    runs it, and what is known to go wrong with it on devices. The model is read without its framework, and not run;
    only the operators that a delegate leaves are queried from its runtime, in an isolated process.
    """
    if not model.exists():
        raise UsageError(f"no file or folder '{model}'")
    name = name or format_of(model)
    structure = read(model, inspector_of(name), tuple(map(parse_input, inputs)))
    if runner := target_of(name).inspector().asks:
        structure = asked(structure, model, runner)
    if form == "json":
        from deployspec.ir import codec

        document = {"file": model.name, "format": name} | codec.encode(structure)
        click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        click.echo("\n".join([f"{model.name}: {name}", *(f"  {key:<13}{text}" for key, text in _lines(structure))]))


def asked(structure: Structure, model: Path, runner: Runner, time_limit_s: int = TIME_LIMIT_S) -> Structure:
    """What was found, and what the runtime reports of MODEL in an isolated process; its failure is a finding."""
    from deployspec.ir.codec import CodecError
    from deployspec.isolation import hide_memory
    from deployspec.lanes.host import HostLane
    from deployspec.lanes.program import Program, ProgramFailed
    from deployspec.measure.structure import divided

    job = {"artifact": "model", "options": {}, "tasks": [{"task": "describe"}]}
    hide_memory()
    with HostLane(apart=True) as lane, tempfile.TemporaryDirectory(prefix="deployspec-inspect-") as nothing:
        fetch, files = Path(nothing), {"model": model}
        program = Program(runner=runner, job=job, files=files, fetch=fetch, time_limit_s=time_limit_s)
        try:
            return divided(structure, lane.run(program))
        except (ProgramFailed, CodecError) as error:
            finding = f"its runtime does not tell which operators a delegate leaves: {error}"
            return replace(structure, findings=(*structure.findings, finding))


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
