"""Runners get ready for timing while the last conversions go on."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from deployspec.ir.artifact import Done
from deployspec.lanes.program import ProgramFailed

if TYPE_CHECKING:
    from deployspec.build.progress import Progress
    from deployspec.ir.artifact import StepResult
    from deployspec.ir.plan import Plan, Step
    from deployspec.lanes.program import Lane


class Ahead:
    """Progress that, at the first evaluation, lets every runner that will be timed import its runtime for that.

    By then the longest conversion has one core and little is left for the others.
    """

    def __init__(self, told: Progress, lane: Lane, plan: Plan) -> None:
        self.started, self.waiting = told.started, told.waiting
        self._told, self._lane = told, lane
        self._runners = {route.runner for route in plan.routes if route.runner and not route.runner.is_evaluator}
        self._evaluations = {step for route in plan.routes for _, step in route.evaluations}

    def finished(self, step: Step, result: StepResult) -> None:
        """Pass it on, and prepare."""
        self._told.finished(step, result)
        if isinstance(result, Done) and step.id in self._evaluations:
            for runner in self._runners:
                with suppress(ProgramFailed):  # it will be told where the runner is wanted
                    self._lane.prepare(runner)
