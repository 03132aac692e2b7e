"""The steps that only budgets on conduct ask for: inputs from the edge of the declaration, and splits with noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deployspec.ir.plan import DATASET, OUTPUTS, Action, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.plan import Toolchain
    from deployspec.ir.spec import Spec, Target

NOISY: Final = "~noise"
"""What the name of a split ends with where noise was added to it."""

CASES: Final = "cases"
STABLE: Final = "stable"
CHURN: Final = "churn"

_RANGE_SPLITS: Final = ("calibration", "test")
"""Splits that the inputs' ranges, where they declare none, and an ordinary sample come from."""


def range_splits(spec: Spec) -> list[str]:
    """The splits that the cases are made with."""
    splits = spec.data.splits()
    undeclared = any(each.range is None for each in spec.model.inputs)
    wanted = _RANGE_SPLITS if undeclared and "calibration" not in splits else _RANGE_SPLITS[:1]
    return [split for split in wanted if split in splits]


def noisy_splits(spec: Spec, target: Target) -> list[str]:
    """The splits to which noise is added for a target; of integers alone there is nothing to add noise to."""
    asked = dict.fromkeys(budget.split for budget in target.budgets if budget.metric == CHURN)
    return list(asked) if any("float" in each.dtype for each in spec.model.inputs) else []


def cases(splits: Sequence[tuple[str, str]], toolchain: Toolchain) -> Step:
    """The step that makes the few inputs on which an artifact must be stable."""
    return Step(
        id=f"data.{CASES}",
        action=Action.DERIVE,
        takes=tuple(splits),
        gives=DATASET,
        function="deployspec.measure.cases:prepare_cases",
        toolchain=toolchain,
    )


def noise(split: str, data: str, spec: Spec, toolchain: Toolchain) -> Step:
    """The step that adds noise to a split."""
    return Step(
        id=f"data.{split}{NOISY}",
        action=Action.DERIVE,
        takes=(("data", data),),
        gives=DATASET,
        function="deployspec.measure.churn:add_noise",
        toolchain=toolchain,
        options={"noise": str(spec.churn_noise)},
    )


def reference_watch(cases: str, toolchain: Toolchain, options: dict[str, Any]) -> Step:
    """The step that asks the source itself how it answers the cases."""
    return Step(
        id=f"reference@{CASES}",
        action=Action.EVALUATE,
        takes=(("model", "model"), ("data", cases)),
        gives=OUTPUTS,
        function="deployspec.measure.stability:watch_reference",
        toolchain=toolchain,
        options=options,
        cost_s=2.0,
    )


def watch(
    target: Target, artifact: str, cases: str, reference: str, toolchain: Toolchain, options: dict[str, Any]
) -> Step:
    """The step that asks an artifact for the cases again and again, in one mode of its runner."""
    mode = options.get("mode")
    return Step(
        id=f"{artifact}@{CASES}{f'.{mode}' if mode else ''}",
        action=Action.EVALUATE,
        takes=(("artifact", artifact), ("data", cases), ("reference", reference)),
        gives=OUTPUTS,
        function="deployspec.measure.stability:watch_artifact",
        toolchain=toolchain,
        options=options,
        targets=(target.name,),
        cost_s=2.0,
        time_limit_s=target.time_limit_s,
    )
