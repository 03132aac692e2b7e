"""The steps that score splits by metrics of the spec's own, of which only those are run that a budget names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deployspec.ir.plan import SCORES, TIME_LIMIT_S, Action, Step, Toolchain

if TYPE_CHECKING:
    from deployspec.ir.spec import Spec, Target

METRICS: Final = Toolchain(name="metrics", distributions=("numpy",))
"""A worker of its own: a metric may import, or break, what it likes."""


def metrics_of(target: Target, split: str) -> tuple[str, ...]:
    """The spec's own metrics that budgets of a target name on a split."""
    named = (budget.own_metric for budget in target.budgets if budget.split == split)
    return tuple(dict.fromkeys(name for name in named if name))


def score(spec: Spec, metric: str, outputs: str, data: str, target: Target | None = None) -> Step:
    """The step that scores what the step `outputs` left of the split that `data` prepared."""
    source = spec.metrics[metric].source
    return Step(
        id=f"{outputs}.{metric}",
        action=Action.SCORE,
        takes=(("outputs", outputs), ("data", data), ("metric", f"hook:{source}")),
        gives=SCORES,
        function="deployspec.measure.own_metric:score",
        toolchain=METRICS,
        options={"source": source, "output": spec.scored_index},
        targets=(target.name,) if target else (),
        time_limit_s=target.time_limit_s if target else TIME_LIMIT_S,
    )
