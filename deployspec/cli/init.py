"""`deployspec init`: a first spec, commented, filled in with what lies beside the model."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from deployspec.cli.named import NamedPath
from deployspec.diagnostics import nearest
from deployspec.errors import UsageError
from deployspec.ir.data import SPLITS
from deployspec.ir.model import Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

WEIGHTS: Final = (".safetensors", ".pt", ".pth")
"""Best first: safetensors hold nothing but tensors."""

MOST_LABELS: Final = 1000
"""More different values of y are hardly classes."""


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
    type=NamedPath(),
    default=Path("deployspec.toml"),
    show_default=True,
    help="Where to write the spec; an existing file is never overwritten.",
)
def command(source: str, out: Path) -> None:  # fmt: skip
    """Write a commented spec for SOURCE, a model file or a `file.py:callable`.

    Weights beside it and splits in its folder or in data/ (train.npz, calibration.npz, test.npz …) are found by name;
    shapes and classes are read from the test split. What cannot be known is marked EDIT.
    """
    found = look_around(source)
    spec = render(found, source, out)
    _write(out, spec)
    edits = spec.count("EDIT")
    click.echo(f"wrote {out}, with {edits} place{'' if edits == 1 else 's'} marked EDIT")
    for choice in found.choices:
        click.echo(f"  {choice}")
    click.echo(f"next: {'edit what is marked, then run' if edits else 'run'}: deployspec validate {out}")


def _write(out: Path, spec: str) -> None:
    """A new file, with its folder. Raises UsageError, also where the file is there."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("x", encoding="utf-8") as stream:
            stream.write(spec)
    except FileExistsError as error:
        there = error.filename or out
        raise UsageError(f"{there} exists: choose another name with --out, or remove it first") from None
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}") from None


@dataclass(frozen=True, kw_only=True)
class Samples:
    """What the test split tells; without one, what is usual."""

    name: str = "input"
    shape: tuple[int, ...] | None = None
    dtype: str = "float32"
    task: Task = Task.CLASSIFICATION
    labels: tuple[str, ...] = ()
    named: bool = False
    """Whether y holds the labels themselves, which it must not."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What was found beside the source; `choices` says in words what was taken, and what else was there."""

    name: str
    weights: Path | None
    splits: dict[str, Path]
    samples: Samples
    choices: tuple[str, ...]


def look_around(source: str) -> Surroundings:
    """Weights and splits by their names; shape, dtype and classes from the test split.

    Raises UsageError for a source that is not there, DataFault for a test split that cannot be read.
    """
    file = _source_file(source)
    splits = {name: there for name in SPLITS if (there := _places(file.parent, name))}
    weights = _weights_beside(file) if ":" in source else []
    samples = _look_into(splits["test"][0]) if "test" in splits else Samples()
    return Surroundings(
        name=file.stem,
        weights=weights[0] if weights else None,
        splits={name: there[0] for name, there in splits.items()},
        samples=samples,
        choices=tuple(_told({"weights": weights} | splits, samples)),
    )


def _source_file(source: str) -> Path:
    """The file that `source` names, which has its callable as far as reading it tells."""
    text, colon, name = source.partition(":")
    file = Path(text)
    if not file.exists():
        raise UsageError(f"{file} does not exist: name a model file, or a callable as file.py:name")
    if file.suffix == ".py":
        _refuse_unknown(file, name)
    elif colon:
        raise UsageError(f"{file} is no Python file: only of those a callable is named, as file.py:name")
    return file


def _refuse_unknown(file: Path, name: str) -> None:
    from deployspec.sources.names import functions, top_level_names

    defined = ", ".join(functions(file)) or "no function"
    if not name:
        raise UsageError(
            f"{file} is code: name the function that makes the model, as {file}:NAME; it defines {defined}"
        )
    names = top_level_names(file)
    if names is not None and name not in names:
        raise UsageError(f"{file} has no '{name}': {nearest(name, names) or f'it defines {defined}'}")


