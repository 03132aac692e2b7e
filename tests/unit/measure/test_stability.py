"""Stability: artifacts that break one promise each, in real processes, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deployspec.contract import record
from deployspec.ir import codec
from deployspec.ir.artifact import Done, Job
from deployspec.ir.evidence import Check, EvidenceClass, Promise, Stability
from deployspec.ir.model import Input, Model, Output
from deployspec.measure.cases import prepare_cases
from deployspec.measure.stability import _batch_sizes, measure_stability, watch_artifact, watch_reference

if TYPE_CHECKING:
    from pathlib import Path

RUNNER = {"script": "unsteady_runner", "needs": [], "family": "unsteady"}
WEIGHT = np.float32([[1, 2, 0, 0], [0, 1, 2, 0], [0, 0, 1, 2]])
CALLS = 8
"""One for each case: two corners, zeros, denormals, the ends in turn and at random, a draw and a sample."""


@dataclass(frozen=True)
class Watched:
    """What the step left."""

    facts: dict[str, Any]
    out: Path

    @property
    def statistic(self) -> Stability:
        return codec.decode(Stability, self.facts["stability"])

    @property
    def broken(self) -> dict[Promise, Check]:
        return {check.promise: check for check in self.statistic.checks if check.broken}


@dataclass
class Lab:
    """Steps' folders, and the source's, which `source` may make unsteady too."""

    folder: Path

    def step(self, name: str, function: Any, source: str = "m", **inputs: Path) -> tuple[Path, dict[str, Any]]:
        out = self.folder / name
        out.mkdir()
        model = Model(
            name="m", source=f"{source}.py:f", outputs=(Output(name="y"),),
            inputs=(Input(name="x", shape=("b", 4), range=(-1.0, 1.0)),),
        )  # fmt: skip
        facts = function(Job(inputs=inputs, out=out, options={"runner": RUNNER}, model=model))
        return out, facts

    def watch(self, trouble: str = "none", *, source: str = "m", batch: int = 1, forms: str = "float32") -> Watched:
        np.savez(self.folder / "source.npz", weight=WEIGHT, bias=np.zeros(3, np.float32))
        data, _ = self.step("cases", prepare_cases)
        reference, _ = self.step("reference", watch_reference, source, model=self.folder, data=data)

        def lower(job: Job) -> None:
            np.savez(job.artifact / "m.npz", weight=WEIGHT, bias=np.zeros(3, np.float32))
            x = np.ones((2, 4), np.float32)
            record(job, [x], [(x @ WEIGHT.T).astype(forms)], options={"trouble": trouble}, batch=batch)

        made, _ = self.step("made", lower)
        return Watched(*reversed(self.step("watched", watch_artifact, artifact=made, data=data, reference=reference)))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_one_that_keeps_every_promise_is_told_with_what_was_tried(lab: Lab) -> None:
    watched = lab.watch()
    assert watched.broken == {}
    assert watched.facts["remarks"] == []
    assert watched.facts["runtime"] == "unsteady 1"
    assert watched.statistic.batches == (1,)
    assert len(watched.statistic.inputs) == CALLS
    looked = {check.promise: check.calls for check in watched.statistic.checks}
    assert looked == {
        Promise.ANSWERS: 4 * CALLS, Promise.FINITE: 4 * CALLS, Promise.FORM: 4 * CALLS,
        Promise.REPEATS: 2 * CALLS, Promise.PROCESSES: CALLS,
    }  # fmt: skip
    assert not list(watched.out.glob("broken-*.npy"))


@pytest.mark.parametrize(
    ("trouble", "promise", "broken", "first"),
    [
        ("hot", Promise.FINITE, 4, "x all 1: NaN or Inf; the reference does not"),
        ("picky", Promise.ANSWERS, 4, "zeros: ValueError: nothing; the reference does not"),
        ("wide", Promise.FORM, 4, "zeros: float64[1, 3] where float32[1, 3] is due"),
        ("moody", Promise.PROCESSES, CALLS, "x all -1: another answer in another process"),
    ],
)
def test_a_broken_promise_is_counted_and_its_first_input_kept(
    lab: Lab, trouble: str, promise: Promise, broken: int, first: str
) -> None:
    watched = lab.watch(trouble)
    assert list(watched.broken) == [promise]
    check = watched.broken[promise]
    assert (check.broken, check.first) == (broken, first)
    assert watched.facts["remarks"] == [f"broke '{promise}', first with {first}"]
    kept = np.load(watched.out / "broken-0.npy")
    expected = {"zeros": 0, "x all 1": 1, "x all -1": -1}[first.partition(":")[0]]
    np.testing.assert_array_equal(kept, np.full((1, 4), expected, np.float32))


def test_one_that_changes_from_call_to_call_is_seen_inside_one_process(lab: Lab) -> None:
    watched = lab.watch("forgetful")
    assert list(watched.broken) == [Promise.REPEATS], "each process makes the same change"
    assert watched.broken[Promise.REPEATS].broken == 2 * CALLS
    assert watched.broken[Promise.REPEATS].first == ("x all -1: another answer the second time; the reference does not")


def test_a_crash_is_an_answer_and_names_its_signal(lab: Lab) -> None:
    watched = lab.watch("fragile")
    assert list(watched.broken) == [Promise.ANSWERS]
    check = watched.broken[Promise.ANSWERS]
    assert (check.calls, check.broken) == (2 * 4, 2), "three cases before it, in each of two processes"
    assert check.first == "denormals: killed by SIGSEGV; the reference does not"
    again = next(each for each in watched.statistic.checks if each.promise is Promise.REPEATS)
    assert again.calls == 0, "no case was reached a second time"


def test_one_that_cannot_be_loaded_broke_its_first_call(lab: Lab) -> None:
    (check,) = lab.watch("unloadable").broken.values()
    assert (check.promise, check.calls, check.broken) == (Promise.ANSWERS, 2, 2)
    assert check.first == "x all -1: MemoryError: too large; the reference does not"


@pytest.mark.parametrize(("trouble", "what"), [("hot", "NaN or Inf"), ("picky", "ValueError: nothing")])
def test_a_fault_of_the_model_itself_is_told_apart_and_no_excuse(lab: Lab, trouble: str, what: str) -> None:
    watched = lab.watch(trouble, source=trouble)
    (check,) = watched.broken.values()
    assert check.first.endswith(f"{what}; so does the reference")


def test_of_a_reference_that_crashed_on_the_way_nothing_is_said(lab: Lab) -> None:
    (check,) = lab.watch("hot", source="fragile").broken.values()
    assert check.first == "x all 1: NaN or Inf"


def test_batches_of_every_size_are_tried(lab: Lab) -> None:
    watched = lab.watch("crowded", batch=4)
    assert watched.statistic.batches == (1, 2, 3, 4)
    (check,) = watched.broken.values()
    assert check.promise is Promise.FORM
    assert check.broken == 4 * 3, "three calls of three samples hold the eight cases"
    assert check.first == "3 samples together, from 'x all -1' on: float32[3, 2] where float32[3, 3] is due"
    assert len(np.load(watched.out / "broken-0.npy")) == 3


def test_of_large_batches_the_powers_of_two_and_the_largest_are_tried() -> None:
    assert _batch_sizes(1) == [1]
    assert _batch_sizes(5) == [1, 2, 3, 4, 5]
    assert _batch_sizes(100) == [*range(1, 17), 32, 64, 100]


def test_the_measurement_is_the_statistic_with_where_it_comes_from(lab: Lab) -> None:
    watched = lab.watch()
    done = Done(step="s", folder=watched.out, sha256="0" * 64, cached=False, seconds=0, facts=watched.facts)
    found = measure_stability("phone", done, EvidenceClass.REFERENCE)
    assert (found.target, found.name, found.split) == ("phone", "stable", "")
    assert (found.evidence, found.runtime, found.samples_sha256) == (
        EvidenceClass.REFERENCE, "unsteady 1", "0" * 64,
    )  # fmt: skip
    assert found.statistic == watched.statistic
