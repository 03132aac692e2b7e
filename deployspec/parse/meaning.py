"""Faults that need meaning, not only shape: each rule looks at sound tables and says what cannot be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

from deployspec.diagnostics import KeyPath, nearest
from deployspec.ir.budget import BUDGETS, CHANGES
from deployspec.ir.data import UNJUDGED_SPLITS
from deployspec.ir.model import ANY_TASK, LABELLED, SourceKind, Task
from deployspec.parse import budgets, paths
from deployspec.sources.names import functions, top_level_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from deployspec.ir.data import Data
    from deployspec.ir.model import Input, Model
    from deployspec.ir.spec import Metric, TaskTable
    from deployspec.parse.document import Document
    from deployspec.parse.faults import Faults

MOST_NAME_BYTES: Final = 128
"""Of a model's name, by which its files are called."""

METRIC_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_CALLABLE: Final = re.compile(r"[A-Za-z_]\w*")


def check_model(model: Model, faults: Faults) -> None:
    """The name, by which artifacts are called, and the signature: unique names, possible ranges and preprocessing."""
    if not _names_a_file(model.name):
        message = f"artifacts are called as their model, and '{model.name}' cannot name a file on every system"
        faults.at_value("illegal-name", message, ("model", "name"), help='e.g. "digits"')
    _unique([each.name for each in model.inputs], ("model", "inputs"), "input", faults)
    _unique([each.name for each in model.outputs], ("model", "outputs"), "output", faults)
    for i, each in enumerate(model.inputs):
        _check_input(each, ("model", "inputs", i), faults)
    if ":" in model.source or model.source.endswith(".py"):
        check_callable(model.source, ("model", "source"), faults)
    elif model.weights is not None and not faults.touch("model", "source"):
        help = "leave it out, or name a callable as the source"
        faults.add("illegal-value", "a self-contained file has its weights inside", ("model", "weights"), help=help)


def _names_a_file(name: str) -> bool:
    """Whether it can on every system: printable, of one part, not hidden, without a blank at either end."""
    fits = 0 < len(name.encode()) <= MOST_NAME_BYTES and name == name.strip() and name.isprintable()
    return fits and not name.startswith(".") and not set(name) & set('/\\:*?"<>|')


def _unique(names: Sequence[str], path: KeyPath, what: str, faults: Faults) -> None:
    seen: set[str] = set()
    for i, name in enumerate(names):
        if name in seen:
            here = (*path, i, "name")
            faults.at_value("repeated-name", f"two {what}s are called '{name}'", here, "give each its own name")
        seen.add(name)


def _check_input(table: Input, path: KeyPath, faults: Faults) -> None:
    if table.range is not None and table.range[0] >= table.range[1]:
        faults.at_value("empty-range", "a range goes from its smaller to its larger end", (*path, "range"))
    steps = table.preprocess
    if steps is None:
        return
    here = (*path, "preprocess")
    if steps.scale == 0:
        faults.at_value("bad-preprocess", "a scale of 0 erases the input", (*here, "scale"))
    if 0 in steps.std:
        faults.at_value("bad-preprocess", "a std of 0 cannot be divided by", (*here, "std"))
    if len(steps.mean) > 1 and len(steps.std) > 1 and len(steps.mean) != len(steps.std):
        faults.at_value("bad-preprocess", "mean and std speak of different numbers of channels", (*here, "std"))


def check_task(task: TaskTable, model: Model | None, faults: Faults) -> None:
    """The task: the output that it scores, its labels, and what a binary decision needs."""
    outputs = [each.name for each in model.outputs] if model else []
    if task.output is None and len(outputs) > 1:
        faults.add("missing-key", "'output' is missing", ("task",), help=f"name the scored one of {', '.join(outputs)}")
    elif task.output not in (None, *outputs) and outputs and not faults.touch("model", "outputs"):
        help = nearest(task.output or "", outputs) or f"there are {', '.join(outputs)}"
        faults.at_value("unknown-output", f"the model has no output '{task.output}'", ("task", "output"), help)
    _check_labels(task.labels, faults)
    if not 0 <= task.threshold <= 1:
        faults.at_value("illegal-value", "a threshold on a probability lies in [0, 1]", ("task", "threshold"))
    _check_binary(task, faults)


def _check_labels(labels: tuple[str, ...], faults: Faults) -> None:
    seen: dict[str, str] = {}
    for i, label in enumerate(labels):
        here = ("task", "labels", i)
        shown = normalize("NFC", label)
        if shown in seen:
            alike = "are called" if seen[shown] == label else "look the same, though their characters differ:"
            faults.at_value("repeated-name", f"two labels {alike} '{label}'", here, "give each its own name")
        if label == budgets.EVERY_OTHER:
            faults.at_value("illegal-name", "'*' stands for each class not named", here, "rename the label")
        seen[shown] = label