def _places(folder: Path, name: str) -> list[Path]:
    return [path for path in (folder / "data" / f"{name}.npz", folder / f"{name}.npz") if path.exists()]


def _weights_beside(file: Path) -> list[Path]:
    """Files that may be its weights, the likeliest first: by kind, then those of its own name."""
    found = [path for path in file.parent.iterdir() if path.suffix in WEIGHTS]
    return sorted(found, key=lambda path: (WEIGHTS.index(path.suffix), path.stem != file.stem, path.name))


def _told(found: dict[str, list[Path]], samples: Samples) -> Iterator[str]:
    for what, (taken, *rest) in ((what, there) for what, there in found.items() if there):
        yield f"{what}: {taken}" + (f", and not {', '.join(map(str, rest))}" if rest else "")
    if samples.named:
        yield "y holds the labels themselves: store each one's place in [task] labels, counted from 0, instead"
    if samples.task is not Task.CLASSIFICATION:
        yield f"the task is taken for {_TAKEN_FOR[samples.task]}"


_TAKEN_FOR: Final = {
    Task.REGRESSION: "a regression, as y is stored as floats",
    Task.MULTILABEL: "multilabel, as y holds a 0 or a 1 for each of several labels",
}


def _look_into(test: Path) -> Samples:
    """Name, shape and dtype of the samples as they are stored, and the labels, where the file tells."""
    from deployspec.sources.readers import read_ahead

    held = [name for name in _arrays(test) if name != "y"]
    stored = held[0] if held and "x" not in held else "x"
    ahead = read_ahead(test.parent, test.name, (stored,))
    assert ahead is not None, "an .npz is no code"
    y, x = ahead.columns.get("y"), ahead.columns[stored]
    return Samples(
        name="input" if stored == "x" else stored,
        shape=x.shape[1:],
        dtype=str(x.dtype),
        task=Task.CLASSIFICATION if y is None else _task_of(y),
        labels=() if y is None else _labels(y),
        named=y is not None and y.dtype.kind in "US",
    )


def _arrays(test: Path) -> list[str]:
    """The archive's arrays by name; none where it is no archive, which its reader says better."""
    try:
        with zipfile.ZipFile(test) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return []


def _task_of(y: np.ndarray) -> Task:
    """What y looks like; a single 1 in each row is a class, written out."""
    if y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind in "iubf" and ((y == 0) | (y == 1)).all():
        return Task.CLASSIFICATION if (y.sum(axis=1) == 1).all() else Task.MULTILABEL
    return Task.REGRESSION if y.dtype.kind == "f" else Task.CLASSIFICATION


def _labels(y: np.ndarray) -> tuple[str, ...]:
    """Labels in sorted order where y holds them, else the numbers up to the largest; none where y is not classes."""
    if _task_of(y) is Task.MULTILABEL:
        found: Sequence[object] = range(y.shape[1])
    elif y.ndim > 1:
        found = ()
    elif y.dtype.kind in "US":
        found = sorted(set(y.astype("U").tolist()))
    else:
        found = range(int(y.max(initial=-1)) + 1 if y.dtype.kind in "iu" else 0)
    return tuple(map(str, found)) if len(found) <= MOST_LABELS else ()


def render(found: Surroundings, source: str, out: Path) -> str:
    """The spec's text; paths are relative to where it will lie."""
    model = [_model(found, source, out), _input(found), _output(found)]
    sections = [_head(out), *model, _task(found), _data(found, out), _promise(found)]
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
    apart = f'weights = "{_relative(found.weights, out)}"' if found.weights else '# weights = "model.safetensors"'
    weights = apart if colon else "# its weights lie in this file"
    return f"""\
[model]
name    = "{found.name}"
version = "0.1.0"
source  = "{_relative(Path(file), out)}{colon}{callable_name}"
{weights}
"""


