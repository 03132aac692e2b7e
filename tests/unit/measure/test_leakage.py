"""Samples of a judged split that another one holds too: found byte for byte, named, and left out of the figures."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deployspec.ir.artifact import Done, Failed, Job
from deployspec.ir.evidence import NotMeasured, Share
from deployspec.ir.model import Input, Model
from deployspec.ir.plan import Plan
from deployspec.measure.hygiene import leakage
from deployspec.measure.hygiene.figures import measure_hygiene, ways_of_counting
from deployspec.measure.hygiene.leakage import find_leaks
from deployspec.sources.fingerprints import fingerprints

if TYPE_CHECKING:
    from pathlib import Path

PLAN = Plan(steps=(), routes=(), hygiene=(("test", "hygiene.test"),))


class Examined:
    """What the step makes of splits, one array each: of the test split, and of those named in `others`."""

    def __init__(self, folder: Path, test: Any, framework: Any = "torch", **others: Any) -> None:
        arrays = {"test": test} | others
        for split, array in arrays.items():
            samples = np.asarray(array, np.float32)
            (folder / split).mkdir()
            np.save(folder / split / "digests.npy", fingerprints([samples]))
            np.save(folder / split / "0.npy", samples)
        inputs = {"data": folder / "test"} | {split: folder / split for split in others}
        model = Model(name="m", source="m.py:build", framework=framework, inputs=(Input(name="x", shape=("b", 2)),))
        self.out = folder / "out"
        self.out.mkdir()
        self.facts = find_leaks(Job(inputs=inputs, out=self.out, options={"split": "test"}, model=model))

    @property
    def leaked(self) -> list[int]:
        return np.load(self.out / "leaked.npy").tolist()

    @property
    def done(self) -> Done:
        return Done(step="hygiene.test", folder=self.out, sha256="", cached=False, seconds=0, facts=self.facts)


ROWS = np.arange(20, dtype=np.float32).reshape(10, 2)


def test_a_fingerprint_is_the_hash_of_the_samples_own_bytes() -> None:
    one, other = ROWS, np.arange(10, dtype=np.int64)
    found = fingerprints([one, other])
    assert found.shape == (10, 16)
    for i, row in enumerate(found):
        assert row.tobytes() == blake2b(one[i].tobytes() + other[i].tobytes(), digest_size=16).digest()
    assert np.array_equal(fingerprints([ROWS[:, ::-1]]), fingerprints([ROWS[:, ::-1].copy()])), "whatever its strides"
    assert fingerprints([ROWS[:0]]).shape == (0, 16)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_samples_that_are_equal_have_one_fingerprint(dtype: str) -> None:
    one = np.array([[0.0, 1.5]], dtype)
    assert np.array_equal(fingerprints([one]), fingerprints([np.array([[-0.0, 1.5]], dtype)]))
    assert np.array_equal(one, [[0, 1.5]]), "the samples themselves stay as they are"
    assert not np.array_equal(fingerprints([one]), fingerprints([-one]))


def test_splits_with_nothing_in_common_have_no_leak_and_nothing_to_tell(tmp_path: Path) -> None:
    found = Examined(tmp_path, ROWS, train=ROWS + 100, calibration=ROWS + 200)
    assert found.facts == {"samples": 10, "leaked": 0, "remarks": []}
    assert found.leaked == []
    assert ways_of_counting(PLAN, {"hygiene.test": found.done}, "test")[0].kept is None


@pytest.mark.parametrize("block", [1, 3, 1 << 16])
def test_leaks_are_found_with_every_copy_and_the_first_pairs_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(leakage, "_BLOCK", block)
    test = np.concatenate([ROWS, ROWS[3:4]])
    train = np.concatenate([ROWS[8:9], ROWS[3:4], ROWS + 100, ROWS[3:4]])
    found = Examined(tmp_path, test, train=train, tuning=ROWS[[8, 0]])
    assert found.leaked == [0, 3, 8, 10]
    leaks, copies = found.facts["remarks"]
    assert leaks == (
        "4 of 11 samples also stand in train (2), tuning (2), and no quality figure counts them: "
        "test:3 ↔ train:1, test:8 ↔ train:0, test:0 ↔ tuning:1, test:8 ↔ tuning:0"
    )
    assert copies == "1 of 11 samples repeat another of the split, and count as independent: test:10 = test:3"
    (counting,) = ways_of_counting(PLAN, {"hygiene.test": found.done}, "test")
    assert counting.of(np.arange(11)).tolist() == [1, 2, 4, 5, 6, 7, 9]
    assert counting.excluded == 4
    (measured,) = measure_hygiene(PLAN, {"hygiene.test": found.done}, "phone")
    assert (measured.name, measured.split, measured.statistic) == ("leakage", "test", Share(hits=4, n=11))


def test_a_copy_counts_as_a_near_duplicate_though_the_search_missed_it(tmp_path: Path) -> None:
    leaked = Examined(tmp_path, ROWS, train=ROWS[:1]).done
    np.save(tmp_path / "near.npy", np.array([1]))
    searched = Done(step="near", folder=tmp_path, sha256="", cached=False, seconds=0, facts={"near": 1, "reason": ""})
    plan, results = replace(PLAN, near_duplicates=(("test", "near"),)), {"hygiene.test": leaked, "near": searched}
    assert [each.excluded for each in ways_of_counting(plan, results, "test")] == [1, 2]
    assert [each.statistic for each in measure_hygiene(plan, results, "phone")] == [
        Share(hits=1, n=10),
        Share(hits=2, n=10),
    ]


def test_of_many_pairs_the_first_five_are_named(tmp_path: Path) -> None:
    (told,) = Examined(tmp_path, ROWS, train=ROWS).facts["remarks"]
    assert told.endswith("test:4 ↔ train:4 and 5 more")


def test_a_sample_that_field_holds_too_is_told_and_counted(tmp_path: Path) -> None:
    found = Examined(tmp_path, ROWS, field=ROWS[4:5])
    assert found.facts["leaked"] == 0
    assert found.facts["remarks"] == ["1 of 10 samples also stand in field, which is judged as well: test:4 ↔ field:0"]


def test_where_all_leaked_nothing_is_left_to_count(tmp_path: Path) -> None:
    found = Examined(tmp_path, ROWS, calibration=ROWS)
    (counting,) = ways_of_counting(PLAN, {"hygiene.test": found.done}, "test")
    assert counting.refused == "no sample is left: each one also stands, or nearly, in train, calibration or tuning"


def test_unless_the_step_is_done_no_sample_counts() -> None:
    lost = {"hygiene.test": Failed(step="hygiene.test", reason="killed")}
    (counting,) = ways_of_counting(PLAN, lost, "test")
    (measured,) = measure_hygiene(PLAN, lost, "phone")
    assert isinstance(measured.statistic, NotMeasured)
    assert measured.statistic.reason == "step 'hygiene.test' failed: killed"
    assert counting.refused == "which samples count is not known, as step 'hygiene.test' failed: killed"


@pytest.mark.parametrize(
    ("framework", "shape", "told"),
    [
        ("torch", (6, 3), "x[1]"),
        ("torch", (6, 3, 2, 2), "x[1]"),
        ("keras", (6, 2, 2, 3), "x[1]"),
        ("torch", (6, 300), ""),
    ],
)
def test_features_that_never_vary_are_told(tmp_path: Path, framework: str, shape: tuple[int, ...], told: str) -> None:
    """Of a vector each value is a feature; of an image each channel; a vector of 300 values is one."""
    samples = np.random.default_rng(0).standard_normal(shape)
    samples[(slice(None), ..., 1) if framework == "keras" else (slice(None), 1)] = 7
    (remarks,) = [Examined(tmp_path, samples, framework, train=samples + 1).facts["remarks"]]
    expected = [f"constant throughout: {told}; what becomes of other values is not tested"] if told else []
    assert remarks == expected
