"""`deployspec init`: a first spec, commented, filled in with what lies beside the model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from deployspec.errors import UsageError

SPLITS: Final = ("train", "calibration", "tuning", "test", "field")
WEIGHTS: Final = (".safetensors", ".pt", ".pth")


@click.command(
    epilog="""\b
Examples:
  deployspec init model.py:build
  deployspec init model.py:build --out specs/model.toml
"""
)
@click.argument("source")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("deployspec.toml"),
    show_default=True,
    help="Where to write the spec; an existing file is never overwritten.",
)
def command(source: str, out: Path) -> None:  # fmt: skip
    """Write a commented spec for SOURCE, a model file or a `file.py:callable`.

    Weights beside it and splits in its folder or in data/ (train.npz, calibration.npz, test.npz …) are found by name;
    shapes and classes are read from the test split. What cannot be known is marked EDIT.
    """
    spec = render(look_around(source), source, out)
    try:
        with out.open("x", encoding="utf-8") as stream:
            stream.write(spec)
    except FileExistsError:
        raise UsageError(f"{out} exists: choose another name with --out, or remove it first") from None
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}") from None
    click.echo(f"wrote {out}: edit what is marked EDIT, then run: deployspec validate {out}")


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What was found beside the source."""

    name: str
    folder: Path
    weights: Path | None
    splits: dict[str, Path]
    shape: tuple[int, ...] | None
    dtype: str
    classes: int | None


def look_around(source: str) -> Surroundings:
    """Weights and splits by their names; shape, dtype and classes from the test split. Raises UsageError."""
    file = Path(source.partition(":")[0])
    if not file.exists():
        raise UsageError(f"{file} does not exist: name a model file, or a callable as file.py:name")
    folder = file.parent
    found = {name: path for name in SPLITS for path in _places(folder, name) if path.exists()}
    shape, dtype, classes = _look_into(found.get("test"))
    weights = [path for path in sorted(folder.iterdir()) if path.suffix in WEIGHTS] if ":" in source else []
    return Surroundings(
        name=file.stem,
        folder=folder,
        weights=weights[0] if weights else None,
        splits=found,
        shape=shape,
        dtype=dtype,
        classes=classes,
    )


def _places(folder: Path, name: str) -> list[Path]:
    return [folder / f"{name}.npz", folder / "data" / f"{name}.npz"]


def _look_into(test: Path | None) -> tuple[tuple[int, ...] | None, str, int | None]:
    """Shape and dtype of one stored sample, and the number of classes, where the file tells."""
    if test is None:
        return None, "float32", None
    import zipfile

    import numpy as np

    try:
        with np.load(test, allow_pickle=False) as split:
            samples = split["x"] if "x" in split.files else None
            labels = split["y"] if "y" in split.files else None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"{test} cannot be read: {error}") from None
    classes = int(labels.max()) + 1 if labels is not None and labels.dtype.kind in "iu" and labels.ndim == 1 else None
    return (None, "float32", classes) if samples is None else (samples.shape[1:], str(samples.dtype), classes)


def render(found: Surroundings, source: str, out: Path) -> str:
    """The spec's text; paths are relative to where it will lie."""
    sections = [_head(out), _model(found, source, out), _input(found), _task(found), _data(found, out), _promise(found)]
    return "\n".join(sections)


def _relative(path: Path, out: Path) -> str:
    return Path(os.path.relpath(path, out.parent)).as_posix()


def _head(out: Path) -> str:
    return f"""\
# What this model promises, and on which targets. Next:
#   deployspec validate {out.as_posix()}    every mistake, with its place
#   deployspec plan {out.as_posix()}        what would be built, and what the data can decide
#   deployspec check {out.as_posix()}       build, measure, judge, report
deployspec = 1
"""


def _model(found: Surroundings, source: str, out: Path) -> str:
    file, colon, callable_name = source.partition(":")
    weights = f'weights = "{_relative(found.weights, out)}"' if found.weights else '# weights = "model.safetensors"'
    return f"""\
[model]
name    = "{found.name}"
version = "0.1.0"
source  = "{_relative(Path(file), out)}{colon}{callable_name}"
{weights}
"""


def _input(found: Surroundings) -> str:
    stored = found.shape or (3, 224, 224)
    channels_last = len(stored) == 3 and stored[-1] in (1, 3)
    shape = (stored[-1], *stored[:-1]) if channels_last else stored
    note = "" if found.shape else "  # EDIT: the model's own shape"
    dtype = "float32" if found.dtype in ("uint8", "float64") else found.dtype
    return f"""\
[[model.inputs]]
name  = "input"
shape = ["batch", {", ".join(map(str, shape))}]{note}
dtype = "{dtype}"
{_preprocess(found, channels_last=channels_last)}
[[model.outputs]]
name = "logits"
kind = "logits"  # logits | probabilities | values
"""


def _preprocess(found: Surroundings, *, channels_last: bool) -> str:
    """How stored samples become the model's: needed for bytes, and for channels that come last."""
    steps = {"scale": "0.00392156862745098"} if found.dtype == "uint8" else {}
    steps |= {"layout": '"nhwc"'} if channels_last and found.shape else {}
    if not steps:
        return ""
    listed = ", ".join(f"{key} = {value}" for key, value in steps.items())
    return f"# EDIT: stored samples become (x * scale - mean) / std, channels first\npreprocess = {{ {listed} }}\n"


def _task(found: Surroundings) -> str:
    labels = ", ".join(f'"{label}"' for label in range(found.classes or 2))
    note = "  # EDIT: the classes' names, in the order of the outputs"
    return f"""\
[task]
kind   = "classification"
labels = [{labels}]{note}
"""


def _data(found: Surroundings, out: Path) -> str:
    lines = [
        f'{name:<11} = "{_relative(found.splits[name], out)}"'
        if name in found.splits
        else f'# {name:<9} = "{name}.npz"'
        for name in SPLITS
    ]
    return "\n".join(["[data]", *lines, ""])


def _promise(found: Surroundings) -> str:
    judged = "" if "test" in found.splits else "# "
    quantize = "" if "calibration" in found.splits else "# "
    return f"""\
# What holds on every target. A budget passes when the evidence proves it at this confidence.
[evidence]
confidence = 0.95

[budgets]
size          = "< 20 MB"
latency_p95   = "< 100 ms"
{judged}accuracy_drop = "< 2 pp"             # against the model above, in float32
{judged}recall        = {{ "*" = ">= 80 %" }}  # every class by itself

[targets.server]
format = "torchscript"

[targets.phone]
format = "tflite"
{quantize}passes = [{{ pass = "quantize", scheme = "int8" }}]  # needs the calibration split
"""
