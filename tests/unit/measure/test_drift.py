"""Drift of inputs: the index against its formula, and chance told from change at the sizes at hand."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sample_evidence import budget, measured, rules, verdict
from scipy.stats import ks_2samp

from deployspec.ir.artifact import Done, Failed, Job
from deployspec.ir.evidence import Drift, EvidenceClass, NotMeasured
from deployspec.ir.model import Input, Model
from deployspec.ir.plan import Plan
from deployspec.measure.hygiene import drift
from deployspec.measure.hygiene.figures import drift_of, measure_hygiene
from deployspec.report.possible import is_possible

if TYPE_CHECKING:
    from pathlib import Path

    from deployspec.ir.verdict import Verdict

ASKED = budget("drift_psi", "< 0.2")


class Compared:
    """What the step makes of a test and a field split of one input."""

    def __init__(self, folder: Path, test: np.ndarray, field: np.ndarray, framework: Any = "torch") -> None:
        folder.mkdir(exist_ok=True)
        for split, array in (("test", test), ("field", field)):
            (folder / split).mkdir()
            np.save(folder / split / "0.npy", array.astype(np.float32))
        model = Model(name="m", source="m.py:build", framework=framework, inputs=(Input(name="x", shape=("b",)),))
        inputs = {split: folder / split for split in ("test", "field")}
        self.facts = drift.compare_inputs(Job(inputs=inputs, out=folder, options={}, model=model))
        done = Done(step="drift.field", folder=folder, sha256="", cached=False, seconds=0, facts=self.facts)
        plan = Plan(steps=(), routes=(), drift="drift.field")
        (self.measured,) = measure_hygiene(plan, {"drift.field": done}, "phone")

    @property
    def drift(self) -> Drift:
        assert isinstance(self.measured.statistic, Drift)
        return self.measured.statistic

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.drift.features]

    def judged(self) -> Verdict:
        return verdict(ASKED, [self.measured])


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_the_index_and_the_distance_are_those_of_the_formulas(tmp_path: Path) -> None:
    test, field = normal(500, 1), 0.4 + normal(300, 1, seed=1)
    (found,) = Compared(tmp_path, test, field).drift.features
    both = np.concatenate([test, field]).astype(np.float32)
    edges = np.quantile(both, np.arange(1, 10) / 10, method="inverted_cdf")
    codes = np.searchsorted(edges, both[:, 0])
    shares = [np.bincount(each, minlength=10) + 0.5 for each in (codes[:500], codes[500:])]
    t, f = (each / each.sum() for each in shares)
    assert float(found.psi) == pytest.approx(float(((f - t) * np.log(f / t)).sum()), rel=1e-5)
    assert float(found.ks) == pytest.approx(ks_2samp(test[:, 0], field[:, 0]).statistic, abs=0.02)
    assert float(found.null_mean) == pytest.approx(9 * (1 / 500 + 1 / 300), rel=0.15)


@pytest.mark.parametrize("values", [1, 7])
@pytest.mark.parametrize("n", [10, 15, 99, 100, 101, 500, 1400, 1407, 5000, 9999])
def test_values_that_never_repeat_make_ten_equal_bins(n: int, values: int) -> None:
    bins = drift._coarse(drift._counted(normal(n, values))).sum(axis=0) * values
    assert len(bins) == 10
    assert np.abs(bins - n * values / 10).max() <= 1 + 1e-3


def test_equal_values_are_never_parted() -> None:
    """Four in ten are 0, then as many of each of 1 to 60: the zeros are one bin, and six deciles are left."""
    values = np.concatenate([np.zeros(400), np.repeat(np.arange(1, 61), 10)])[:, None].astype(np.float64)
    assert drift._coarse(drift._counted(values)).sum(axis=0).tolist() == [400, *[100] * 6]


def test_a_feature_is_a_value_of_a_vector_and_a_channel_of_an_image(tmp_path: Path) -> None:
    assert Compared(tmp_path / "a", normal(40, 3), normal(30, 3)).names == ["x[0]", "x[1]", "x[2]"]
    assert Compared(tmp_path / "b", normal(40, 3, 5, 5), normal(30, 3, 5, 5)).names == ["x[0]", "x[1]", "x[2]"]
    assert Compared(tmp_path / "c", normal(40, 5, 5, 3), normal(30, 5, 5, 3), "keras").names == ["x[0]", "x[1]", "x[2]"]
    assert Compared(tmp_path / "d", normal(40, 300), normal(30, 300)).names == ["x"]
    assert Compared(tmp_path / "e", normal(40), normal(30)).names == ["x"]


def test_undrifted_inputs_are_no_finding_and_never_fail(tmp_path: Path) -> None:
    """360 against 50 samples cannot hold a limit of 0.2, whatever they show: chance alone may give as much."""
    for seed in range(5):
        both = normal(410, 4, seed=seed)
        found = Compared(tmp_path / str(seed), both[:360], both[360:])
        judged = found.judged()
        assert judged.verdict == "inconclusive"
        assert judged.reason.endswith(" field samples would decide it at this estimate")
        assert found.facts["remarks"] == []


def test_the_way_out_of_inconclusive_is_a_size_that_decides(tmp_path: Path) -> None:
    both = normal(8000, 4)
    reason = Compared(tmp_path / "few", both[:360], both[360:410]).judged().reason
    found = re.search(r"about ([\d,]+) test and ([\d,]+) field", reason)
    assert found is not None
    test, field = (int(each.replace(",", "")) for each in found.groups())
    assert field > 100
    assert Compared(tmp_path / "enough", both[:test], both[test : test + field]).judged().verdict == "pass"


def test_enough_undrifted_samples_prove_it(tmp_path: Path) -> None:
    both = normal(3000, 4)
    judged = Compared(tmp_path, both[:2000], both[2000:]).judged()
    assert (judged.verdict, judged.n, judged.evidence) == ("pass", 3000, EvidenceClass.STATIC)


def test_what_drifted_fails_and_is_named(tmp_path: Path) -> None:
    test, field = normal(800, 4), normal(400, 4, seed=1)
    field[:, 2] += 1.0
    found = Compared(tmp_path, test, field)
    judged = found.judged()
    assert judged.verdict == "fail"
    assert "above chance, in 'x[2]', where 800 and 400 samples have an index of" in judged.reason
    (told,) = found.facts["remarks"]
    assert told.startswith("the inputs differ from those of the test split in x[2] (PSI ")
    assert "x[1]" not in told


def test_the_values_of_one_image_are_not_taken_for_independent(tmp_path: Path) -> None:
    """Each image has a brightness of its own: 50 of them are 50 draws, not 3,200."""
    both = normal(250, 1, 1, 1) + 0.1 * normal(250, 1, 8, 8, seed=1)
    found = Compared(tmp_path, both[:200], both[200:])
    (feature,) = found.drift.features
    assert float(feature.null_mean) > 0.03, "64 times more independent values would make it 0.004"
    assert found.facts["remarks"] == []
    assert found.judged().verdict == "inconclusive"


def test_values_with_few_levels_and_features_that_never_vary(tmp_path: Path) -> None:
    test, field = (np.random.default_rng(seed).integers(0, 2, (n, 3)) for seed, n in ((0, 900), (1, 600)))
    test[:, 1] = field[:, 1] = 7
    field[:, 2] = 1
    found = Compared(tmp_path, test, field)
    assert found.names == ["x[0]", "x[2]"]
    assert found.judged().verdict == "fail"
    never = Compared(tmp_path / "never", np.ones((20, 2)), np.ones((10, 2)))
    assert verdict(ASKED, [never.measured]).reason == "drift psi: no feature varies by more than a tenth of its values"


def test_many_values_of_a_sample_leave_little_to_chance_and_it_is_told_to_the_digit(tmp_path: Path) -> None:
    found = Compared(tmp_path, normal(120, 1, 100, 100), normal(100, 1, 100, 100, seed=1))
    (feature,) = found.drift.features
    assert 0 < feature.null_variance < Decimal("5e-10")
    assert is_possible(found.drift)
    assert found.judged().verdict == "pass"


def test_of_one_value_nearly_always_no_index_tells_and_the_distance_still_does(tmp_path: Path) -> None:
    test, field = normal(1000, 2), normal(1000, 2, seed=1)
    test[:, 1], field[:, 1] = np.arange(1000) < 5, np.arange(1000) < 95
    found = Compared(tmp_path, test, field)
    assert found.names == ["x[0]"]
    assert found.judged().verdict == "pass"
    assert any(each.startswith("the inputs differ") and "in x[1] (" in each for each in found.facts["remarks"])
    assert found.facts["remarks"][-1] == (
        "nine tenths or more of the values are the same in x[1]: drift_psi cannot tell of a drift there"
    )


def test_samples_of_the_same_values_in_another_order_differ_by_nothing(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).permuted(np.tile(np.arange(40.0), (90, 1)), axis=1).reshape(90, 1, 40)
    found = Compared(tmp_path, rows[:50], rows[50:])
    assert is_possible(found.drift)
    assert found.judged().verdict == "pass"


def test_of_large_splits_evenly_spaced_samples_are_taken(tmp_path: Path) -> None:
    found = Compared(tmp_path, normal(12_000, 1), np.concatenate([normal(6000, 1), normal(6000, 1) + 3]))
    assert (found.drift.test, found.drift.field) == (drift.MOST_ROWS, drift.MOST_ROWS)
    assert found.judged().verdict == "fail", "the second half is seen too"


def test_a_step_that_failed_measures_nothing() -> None:
    lost = {"drift.field": Failed(step="drift.field", reason="killed")}
    (found,) = measure_hygiene(Plan(steps=(), routes=(), drift="drift.field"), lost, "phone")
    assert found.statistic == NotMeasured(reason="step 'drift.field' failed: killed")
    assert verdict(ASKED, [found]).verdict == "not_measured"


def test_as_a_point_the_excess_itself_is_compared(tmp_path: Path) -> None:
    both = normal(410, 1)
    found = Compared(tmp_path, both[:360], both[360:])
    assert verdict(ASKED, [found.measured], rules(None)).verdict == "pass"


@pytest.mark.slow
@pytest.mark.parametrize(("test", "field"), [(360, 50), (1000, 1000), (3000, 300)])
@pytest.mark.parametrize("shift", [0.0, 0.2, 0.5])
def test_bounds_err_about_as_often_as_they_say(test: int, field: int, shift: float) -> None:
    """The index of the populations, over the deciles of both mixed as the samples are, from 400,000 draws of each."""
    generator, repetitions, above, below = np.random.default_rng(1), 200, 0, 0
    large = (normal(400_000), normal(400_000, seed=1) + shift)
    mixed = np.concatenate([large[0][: 400 * test // 4], large[1][: 400 * field // 4]])
    edges = np.quantile(mixed, np.arange(1, 10) / 10)
    t, f = (np.bincount(np.searchsorted(edges, each), minlength=10) / len(each) for each in large)
    true = float(((f - t) * np.log(f / t)).sum())
    for seed in range(repetitions):
        both = np.concatenate([generator.standard_normal((test, 1)), generator.standard_normal((field, 1)) + shift])
        judged = verdict(ASKED, [measured("drift_psi", of_counts(both, test, field, seed), EvidenceClass.STATIC)])
        assert judged.lower is not None
        assert judged.upper is not None
        above += float(judged.lower) > true + 1e-4
        below += float(judged.upper) < true - 1e-4
    print(f"| {test} and {field} | {true:.3f} | {above / repetitions:.1%} | {below / repetitions:.1%} |")
    assert max(above, below) <= 0.11 * repetitions


def of_counts(both: np.ndarray, test: int, field: int, seed: int) -> Drift:
    """As the step counts them, without files."""
    counts, deal = drift._counted(both), drift._deals(test, field, seed)
    (row,) = drift._rows(["x"], drift._stability(counts, deal)[None], drift._distance(counts, deal)[None])
    return drift_of({"test": test, "field": field, "features": [row]})
