"""`deployspec inspect`: what a model file holds, from its own bytes."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast, get_args

import click

from deployspec import registry
from deployspec.build import missing_distributions
from deployspec.diagnostics import nearest
from deployspec.errors import UsageError
from deployspec.ir.model import DType, Input, Model
from deployspec.registry import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deployspec.ir.plan import Toolchain
    from deployspec.ir.structure import End, Structure
    from deployspec.registry import Target

FORMATS: Final = {
    ".pt": "torchscript",
    ".ptl": "ptmobile",
    ".pte": "executorch",
    ".tflite": "tflite",
    ".mlpackage": "coreml",
    ".mlmodel": "coreml",
    ".mlmodelc": "coreml",  # whose reader says what to give instead
}
"""By the kind of file."""

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


def require(toolchain: Toolchain) -> None:
    """Raise UsageError, which says what to install, if a distribution is missing."""
    if missing := missing_distributions(toolchain):
        raise UsageError(f"this needs {', '.join(missing)}: pip install 'deployspec[{toolchain.extra}]'")


def parse_input(text: str) -> Input:
    """`image=1x3x224x224:float32`, the type optional, a name instead of an open size. Raises UsageError."""
    name, _, rest = text.rpartition("=")
    shape, _, dtype = rest.partition(":")
    sizes = tuple(int(size) if size.isdecimal() else size for size in shape.split("x"))
    if not name or not all(sizes):
        raise UsageError(f"--input {text}: an input is written NAME=SHAPE[:DTYPE], as in image=1x3x224x224:float32")
    if not all(isinstance(size, int) or size.isidentifier() for size in sizes):
        raise UsageError(f"--input {text}: shapes are written 1x1x8x8, with a name for an open size")
    known = get_args(DType)
    if dtype and dtype not in known:
        raise UsageError(f"--input {text}: no type '{dtype}'; there are {', '.join(known)}")
    return Input(name=name, shape=sizes, dtype=cast("DType", dtype or "float32"))


def read(artifact: Path, inspect: Callable[[Path, Model], Structure], given: Sequence[Input]) -> Structure:
    """What an inspector finds, with the `given` inputs where the format keeps no shapes.

    Raises UsageError for inputs that the file does not have, UnreadableModel for what is no whole model.
    """
    found = _inspected(artifact, inspect, ())
    if given:
        return _inspected(artifact, inspect, ordered(given, found.inputs))
    if any(end.shape is None for end in found.inputs) and found.macs is None:
        example = f"--input {found.inputs[0].name or 'x'}=1x3x224x224"
        return replace(found, macs_reason=f"the file keeps no shapes: give them, as in {example}")
    open_ends = tuple(map(_as_declared, found.inputs))
    is_open = any(isinstance(size, str) for each in open_ends for size in each.shape)
    return _inspected(artifact, inspect, open_ends) if is_open else found


def _inspected(artifact: Path, inspect: Callable[[Path, Model], Structure], inputs: tuple[Input, ...]) -> Structure:
    try:
        return inspect(artifact, Model(name=artifact.name, source=artifact.name, inputs=inputs))
    except OSError as error:
        raise UsageError(f"cannot read '{artifact}': {error.strerror or error}") from None


def ordered(given: Sequence[Input], ends: Sequence[End]) -> tuple[Input, ...]:
    """The given inputs in the file's order; where it has no names, as they were given."""
    if all(end.shape is not None for end in ends):
        raise UsageError("--input is for files that keep no shapes, and this one does: leave it out")
    names, by_name = [end.name for end in ends], {each.name: each for each in given}
    if any(names):
        wrong = [each for each in by_name if each not in names]
        if wrong:
            raise UsageError(f"no input '{wrong[0]}': {_instead(wrong[0], names)}")
        given = [by_name[name] for name in names if name in by_name]
    if len(given) != len(ends):
        raise UsageError(f"{len(given)} of the file's {len(ends)} inputs have a shape: give one --input for each")
    return tuple(given)


def _as_declared(end: End) -> Input:
    """What a spec would declare: an open size has a name there."""
    return Input(name=end.name, shape=tuple("batch" if size < 0 else size for size in end.shape or ()))


def format_of(model: Path) -> str:
    """The format that the file's name tells. Raises UsageError."""
    name = FORMATS.get(model.suffix)
    if name is None:
        raise UsageError(f"'{model.name}' is none of {', '.join(FORMATS)}: say what it is with --as FORMAT")
    return name


def target_of(name: str) -> Target:
    """The format's plug-in, with no options. Raises UsageError."""
    target = registry.find(Family.TARGETS, name)
    if target is None:
        raise UsageError(f"no format '{name}': {_instead(name, registry.names(Family.TARGETS))}")
    made: Target = target()
    return made


def inspector_of(name: str) -> Callable[[Path, Model], Structure]:
    """The format's, once it is sure that what it needs is installed. Raises UsageError."""
    inspector = target_of(name).inspector()
    require(inspector.toolchain)
    module, _, attribute = inspector.function.partition(":")
    function: Callable[[Path, Model], Structure] = getattr(importlib.import_module(module), attribute)
    return function


def _instead(word: str, known: Sequence[str]) -> str:
    return nearest(word, known) or f"there are {', '.join(known)}"


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
