"""`deployspec run`: one call of a Core ML model in the reference evaluator, on any machine."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import numpy as np

from deployspec import registry
from deployspec.cli.inspect import FORMATS, require
from deployspec.errors import DataFault, UsageError
from deployspec.registry import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

MODES: Final = ("declared", "fp64", "fp16acc")

# RuntimeError is how zipfile refuses encryption and unknown compression; MemoryError meets a header that lies.
_UNREADABLE: Final = (zlib.error, OSError, ValueError, EOFError, RuntimeError, MemoryError)

_EXAMPLES: Final = """\b
Examples:
  deployspec run digits.mlpackage --inputs image.npz --outputs logits.npz
  deployspec run digits.mlpackage --inputs image.npz --outputs exact.npz --mode fp64
"""


@click.command(epilog=_EXAMPLES)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--inputs",
    metavar="X.npz",
    required=True,
    type=click.Path(path_type=Path),
    help="The arrays of one call, each by its input's name.",
)
@click.option(
    "--outputs",
    metavar="Y.npz",
    required=True,
    type=click.Path(path_type=Path),
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
    if FORMATS.get(model.suffix, "coreml") != "coreml":
        raise UsageError(f"run takes an .mlpackage; this is a {model.suffix}")
    require(registry.load(Family.TARGETS, "coreml")().runner().toolchain)
    from deployspec.evaluators.mlprogram import Mode, load

    program = load(model, function=function, mode=Mode(mode))
    answered = program.run(read_arrays(inputs))
    write_arrays(outputs, answered)
    click.echo(f"{outputs}: " + ", ".join(f"{name} {list(each.shape)} {each.dtype}" for name, each in answered.items()))


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of an .npz by its name. Raises DataFault for what is no whole .npz; no pickle is ever loaded."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.namelist() if each.endswith(".npy")]
            return {each.removesuffix(".npy"): _array(archive, each) for each in members}
    except zipfile.BadZipFile:
        raise DataFault(f"{path} is not a whole .npz file: write it with numpy.savez") from None
    except _UNREADABLE as error:
        raise DataFault(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _array(archive: zipfile.ZipFile, member: str) -> np.ndarray:
    with archive.open(member) as stream:
        array: np.ndarray = np.load(stream, allow_pickle=False)
        return array


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an .npz whole or not at all, the same bytes for the same arrays. Raises UsageError.

    numpy.savez takes no array called `file`, and an output may be called so.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(draft, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                    np.save(stream, array, allow_pickle=False)
        draft.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write '{path}': {error.strerror or error}") from None
    finally:
        draft.unlink(missing_ok=True)
