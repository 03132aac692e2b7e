"""What budgets on conduct ask for: whether an artifact is stable, and how noise changes its decisions."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deployspec.ir.artifact import Done, Failed
from deployspec.ir.evidence import Measurement, NotMeasured
from deployspec.measure.churn import measure_churn
from deployspec.measure.hygiene.figures import ways_of_counting
from deployspec.measure.quality import Evaluated
from deployspec.measure.stability import measure_stability

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deployspec.ir.artifact import StepResult
    from deployspec.ir.evidence import EvidenceClass
    from deployspec.ir.plan import Plan, Route
    from deployspec.ir.spec import Spec, Target

_NO_RUNTIME: Final = "no runtime on this machine executes the format"
_NO_NOISE: Final = "no input is floating point, and an integer has no small change"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A target that was made, with the results of every step."""

    spec: Spec
    plan: Plan
    results: Mapping[str, StepResult]
    target: Target
    route: Route
    evidence: EvidenceClass

    @property
    def modes(self) -> tuple[str, ...]:
        """The arithmetics of its runner; one without a name where it has no others."""
        return (self.route.runner.modes if self.route.runner else ()) or ("",)


def measure_conduct(tried: Tried) -> Iterator[Measurement]:
    """The measurements "stable" and "churn" of one target, as far as its budgets ask for them."""
    asked = dict.fromkeys((each.metric, each.split) for each in tried.target.budgets)
    for metric, split in asked:
        if metric == "stable":
            yield from _stable(tried)
        elif metric == "churn":
            yield from _churn(tried, split)


def _stable(tried: Tried) -> Iterator[Measurement]:
    if tried.route.runner is None:
        yield _absent(tried, "stable", "", _NO_RUNTIME)
        return
    for mode, step in zip(tried.modes, tried.route.watches, strict=True):
        watched = tried.results[step]
        if isinstance(watched, Done):
            yield measure_stability(tried.target.name, watched, tried.evidence)
        else:
            yield _absent(tried, "stable", "", watched.reason, mode)


def _churn(tried: Tried, split: str) -> Iterator[Measurement]:
    """From the runs of each mode, with noise and without it."""
    calm, noisy = (_steps_on(split, each) for each in (tried.route.evaluations, tried.route.noisy))
    if tried.route.runner is None or not noisy:
        yield _absent(tried, "churn", split, _NO_NOISE if tried.route.runner else _NO_RUNTIME)
        return
    (reference,), (disturbed,) = (
        _steps_on(split, each) for each in (tried.plan.references, tried.plan.noisy_references)
    )
    for mode, *artifacts in zip(tried.modes, calm, noisy, strict=True):
        runs = [tried.results[step] for step in (f"data.{split}", reference, disturbed, *artifacts)]
        done = [each for each in runs if isinstance(each, Done)]
        if len(done) < len(runs):
            failed = next(each for each in runs if isinstance(each, Failed))
            yield _absent(tried, "churn", split, failed.reason, mode)
            continue
        data, before, before_noisy, after, after_noisy = done
        for counting in ways_of_counting(tried.plan, tried.results, split):
            quiet = Evaluated(split=split, data=data, reference=before, artifact=after, counting=counting)
            loud = dataclasses.replace(quiet, reference=before_noisy, artifact=after_noisy)
            yield measure_churn(tried.spec, tried.target.name, quiet, loud, tried.evidence)


def _steps_on(split: str, pairs: tuple[tuple[str, str], ...]) -> list[str]:
    return [step for each, step in pairs if each == split]


def _absent(tried: Tried, name: str, split: str, reason: str, mode: str = "") -> Measurement:
    return Measurement(
        target=tried.target.name,
        name=name,
        statistic=NotMeasured(reason=reason),
        evidence=tried.evidence,
        split=split,
        runtime=mode,
    )
