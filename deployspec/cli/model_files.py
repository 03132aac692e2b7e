"""Model files that are named on the command line: of which format, what they hold, and arrays for their inputs."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import TYPE_CHECKING, cast, get_args

from deployspec import registry
from deployspec.build import missing_distributions
from deployspec.cli.options import say_left_out
from deployspec.diagnostics import nearest
from deployspec.errors import UsageError
from deployspec.ir.model import DType, Input, Model
from deployspec.ir.plan import pip_install
from deployspec.registry import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from deployspec.ir.plan import Toolchain
    from deployspec.ir.structure import End, Structure
    from deployspec.registry import Target


def require(toolchain: Toolchain) -> None:
    """Raise UsageError, which says what to install, if a distribution is missing."""
    if missing := missing_distributions(toolchain):
        raise UsageError(f"this needs {', '.join(missing)}: {pip_install(toolchain.extra, missing)}")


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
    """The format that the file's name tells. Raises UsageError for none, and for several."""
    say_left_out(Family.TARGETS)
    named = formats_of(model)
    if len(named) == 1:
        return named[0]
    known = ", ".join(suffix for target in _targets() for suffix in target.suffixes)
    text = f"may be {' or '.join(named)}" if named else f"is none of {known}"
    raise UsageError(f"'{model.name}' {text}: say what it is with --as FORMAT")


def formats_of(model: Path) -> list[str]:
    """The formats whose files' names end as this one."""
    return [target.name for target in _targets() if model.name.endswith(target.suffixes)]


def _targets() -> list[type[Target]]:
    return list(registry.sound(Family.TARGETS).values())


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