def _check_binary(task: TaskTable, faults: Faults) -> None:
    binary = task.task is Task.BINARY
    if binary and faults.touch("task", "labels"):
        return
    if binary and len(task.labels) != 2:
        at = ("task", "labels") if task.labels else ("task",)
        faults.add("bad-labels", "a binary task has two labels", at, help='e.g. labels = ["ham", "spam"]')
    elif binary and task.positive is None:
        faults.add("missing-key", "'positive' is missing", ("task",), help=f"name one of {', '.join(task.labels)}")
    elif binary and task.positive not in task.labels:
        help = f"name one of {', '.join(task.labels)}"
        faults.at_value("unknown-class", f"'{task.positive}' is not a label", ("task", "positive"), help)
    elif not binary and task.positive is not None:
        faults.add(
            "illegal-value", f"a {task.task} task has no positive class", ("task", "positive"), help="leave it out"
        )


def check_metrics(metrics: dict[str, Metric], faults: Faults) -> None:
    """Metrics of a spec's own: names that budgets can carry, and callables."""
    derived = {f"{name}_{change}" for name in metrics for change in CHANGES}
    for name, metric in metrics.items():
        here: KeyPath = ("metrics", name)
        if name in BUDGETS or name == budgets.FIELD:
            faults.add("illegal-name", f"'{name}' is a built-in name", here, help="choose another")
        elif name in derived:
            faults.add("illegal-name", f"'{name}' is a budget on another metric", here, help="choose another")
        elif METRIC_NAME.fullmatch(name) is None:
            faults.add("illegal-name", "a metric's name is lower-case letters, digits and '_'", here)
        check_callable(metric.source, (*here, "source"), faults)


def check_callable(text: str, path: KeyPath, faults: Faults) -> None:
    """Whether `text` has the form `file.py:name`."""
    file, colon, name = text.rpartition(":")
    if not colon or not file.endswith(".py") or _CALLABLE.fullmatch(name) is None:
        faults.at_value("bad-callable", f"'{text}' names no callable", path, "write file.py:name")
        faults.stand_in(path)


READABLE: Final = ".npz, a pair of .npy files, module.py:callable"
"""What a split may be."""


def check_files(document: Document, folder: Path, root: Path, faults: Faults) -> None:
    """Every file that the spec names is inside the project; those of the model exist; code has what is called in it."""
    model = document.model
    if model is not None:
        file = _must_exist(paths.file_part(model.source), folder, root, ("model", "source"), faults)
        _must_define(model.source, file, ("model", "source"), faults)
        _must_be_a_model(model, file, faults)
        if model.weights is not None:
            _must_exist(model.weights, folder, root, ("model", "weights"), faults)
    for name, metric in document.metrics.items():
        file = _must_exist(paths.file_part(metric.source), folder, root, ("metrics", name, "source"), faults)
        _must_define(metric.source, file, ("metrics", name, "source"), faults)
    _check_splits(document.data, folder, root, faults)


def check_code(text: str, folder: Path, root: Path, path: KeyPath, faults: Faults) -> None:
    """Whether `text` is `file.py:name`, its file is there and inside the project, and has the name at its top level."""
    check_callable(text, path, faults)
    _must_define(text, _must_exist(paths.file_part(text), folder, root, path, faults), path, faults)


def _must_exist(text: str, folder: Path, root: Path, path: KeyPath, faults: Faults) -> Path | None:
    found = paths.check_path(text, folder, root, path, faults)
    if found is not None and not found.exists():
        faults.at_value("missing-file", f"'{text}' does not exist", path, "paths are relative to the spec")
    return found


def _must_be_a_model(model: Model, file: Path | None, faults: Faults) -> None:
    """A source's kind is told from its spelling; what is spelled like none is taken for a SavedModel folder."""
    folder = model.kind is SourceKind.SAVED_MODEL
    if file is None or not file.exists() or file.suffix == ".py":  # of code, what it lacks is told elsewhere
        return
    if file.is_dir() is not folder:
        message = f"'{model.source}' is of no kind that is opened"
        help = "a source is file.py:callable, a .pt2, .pt or .keras file, or a SavedModel folder"
        faults.at_value("unknown-source", message, ("model", "source"), help)


def _must_define(text: str, file: Path | None, path: KeyPath, faults: Faults) -> None:
    """The callable that `text` names is one of `file`'s top level, as far as reading the file tells."""
    name = text.removeprefix(paths.file_part(text)).removeprefix(":")
    if not name or file is None or not file.is_file():
        return
    names = top_level_names(file)
    if names is not None and name not in names:
        help = nearest(name, names) or f"it defines {', '.join(functions(file)[:20]) or 'nothing'}"
        faults.at_value("unknown-callable", f"'{paths.file_part(text)}' has no '{name}' at its top level", path, help)


