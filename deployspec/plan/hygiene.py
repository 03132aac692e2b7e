"""The steps that look at the data itself: what splits have in common, what is nearly the same, and how they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deployspec.ir.data import UNJUDGED_SPLITS
from deployspec.ir.plan import HYGIENE, Action, Step, Toolchain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.spec import Spec

NEAR_DUPLICATES: Final = "near_duplicates"
LOOK: Final = Toolchain(name="data", distributions=("numpy",), shares="lane")
"""In a worker of a lane, which has imported by then what these steps import."""

SEARCH: Final = Toolchain(
    name="hygiene", distributions=("numpy", "faiss-cpu"), extra="hygiene", preload=("numpy", "faiss")
)
_PACKAGE: Final = "deployspec.measure.hygiene"


def searched_splits(spec: Spec) -> list[str]:
    """The judged splits whose near-duplicates a budget limits."""
    asked = (budget.split for target in spec.targets for budget in target.budgets if budget.metric == NEAR_DUPLICATES)
    return list(dict.fromkeys(asked))


def unjudged_splits(spec: Spec) -> list[str]:
    """Those of the spec's splits that no judged one may share a sample with."""
    return [split for split in UNJUDGED_SPLITS if split in spec.data.splits()]


def leaks(split: str, data: str, others: Sequence[tuple[str, str]]) -> Step:
    """The step that looks for a judged split's samples in the others."""
    return Step(
        id=f"hygiene.{split}",
        action=Action.EXAMINE,
        takes=(("data", data), *others),
        gives=HYGIENE,
        function=f"{_PACKAGE}.leakage:find_leaks",
        toolchain=LOOK,
        options={"split": split},
    )


def near_duplicates(split: str, data: str, others: Sequence[tuple[str, str]]) -> Step:
    """The step that looks for samples much like those of a judged split in the splits that are not judged."""
    return Step(
        id=f"{NEAR_DUPLICATES}.{split}",
        action=Action.EXAMINE,
        takes=(("data", data), *others),
        gives=HYGIENE,
        function=f"{_PACKAGE}.near_duplicates:find_near_duplicates",
        toolchain=SEARCH,
        options={"split": split},
        cost_s=3.0,
    )


def drift(test: str, field: str) -> Step:
    """The step that compares the inputs of the test and the field split, feature by feature."""
    return Step(
        id="drift.field",
        action=Action.EXAMINE,
        takes=(("test", test), ("field", field)),
        gives=HYGIENE,
        function=f"{_PACKAGE}.drift:compare_inputs",
        toolchain=LOOK,
    )
