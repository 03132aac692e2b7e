"""The plan as JSON: a stable form for machines, the same on every machine.

Form: `{"deployspecPlan": 1, "model", "steps": [{"id", "action", "takes": {role: id}, "gives", "options",
"toolchain", "targets"}], "targets": [{"name", "format", "steps", "artifact", "structure", "evaluations", "baseline",
"scores", "watches", "noisy", "notes"}], "references": {split: step}, "noisyReferences": {split: step}, "hygiene":
{split: step}, "nearDuplicates": {split: step}, "drift": step, "decidable": {target: […]}}`. Keys are only ever added
within one number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deployspec.ir.plan import Plan, Route, Step
    from deployspec.ir.spec import Spec

FORM: Final = 1


def as_json(spec: Spec, plan: Plan, decidable: Mapping[str, Any]) -> dict[str, Any]:
    """The document; `decidable` holds, per target, what its splits can decide (already JSON-able)."""
    return {
        "deployspecPlan": FORM,
        "model": {"name": spec.model.name, "version": spec.model.version, "source": spec.model.kind.value},
        "steps": [_step(step) for step in plan.steps],
        "targets": [_route(route) for route in plan.routes],
        "references": dict(plan.references),
        "noisyReferences": dict(plan.noisy_references),
        "hygiene": dict(plan.hygiene),
        "nearDuplicates": dict(plan.near_duplicates),
        "drift": plan.drift,
        "decidable": dict(decidable),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "action": step.action.value,
        "takes": dict(step.takes),
        "gives": step.gives,
        "options": step.options,
        "toolchain": step.toolchain.name,
        "targets": list(step.targets),
    }


def _route(route: Route) -> dict[str, Any]:
    return {
        "name": route.target,
        "format": route.format,
        "steps": list(route.steps),
        "artifact": route.artifact,
        "structure": route.structure,
        "evaluations": dict(route.evaluations),
        "baseline": route.baseline,
        "scores": [{"metric": each.metric, "of": each.evaluation, "step": each.artifact} for each in route.scores],
        "watches": list(route.watches),
        "noisy": dict(route.noisy),
        "notes": list(route.notes),
    }
