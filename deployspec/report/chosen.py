"""What a spec chose that its figures rest on, and that no policy or budget shows: told where it is not the usual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deployspec.ir.model import LABELLED, Task
from deployspec.ir.spec import DEFAULT_SUSTAINED_S, DEFAULT_TOLERANCE, TaskTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deployspec.ir.spec import Spec

_COMPARED: Final = frozenset({"agreement", "churn"})
_DRAWN: Final = frozenset({"stable", "churn"})
_SUSTAINED: Final = "sustained_slowdown"


def chosen(spec: Spec) -> Iterator[str]:
    """A line for each: tolerance, threshold, the length of sustained runs, declared ranges that inputs stay within."""
    asked = {budget.metric for target in spec.targets for budget in target.budgets}
    yield from _of_task(spec, compared=bool(asked & _COMPARED))
    for target in spec.targets:
        run = any(budget.metric == _SUSTAINED for budget in target.budgets)
        if run and target.sustained_s != DEFAULT_SUSTAINED_S:
            yield f"{target.name}: a sustained run lasts {target.sustained_s:,} s, usual are {DEFAULT_SUSTAINED_S}"
    for each in spec.model.inputs:
        if each.range is not None and (asking := " and ".join(sorted(asked & _DRAWN))):
            low, high = each.range
            yield f"input '{each.name}': no sample of {asking} leaves the declared range, {low:g} to {high:g}"


def _of_task(spec: Spec, *, compared: bool) -> Iterator[str]:
    kind = spec.task.task if spec.task else None
    if compared and kind not in LABELLED and spec.tolerance != DEFAULT_TOLERANCE:
        told = f"values agree that differ by at most {100 * spec.tolerance:g} % of the reference's spread"
        yield f"task: {told}, usual is {100 * DEFAULT_TOLERANCE:g} %"
    usual = TaskTable.threshold
    if spec.task is not None and kind in (Task.BINARY, Task.MULTILABEL) and spec.task.threshold != usual:
        yield f"task: a class is decided for at a probability of {spec.task.threshold:g}, usual is {usual:g}"
