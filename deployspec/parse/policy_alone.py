"""A policy without a spec that extends it. Loaded only to validate one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployspec.diagnostics import Diagnostic, Severity, nearest
from deployspec.digests import sha256_bytes
from deployspec.ir.budget import BUDGETS, CHANGES, BudgetKind, own_kind
from deployspec.ir.spec import PolicyUse
from deployspec.parse import budgets, policy, shape
from deployspec.parse.faults import Faults
from deployspec.parse.meaning import METRIC_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deployspec.diagnostics import KeyPath
    from deployspec.parse.toml import File


def policy_in(file: File) -> tuple[policy.Policy, tuple[Diagnostic, ...]]:
    """The policy in a file that was read, and notes. Raises SpecFaults with every fault that it has in every spec.

    A budget that is not built in may be on a metric of the specs that extend it, which are not known here: it is
    noted where a metric could have such a name and such a limit, and an unknown budget elsewhere.
    """
    faults = Faults(file.path)
    document = shape.read(policy.PolicyFile, file.tree, (), faults)
    found, notes = None, []
    if document is not None:
        kinds = dict(BUDGETS)
        for path, raw in _strangers(document.budgets):
            row = _row(path[-1], raw, path, faults)
            if row is not None:
                kinds.setdefault(row.name, row)
                notes.append(_note(row.name, path, file.path))
        use = PolicyUse(file.path.name, sha256_bytes(file.data))
        found = policy.policy_of(document, use, (), kinds, faults)
    faults.raise_if_any()
    if found is None:
        raise AssertionError("a policy without faults is whole")
    return found, tuple(notes)


def _strangers(table: dict[str, Any], path: tuple[str, ...] = ("budgets",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Where each budget stands that is not built in, and its limit."""
    for name, raw in table.items():
        if name == budgets.FIELD and len(path) == 1 and isinstance(raw, dict):
            yield from _strangers(raw, (*path, name))
        elif name not in BUDGETS:
            yield (*path, name), raw


def _row(name: str, raw: Any, path: KeyPath, faults: Faults) -> BudgetKind | None:
    """The row of a budget on a metric that could have this limit, or None with a fault."""
    row = next((each for each in _rows(name) if _reads(each, raw)), None)
    if row is None:
        help = nearest(name, BUDGETS) or 'on a metric of a spec\'s, write a bare number, e.g. "<= 0.2"'
        faults.add("unknown-budget", f"unknown budget '{name}'", path, help=help)
        faults.stand_in(path)
    return row


def _rows(name: str) -> Iterator[BudgetKind]:
    """What a budget of that name could be: on a metric, smaller or larger being better, or on the change of one."""
    if METRIC_NAME.fullmatch(name) and name != budgets.FIELD:
        yield own_kind(name, name, ceiling=True)
        yield own_kind(name, name, ceiling=False)
    metric, _, change = name.rpartition("_")
    if change in CHANGES and METRIC_NAME.fullmatch(metric) and metric not in {*BUDGETS, budgets.FIELD}:
        yield own_kind(name, metric, ceiling=True)


def _reads(kind: BudgetKind, raw: Any) -> bool:
    """Whether a budget of this kind could have such a limit."""
    faults = Faults(Path())
    budgets.read_limits({kind.name: raw}, (), {kind.name: kind}, faults)
    return not faults.found


def _note(name: str, path: KeyPath, file: Path) -> Diagnostic:
    message = f"'{name}' is not built in: each spec that extends this must have such a metric"
    help = nearest(name, BUDGETS) or "a metric is declared in the spec: [metrics.NAME]"
    return Diagnostic(code="not-built-in", message=message, file=file, path=path, help=help, severity=Severity.NOTE)
