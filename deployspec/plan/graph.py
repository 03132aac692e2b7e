"""One graph for all targets: steps in an order in which they can run, and equal work only once."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any, Final

from deployspec.ir.model import SourceKind
from deployspec.ir.plan import (
    DATASET,
    OUTPUTS,
    SOURCE_FORMS,
    STRUCTURE,
    Action,
    Inspector,
    Lowering,
    Runner,
    Step,
    Toolchain,
)
from deployspec.plan import hygiene, scoring, trials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployspec.ir.budget import Budget
    from deployspec.ir.spec import Spec, Target

DATA_TOOLCHAIN: Final = Toolchain(name="data", distributions=("numpy",))
EAGER: Final = Runner(
    script="deployspec.runners.torchscript",
    needs=("deployspec.runners.protocol", "deployspec.runners.callables", "deployspec.runners.eager"),
    toolchain=Toolchain(name="torch", distributions=("torch", "safetensors"), extra="torch"),
)
KERAS: Final = Runner(
    script="deployspec.runners.keras_eager",
    needs=("deployspec.runners.protocol", "deployspec.runners.callables"),
    toolchain=Toolchain(name="keras", distributions=("tensorflow-cpu|tensorflow", "keras"), extra="keras"),
)
KERAS_SOURCES: Final = frozenset({SourceKind.KERAS_CALLABLE, SourceKind.KERAS_FILE, SourceKind.SAVED_MODEL})
JUDGED_SPLITS: Final = ("test", "field")
MODEL: Final = "model"


class Graph:
    """The steps so far, in an order in which they can run; equal work is one step."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._steps: dict[str, Step] = {}
        self._splits = spec.data.splits()
        self._need_labels = {budget.split for target in spec.targets for budget in target.budgets if _counts(budget)}
        self.start = SOURCE_FORMS[spec.model.kind]
        self._eager = KERAS if spec.model.kind in KERAS_SOURCES else EAGER
        self.judged_splits = [split for split in JUDGED_SPLITS if split in self._splits]

    def steps(self) -> tuple[Step, ...]:
        """All of them, each after those that it takes from."""
        return tuple(self._steps.values())

    def data(self, split: str, target: str = "", *, digests_only: bool = False) -> str:
        """The step that prepares a split, or no more of it than what tells its samples apart."""
        if split.endswith(trials.NOISY):
            calm = split.removesuffix(trials.NOISY)
            return self._add(trials.noise(calm, self.data(calm, target), self.spec, DATA_TOOLCHAIN))
        task = self.spec.task
        value = self._splits[split]
        options = {
            "split": split,
            "value": value if isinstance(value, str) else list(value),
            "task": task.kind if task else None,
            "classes": len(task.labels) if task else 0,
            "labelled": split in self._need_labels,
        }
        return self._add(
            Step(
                id=f"digests.{split}" if digests_only else f"data.{split}",
                action=Action.PREPARE,
                takes=(("data", f"data:{split}"),),
                gives=DATASET,
                function="deployspec.sources.dataset:prepare",
                toolchain=DATA_TOOLCHAIN,
                options=options | ({"digests_only": True} if digests_only else {}),
                targets=(target,) if target else (),
                volatile=isinstance(value, str) and ":" in value,
            )
        )

    def reference(self, split: str) -> str:
        """The step that runs the source itself, eagerly, over a split; without one it is only weighed."""
        model, runner = self.spec.model, self._eager
        data = (("data", self.data(split)),) if split else ()
        return self._add(
            Step(
                id=f"reference@{split}" if split else "reference",
                action=Action.EVALUATE,
                takes=(("model", MODEL), *data),
                gives=OUTPUTS,
                function="deployspec.measure.evaluate:evaluate_reference",
                toolchain=_on_lane(runner),
                options={"runner": _runner_options(runner), "source": model.source, "weights": model.weights},
                cost_s=4.0,
            )
        )

    def score(self, metric: str, split: str, outputs: str, target: Target | None = None) -> str:
        """The step that scores a run of a split, the reference's where there is no target."""
        return self._add(scoring.score(self.spec, metric, outputs, self.data(split), target))

    def leaks(self, split: str) -> str:
        """The step that looks for a judged split's samples in the others; planned last, to use what is prepared."""
        others = [(other, self._digests(other)) for other in self._splits if other != split]
        return self._add(hygiene.leaks(split, self.data(split), others))

    def near_duplicates(self, split: str) -> str:
        """The step that looks for samples much like those of a judged split in the splits that are not judged."""
        others = [(other, self.data(other)) for other in hygiene.unjudged_splits(self.spec)]
        return self._add(hygiene.near_duplicates(split, self.data(split), others))

    def drift(self) -> str:
        """The step that compares the inputs of the test and the field split."""
        return self._add(hygiene.drift(self.data("test"), self.data("field")))

    def _digests(self, split: str) -> str:
        """The step whose output tells the samples of a split apart."""
        return self.data(split, digests_only=f"data.{split}" not in self._steps)

    def convert(self, target: Target, chain: Sequence[Lowering]) -> list[str]:
        """The steps of a route, each taking what the one before gave."""
        made: list[str] = []
        for lowering in chain:
            model = (("model", MODEL),) if self.start in lowering.takes else ()
            given = (("input", made[-1]),) if made else ()
            needs = [(split, self.data(split, target.name)) for split in self._needs(lowering)]
            hooks = [(name, f"hook:{lowering.options[name]}") for name in lowering.hooks]
            made.append(
                self._add(
                    Step(
                        id=f"{lowering.gives}.{lowering.name}",
                        action=Action.CONVERT,
                        takes=(*model, *given, *needs, *hooks),
                        gives=lowering.gives,
                        function=lowering.function,
                        toolchain=lowering.toolchain,
                        options=lowering.options,
                        targets=(target.name,),
                        cost_s=lowering.cost_s,
                        time_limit_s=target.time_limit_s,
                    )
                )
            )
        return made

    def _needs(self, lowering: Lowering) -> list[str]:
        """The splits it reads; calibration samples are also its probe, where there are any."""
        probe = [split for split in ("calibration",) if split in self._splits]
        return list(dict.fromkeys([*lowering.needs, *probe]))

    def inspect(self, target: Target, artifact: str, inspector: Inspector) -> str:
        """The step that reads an artifact's own bytes, and asks the runner that the inspector names."""
        asks = inspector.asks
        return self._add(
            Step(
                id=f"{artifact}@structure",
                action=Action.INSPECT,
                takes=(("artifact", artifact),),
                gives=STRUCTURE,
                function="deployspec.measure.structure:inspect_artifact",
                toolchain=_on_lane(asks) if asks else inspector.toolchain,
                options={"inspector": inspector.function} | ({"runner": _runner_options(asks)} if asks else {}),
                targets=(target.name,),
                cost_s=0.5,
                time_limit_s=target.time_limit_s,
            )
        )

    def check(
        self, target: Target, artifact: str, lowering: Lowering, runner: Runner, split: str = "", mode: str = ""
    ) -> str:
        """The step that reloads an artifact in a fresh process, holds the contract and runs a split."""
        options = {"runner": _runner_options(runner), "tolerance": lowering.tolerance}
        return self._add(
            Step(
                id=f"{artifact}@{split or 'contract'}{f'.{mode}' if mode else ''}",
                action=Action.EVALUATE,
                takes=(("artifact", artifact), *([("data", self.data(split))] if split else [])),
                gives=OUTPUTS,
                function="deployspec.measure.evaluate:evaluate_artifact",
                toolchain=_on_lane(runner),
                options=options | ({"mode": mode} if mode else {}),
                targets=(target.name,),
                cost_s=2.0,
                time_limit_s=target.time_limit_s,
            )
        )

    def watches(self, target: Target, artifact: str, runner: Runner) -> tuple[str, ...]:
        """The steps that find out whether an artifact is stable, one for each mode."""
        splits = [(split, self.data(split, target.name)) for split in trials.range_splits(self.spec)]
        cases = self._add(trials.cases(splits, DATA_TOOLCHAIN))
        options = {"runner": _runner_options(self._eager)}
        reference = self._add(trials.reference_watch(cases, _on_lane(self._eager), options))
        modes = [{"mode": mode} for mode in runner.modes] or [{}]
        options = {"runner": _runner_options(runner)}
        return tuple(
            self._add(trials.watch(target, artifact, cases, reference, _on_lane(runner), options | mode))
            for mode in modes
        )

    def _add(self, wanted: Step) -> str:
        """Share an equal step, or insert `wanted`, numbered where another step has its name."""
        for number in itertools.count(1):
            step_id = wanted.id if number == 1 else f"{wanted.id}-{number}"
            there = self._steps.get(step_id)
            if there is None:
                self._steps[step_id] = dataclasses.replace(wanted, id=step_id)
                return step_id
            if _same_work(there, wanted):
                self._steps[step_id] = _shared(there, wanted)
                return step_id
        raise AssertionError


def _counts(budget: Budget) -> bool:
    """Whether it compares outputs with y."""
    return budget.row.needs_labels


def _same_work(one: Step, other: Step) -> bool:
    return (one.function, one.takes, one.options) == (other.function, other.takes, other.options)


def _shared(there: Step, wanted: Step) -> Step:
    targets = tuple(dict.fromkeys([*there.targets, *wanted.targets]))
    return dataclasses.replace(there, targets=targets, time_limit_s=max(there.time_limit_s, wanted.time_limit_s))


def _on_lane(runner: Runner) -> Toolchain:
    """The light worker that starts runners: it imports nothing, but the runtime's version is part of the key."""
    return dataclasses.replace(runner.toolchain, name="lane", shares="", preload=(), block=())


def _runner_options(runner: Runner) -> dict[str, Any]:
    return {"script": runner.script, "needs": list(runner.needs), "family": runner.toolchain.family}
