"""What a sound spec is told of before any work: data that is not there, and promises that cannot be kept yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployspec.diagnostics import At, Diagnostic, KeyPath, Severity
from deployspec.ir.model import SourceKind
from deployspec.ir.rules import EvidenceClass
from deployspec.parse import meaning, paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deployspec.ir.budget import Budget
    from deployspec.ir.spec import Spec, Target


def missing_data(spec: Spec) -> tuple[Diagnostic, ...]:
    """Splits whose files are not there, as errors: nothing can be planned or checked without them."""
    return tuple(_missing(spec, Severity.ERROR))


def notes(spec: Spec) -> tuple[Diagnostic, ...]:
    """What `validate` says and does not fail for: data may live elsewhere, and devices may be reached from there."""
    return (*_missing(spec, Severity.NOTE), *_no_weights(spec), *_no_batch(spec), *_not_measured(spec))


def _note(spec: Spec, code: str, message: str, path: KeyPath, help: str, at: At = At.VALUE) -> Diagnostic:
    return Diagnostic(code=code, message=message, file=spec.path, path=path, at=at, help=help, severity=Severity.NOTE)


def _missing(spec: Spec, severity: Severity) -> list[Diagnostic]:
    return [
        Diagnostic(
            code="missing-data",
            message=f"the {split} split '{text}' is not there",
            file=spec.path,
            path=path,
            at=At.VALUE,
            help="check and plan need it",
            severity=severity,
        )
        for split, path, text in meaning.split_files(spec.data)
        if not (spec.folder / paths.file_part(text)).exists()
    ]


def _no_weights(spec: Spec) -> Iterator[Diagnostic]:
    if spec.model.kind is SourceKind.TORCH_CALLABLE and spec.model.weights is None:
        message = "no weights are named, so the callable must hold its own"
        help = "name `weights` so that the report can pin them"
        yield _note(spec, "no-weights", message, ("model", "source"), help)


def _no_batch(spec: Spec) -> Iterator[Diagnostic]:
    """A shape of one number above 1 declares samples without dimensions, in batches of that many only."""
    for i, each in enumerate(spec.model.inputs):
        if len(each.shape) == 1 and isinstance(each.shape[0], int) and each.shape[0] > 1:
            message = f"each sample of input '{each.name}' is a single number: the first entry is the batch"
            help = f'for {each.shape[0]} numbers a sample, write shape = ["batch", {each.shape[0]}]'
            yield _note(spec, "no-batch", message, ("model", "inputs", i, "shape"), help)


def _not_measured(spec: Spec) -> Iterator[Diagnostic]:
    """Budgets that will be judged `not_measured`, as no device is reached."""
    for target, others, names in _alike(spec, _asks_for_device):
        message = f"target '{target.name}'{others}: {names} must come from a device, and this version reaches none"
        path: KeyPath = ("targets", target.name, "device") if target.device else ("targets", target.name)
        help = 'hand in what it measured (--evidence), or ask for "host" in [evidence]'
        yield _note(spec, "not-measured", message, path, help, At.KEY)


def _asks_for_device(target: Target, budget: Budget) -> bool:
    return target.rules.least.get(budget.row.kind) is EvidenceClass.DEVICE


def _alike(spec: Spec, lacks: Callable[[Target, Budget], bool]) -> Iterator[tuple[Target, str, str]]:
    """The first of all targets that lack the same budgets, how many others there are, and the budgets' names."""
    groups: dict[tuple[str, ...], list[Target]] = {}
    for target in spec.targets:
        names = dict.fromkeys(budget.metric for budget in target.budgets if lacks(target, budget))
        groups.setdefault(tuple(names), []).append(target)
    for metrics, (first, *more) in groups.items():
        if metrics:
            yield first, f" and {len(more):,} more" if more else "", ", ".join(metrics)
