"""Small projects, one for each network: its spec with many targets, its data, and what a build made of them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deployspec.build import BuildContext, Store, build
from deployspec.contract import PROBE_SAMPLES, probe_files
from deployspec.ir.artifact import Done
from deployspec.measure.structure import structure_of
from deployspec.parse import parse_spec
from deployspec.plan import make_plan
from deployspec.sources.identity import origins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deployspec.ir.artifact import StepResult
    from deployspec.ir.plan import Plan, Route
    from deployspec.ir.spec import Spec
    from deployspec.ir.structure import Structure

NETS_FILE: Final = Path(__file__).with_name("nets.py")
SAMPLES: Final = 64
"""In the test split; the first half of them calibrates."""


@dataclass(frozen=True, kw_only=True)
class Net:
    """A network of `nets.py`: its ends as TOML, how its samples are drawn, and what its layers add up to.

    `quantizable` is False where there are no weights.
    """

    name: str
    ends: str
    draw: Callable[[np.random.Generator], dict[str, Any]]
    parameters: int
    macs: int
    quantizable: bool = True


@dataclass(frozen=True, kw_only=True)
class Case:
    """A target of a spec: its name, its format, the quantization scheme that it asks for, further TOML."""

    name: str
    format: str
    scheme: str | None = None
    options: str = ""

    @property
    def toml(self) -> str:
        """The target's table."""
        passes = f'passes = [{{ pass = "quantize", scheme = "{self.scheme}" }}]\n' if self.scheme else ""
        return f'[targets.{self.name}]\nformat = "{self.format}"\n{passes}{self.options}\n'


def _end(kind: str, name: str, rest: str = "") -> str:
    return f'[[model.{kind}]]\nname = "{name}"\n{rest}\n'


PICTURES: Final = Net(
    name="pictures",
    ends=_end("inputs", "image", 'shape = ["batch", 3, 8, 8]\nrange = [-1.0, 1.0]') + _end("outputs", "logits"),
    draw=lambda generator: {"image": generator.uniform(-1, 1, (SAMPLES, 3, 8, 8)).astype(np.float32)},
    parameters=3 * 16 * 9 + 16 + 16 * 32 * 9 + 32 + 512 * 64 + 64 + 64 * 5 + 5,
    macs=3 * 16 * 9 * 64 + 16 * 32 * 9 * 16 + 512 * 64 + 64 * 5,
)
WORDS: Final = Net(
    name="words",
    ends=_end("inputs", "tokens", 'shape = ["batch", 4]\ndtype = "int64"')
    + _end("inputs", "facts", 'shape = ["batch", 6]')
    + _end("outputs", "topics")
    + _end("outputs", "age", 'kind = "values"'),
    draw=lambda generator: {
        "tokens": generator.integers(0, 50, (SAMPLES, 4)),
        "facts": generator.standard_normal((SAMPLES, 6), np.float32),
    },
    parameters=50 * 64 + 70 * 128 + 128 + 128 * 128 + 128 + 128 * 3 + 3 + 128 + 1,
    macs=70 * 128 + 128 * 128 + 128 * 3 + 128,
)
MANY: Final = Net(
    name="many",
    ends="".join(_end("inputs", f"in{i}", 'shape = ["batch", 1]') for i in range(12))
    + "".join(_end("outputs", f"out{i}", 'kind = "values"') for i in range(12)),
    draw=lambda generator: {f"in{i}": i + generator.random((SAMPLES, 1), np.float32) for i in range(12)},
    parameters=0,
    macs=0,
    quantizable=False,
)


def write_project(folder: Path, net: Net, cases: Iterable[Case]) -> Spec:
    """The net's code, data and spec in `folder`, which is made. Raises SpecFaults for cases that no spec can ask for.

    The splits share their first samples, so that the contract's probe is among those that the reference answers.
    """
    folder.mkdir(parents=True)
    shutil.copy(NETS_FILE, folder)
    samples: dict[str, Any] = net.draw(np.random.default_rng(0))
    halves: dict[str, Any] = {name: array[: SAMPLES // 2] for name, array in samples.items()}
    np.savez(folder / "test.npz", **samples)
    np.savez(folder / "calibration.npz", **halves)
    head = f'deployspec = 1\n[model]\nname = "net"\nsource = "nets.py:{net.name}"\n{net.ends}'
    data = '[data]\ncalibration = "calibration.npz"\ntest = "test.npz"\n[budgets]\nsize = "< 1 GB"\n'
    (folder / "spec.toml").write_text(head + data + "".join(case.toml for case in cases))
    return parse_spec(folder / "spec.toml")


@dataclass(frozen=True)
class Built:
    """Every target of a project, made."""

    spec: Spec
    plan: Plan
    results: dict[str, StepResult]

    def route(self, case: Case) -> Route:
        """How the case's target was made."""
        return next(route for route in self.plan.routes if route.target == case.name)

    def done(self, step: str) -> Done:
        """The step's result; a failed one is an assertion that fails with its reason."""
        result = self.results[step]
        assert isinstance(result, Done), f"{step}: {result.reason}"
        return result

    def artifact(self, case: Case) -> Path:
        """The file or folder that ships."""
        return self.done(self.route(case).artifact).artifact

    def structure(self, case: Case) -> Structure:
        """What the target's inspector read in the artifact."""
        return structure_of(self.done(self.route(case).structure))

    def answers(self, case: Case) -> list[np.ndarray]:
        """What the artifact answered to the test split, by output."""
        return self._outputs(dict(self.route(case).evaluations)["test"])

    def expected(self) -> list[np.ndarray]:
        """What the source itself answered to the test split, by output."""
        return self._outputs(dict(self.plan.references)["test"])

    def recorded(self, case: Case) -> list[np.ndarray]:
        """The answers that the artifact's contract holds it to: those to the first samples of the splits."""
        return [np.load(path) for path in probe_files(self.done(self.route(case).artifact).folder, "output")]

    def _outputs(self, step: str) -> list[np.ndarray]:
        folder = self.done(step).folder / "outputs"
        return [np.load(path) for path in sorted(folder.iterdir(), key=lambda path: int(path.stem))]


def build_project(folder: Path, store: Path, net: Net, cases: Iterable[Case]) -> Built:
    """Write the project and build every case, as `deployspec check` does; failures are values in the result."""
    spec = write_project(folder, net, cases)
    plan = make_plan(spec)
    digests = {origin.id: origin.sha256 for origin in origins(spec).values()}
    context = BuildContext(folder=spec.folder, model=spec.model, digests=digests)
    return Built(spec, plan, build(plan, Store(store), context))


def probed(outputs: list[np.ndarray]) -> list[np.ndarray]:
    """Of outputs for the test split, those for the samples that the contract's probe holds."""
    return [output[:PROBE_SAMPLES] for output in outputs]