def _check_splits(data: Data, folder: Path, root: Path, faults: Faults) -> None:
    """Each split inside the project, and no file given as two splits."""
    seen: dict[tuple[Path, str], str] = {}  # one file of code may yield several splits: the callable tells them apart
    for split, path, text in split_files(data):
        file = paths.check_path(paths.file_part(text), folder, root, path, faults)
        if file is None:
            continue
        _must_define(text, file, path, faults)
        if not text.endswith((".npz", ".npy")) and text == paths.file_part(text):
            message = f"'{text}' is of no kind that this version reads"
            faults.at_value("not-in-this-version", message, path, f"available: {READABLE}")
        other = seen.setdefault((file, text.removeprefix(paths.file_part(text))), split)
        if other != split:
            help = "a split is kept for one purpose"
            faults.at_value("same-split", f"'{text}' is also the {other} split", path, help)


def split_files(data: Data) -> Iterable[tuple[str, KeyPath, str]]:
    """Each file of each split: the split's name, where it stands, its text."""
    for split, value in data.splits().items():
        pair = isinstance(value, tuple)
        for i, text in enumerate(value if isinstance(value, tuple) else (value,)):
            yield split, ("data", split, i) if pair else ("data", split), text


def check_limit(limit: budgets.Limit, task: TaskTable | None, data: Data, at: KeyPath, faults: Faults) -> bool:
    """Whether the task has such a figure, its class exists and a split feeds it; else a fault at `at`."""
    before = len(faults.found)
    kind, name = limit.kind, "field." * limit.on_field + limit.kind.name
    if task is None and kind.tasks != ANY_TASK and not faults.touch("task"):
        faults.add("no-task", f"'{name}' needs to know what the outputs mean", at, help="add a [task] table")
    elif task is not None and task.task not in kind.tasks:
        help = f"it is for {', '.join(sorted(kind.tasks))}"
        faults.add("wrong-task", f"a {task.task} task has no '{name}'", at, help=help)
    elif task is not None and (kind.needs_labels and task.task in LABELLED) and not faults.touch("task", "labels"):
        _check_class(limit, task, at, faults)
    missing = _unfed(limit, data)
    if missing:
        faults.add(
            "no-split", f"'{name}' is judged on data that the spec does not name", at, help=f"add {missing} to [data]"
        )
    return len(faults.found) == before


def _check_class(limit: budgets.Limit, task: TaskTable, at: KeyPath, faults: Faults) -> None:
    if not task.labels:
        message = f"'{limit.kind.name}' counts decisions for classes, and the task names none"
        faults.add("unknown-class", message, at, help="add labels = […] to [task]")
    elif limit.label not in (None, budgets.EVERY_OTHER) and limit.label not in task.label_set:
        help = nearest(limit.label or "", task.labels) or f"labels: {', '.join(task.labels[:20])}"
        faults.add("unknown-class", f"no label is called '{limit.label}'", at, help=help)


def _unfed(limit: budgets.Limit, data: Data) -> str:
    """The split that the budget lacks, or the empty string."""
    given = data.splits()
    split = "field" if limit.on_field else "test"
    if limit.kind.needs_split and split not in given:
        return f"{split} = …"
    if limit.kind.name == "drift_psi":
        return " and ".join(f"{each} = …" for each in ("test", "field") if each not in given)
    if limit.kind.name in ("leakage", "near_duplicates") and given.keys().isdisjoint(UNJUDGED_SPLITS):
        return "train, calibration or tuning"
    return ""


def check_waivers(document: Document, known: dict[str, frozenset[str]], faults: Faults) -> None:
    """Each waiver names a target and one of its budgets, once."""
    seen: set[tuple[str, str]] = set()
    for i, each in enumerate(document.waivers):
        here: KeyPath = ("waivers", i)
        if each.target not in document.targets:
            help = nearest(each.target, document.targets) or f"there are {', '.join(list(document.targets)[:20])}"
            faults.at_value("unknown-target", f"no target is called '{each.target}'", (*here, "target"), help)
        elif each.target in known and each.budget not in known[each.target]:
            help = nearest(each.budget, known[each.target]) or "a waiver names one budget, e.g. recall.3"
            message = f"target '{each.target}' has no budget '{each.budget}'"
            faults.at_value("unknown-budget", message, (*here, "budget"), help)
        elif (each.target, each.budget) in seen:
            faults.add(
                "repeated-name", f"'{each.budget}' of '{each.target}' is waived twice", here, help="leave one out"
            )
        seen.add((each.target, each.budget))