def _input(found: Surroundings) -> str:
    samples = found.samples
    stored = samples.shape or (3, 224, 224)
    channels_last = len(stored) == 3 and stored[-1] in (1, 3)
    shape = (stored[-1], *stored[:-1]) if channels_last else stored
    note = "" if samples.shape else "  # EDIT: the model's own shape"
    dtype = "float32" if samples.dtype in ("uint8", "float64") else samples.dtype
    return f"""\
[[model.inputs]]
name  = {_quoted(samples.name)}
shape = ["batch", {", ".join(map(str, shape))}]{note}
dtype = "{dtype}"
{_preprocess(samples, channels_last=channels_last)}"""


def _output(found: Surroundings) -> str:
    kind = "values" if found.samples.task is Task.REGRESSION else "logits"
    return f"""\
[[model.outputs]]
name = "{kind}"
kind = "{kind}"  # logits | probabilities | values
"""


def _preprocess(samples: Samples, *, channels_last: bool) -> str:
    """How stored samples become the model's: needed for bytes, and for channels that come last."""
    steps = {"scale": "0.00392156862745098"} if samples.dtype == "uint8" else {}
    steps |= {"layout": '"nhwc"'} if channels_last and samples.shape else {}
    if not steps:
        return ""
    listed = ", ".join(f"{key} = {value}" for key, value in steps.items())
    return f"# EDIT: stored samples become (x * scale - mean) / std, channels first\npreprocess = {{ {listed} }}\n"


def _task(found: Surroundings) -> str:
    samples = found.samples
    if samples.task is Task.REGRESSION:
        return '[task]\nkind = "regression"\n'
    unknown = "" if samples.labels else f"  # EDIT: {' | '.join(Task)}"
    labels = ", ".join(map(_quoted, samples.labels or ("0", "1")))
    note = "  # EDIT: the classes' names, in the order of the outputs"
    if samples.named:
        note = "  # EDIT: in the order of the outputs; y must hold their places, counted from 0"
    return f"""\
[task]
kind   = "{samples.task}"{unknown}
labels = [{labels}]{note}
"""


def _quoted(text: str) -> str:
    """A TOML string; JSON's escapes are TOML's too."""
    return json.dumps(text)


def _data(found: Surroundings, out: Path) -> str:
    lines = [
        f'{name:<11} = "{_relative(found.splits[name], out)}"'
        if name in found.splits
        else f'# {name:<9} = "{name}.npz"'
        for name in SPLITS
    ]
    return "\n".join(["[data]", *lines, ""])


_EVERY_RECALL: Final = 'recall        = { "*" = ">= 80 %" }  # every class by itself'
_PROMISED: Final = {
    Task.CLASSIFICATION: ('accuracy_drop = "< 2 pp"             # against the model above, in float32', _EVERY_RECALL),
    Task.MULTILABEL: ('recall_drop   = "< 2 pp"             # against the model above, in float32', _EVERY_RECALL),
    Task.REGRESSION: ('mae_rise      = "< 5 %"     # against the model above, in float32', 'agreement     = ">= 95 %"'),
}
"""Budgets of decisions, by the task."""


def _promise(found: Surroundings) -> str:
    judged = "" if "test" in found.splits else "# "
    promised = "\n".join(f"{judged}{line}" for line in _PROMISED[found.samples.task])
    quantize = "" if "calibration" in found.splits else "# "
    return f"""\
# What holds on every target. A budget passes when the evidence proves it at this confidence.
[evidence]
confidence = 0.95

[budgets]
size          = "< 20 MB"
latency_p95   = "< 100 ms"
{promised}

[targets.server]
format = "torchscript"

[targets.phone]
format = "tflite"
# device = "pixel-8"   # without one, latency and memory are those of the machine that checks
{quantize}passes = [{{ pass = "quantize", scheme = "int8" }}]  # needs the calibration split
"""
