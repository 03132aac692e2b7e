"""A pytest plugin for coremltools' own operator tests: the evaluator gives the outputs that Core ML would give.

Each test builds and converts its program as always. Where coremltools would hand the model to Core ML and compare, this
compares the evaluator's outputs with the numbers that the test expects. What came of it travels in the test's report,
as the property `coreml`, and ends up in the file `--coreml-results`, one line of JSON for each comparison.
"""

from __future__ import annotations

import gc
import json
import platform
import re
import shutil
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
import torch
from coreml_compare import Contents, Outcome, contents, difference, evaluate
from coreml_rules import rule_for
from coreml_run import digest, sampled

from deployspec.evaluators.mlprogram import Unsupported, load
from deployspec.formats.mlpackage import open_package

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deployspec.evaluators.mlprogram import Program

PROPERTY: Final = "coreml"


class Session:
    """A model's program between the calls that share its state; stands in for Core ML's MLState."""

    def __init__(self) -> None:
        self._program: Program | None = None
        self._state: Any = None

    def run(self, path: str, given: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The outputs of the model, which remembers what earlier calls wrote."""
        if self._program is None:
            self._program = load(path)
            self._state = self._program.new_state()
        return evaluate(self._program, given, self._state)


class Evaluated:
    """Stands where coremltools' tests call Core ML."""

    def __init__(self) -> None:
        self.item: pytest.Item | None = None
        self.predicted: list[dict[str, Any]] = []
        """The models that the running test compares by itself."""
        self.packages: set[str] = set()
        """What the running test has converted."""

    def start(self, item: pytest.Item) -> None:
        """Hear of a test that is about to run."""
        self.item = item
        self.predicted.clear()

    def finish(self, why: str | None) -> None:
        """Hear of how the test ended, None if it passed, and remove its models."""
        for each in self.predicted:
            self.record({"outcome": str(Outcome.MATCH if why is None else Outcome.MISMATCH), "why": why or "", **each})
        while self.packages:
            shutil.rmtree(self.packages.pop(), ignore_errors=True)

    def compare_backend(
        self,
        mlmodel: Any,
        input_key_values: Mapping[str, Any] | None,
        expected_outputs: Mapping[str, Any] | None,
        state: Session | None = None,
        **_: Any,
    ) -> None:
        """What coremltools' function of this name does, with the evaluator; its tolerances are not used."""
        if expected_outputs is None or mlmodel.get_spec().WhichOneof("Type") != "mlProgram":
            return
        facts = self._contents(mlmodel)
        outcome, why = self._outcome(mlmodel, input_key_values or {}, expected_outputs, state, facts.precision)
        self.record({"outcome": str(outcome), "why": why, **asdict(facts)})

    def predict(self, mlmodel: Any, data: Mapping[str, Any], state: Session | None = None) -> dict[str, np.ndarray]:
        """What `MLModel.predict` gives, for the tests that compare by themselves."""
        self.predicted.append(asdict(self._contents(mlmodel)))
        return (state or Session()).run(mlmodel.package_path, data)

    def record(self, result: dict[str, Any]) -> None:
        """Keep what came of a comparison with the report of the running test."""
        assert self.item is not None
        self.item.user_properties.append((PROPERTY, result))

    def _contents(self, mlmodel: Any) -> Contents:
        self.packages.add(mlmodel.package_path)
        return contents(open_package(Path(mlmodel.package_path)))

    def _outcome(
        self, mlmodel: Any, given: Mapping[str, Any], expected: Mapping[str, Any], state: Session | None, precision: str
    ) -> tuple[Outcome, str]:
        assert self.item is not None
        rule = rule_for(self.item.nodeid, expected.values(), precision)
        if rule is not None:
            return Outcome.SKIPPED, rule.name
        try:
            got = (state or Session()).run(mlmodel.package_path, given)
            wrong = [
                f"{name}: {why}"
                for name, each in expected.items()
                if (why := difference(each, _of(got, name), precision))
            ]
        except Unsupported as refusal:
            return Outcome.UNSUPPORTED, str(refusal)
        except Exception as error:  # whatever goes wrong is what the run is there to find
            return Outcome.ERROR, repr(error)
        return (Outcome.MISMATCH, "; ".join(wrong)) if wrong else (Outcome.MATCH, "")


EVALUATED: Final = Evaluated()


def _of(outputs: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """The output that a test calls `name`; converted models have underscores for what no identifier may hold."""
    return outputs[name] if name in outputs else outputs[re.sub(r"\W", "_", name)]


def spread(items: list[pytest.Item]) -> list[pytest.Item]:
    """The first case of each test and precision, then the second of each, and so on; first by digest.

    A run that is cut short has seen every test, and no case is preferred for what may come of it.
    """
    groups: dict[str, list[pytest.Item]] = {}
    for each in sorted(items, key=lambda item: digest(item.nodeid)):
        test, _, parameters = each.nodeid.partition("[")
        groups.setdefault(f"{test} {'fp16' in parameters}", []).append(each)
    return [item for row in zip_longest(*groups.values()) for item in row if item is not None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--coreml-results", type=Path, help="where to write what came of each comparison")
    parser.addoption("--coreml-sample", action="store_true", help="run the fixed sample only")


def pytest_configure() -> None:
    """Put the evaluator in Core ML's place, on a machine that says it is Apple's: on others some tests do not run."""
    import coremltools
    from coremltools.converters.mil.mil.ops.tests import testing_utils

    torch.set_num_threads(1)
    platform.machine = lambda: "arm64"
    testing_utils.compare_backend = EVALUATED.compare_backend
    coremltools.models.MLModel.make_state = lambda _: Session()
    coremltools.models.MLModel.predict = lambda *given, **named: EVALUATED.predict(*given, **named)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the sample, or all of them."""
    wanted = sampled() if config.getoption("--coreml-sample") else None
    items[:] = spread([each for each in items if wanted is None or digest(each.nodeid) in wanted])


def pytest_collection_finish() -> None:
    """Leave garbage to Python: coremltools asks for all of it at every conversion, which took most of the time."""
    gc.freeze()
    gc.collect = lambda *_: 0


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Run a test with numbers of its own, whatever ran before it."""
    EVALUATED.start(item)
    np.random.seed(int(digest(item.nodeid)[:8], 16))
    torch.manual_seed(0)
    outcome = yield
    EVALUATED.finish(None if outcome.excinfo is None else str(outcome.excinfo[1]))


class Results:
    """Writes what the reports bring, in the process that hears of all of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_text("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            found = [value for name, value in report.user_properties if name == PROPERTY]
            with self._path.open("a") as file:
                file.writelines(json.dumps({"case": report.nodeid, **each}) + "\n" for each in found)


def pytest_sessionstart(session: pytest.Session) -> None:
    path = session.config.getoption("--coreml-results")
    if path is not None and not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(Results(path))
