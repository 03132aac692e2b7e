"""Figures from elsewhere are of the samples that count here: of more or of fewer they are refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from evidence_files import as_bytes, document, run

from deployspec.ir.artifact import Done, Failed
from deployspec.ir.plan import Plan
from deployspec.measure.imported import miscounts, read_document

if TYPE_CHECKING:
    from deployspec.ir.artifact import StepResult
    from deployspec.measure.imported.contradictions import Fault

SHARED, ALONE = Plan(steps=(), routes=(), hygiene=(("test", "hygiene.test"),)), Plan(steps=(), routes=())


def quality(n: int, split: str = "test") -> dict[str, Any]:
    return {"labels": ["a", "b"], "confusion": [[n - 1, 0], [1, 0]], "split": split}


def found(folder: Path, figures: dict[str, Any], *, samples: int = 10, leaked: list[int] | None = None) -> list[Fault]:
    """What is wrong with a run's figures beside a test split, without another one or with these of its rows leaked."""
    results: dict[str, StepResult] = {"data.test": done("data.test", folder, samples=samples)}
    if leaked is not None:
        np.save(folder / "leaked.npy", np.array(leaked, np.int64))
        results["hygiene.test"] = done("hygiene.test", folder, samples=samples, leaked=len(leaked))
    return held(figures, ALONE if leaked is None else SHARED, results)


def done(step: str, folder: Path, **facts: int) -> Done:
    return Done(step=step, folder=folder, sha256="", cached=False, seconds=0, facts=facts)


def held(figures: dict[str, Any], plan: Plan, results: dict[str, StepResult]) -> list[Fault]:
    (handed,) = read_document(as_bytes(document(run(**figures))), Path("lab.json")).runs
    return list(miscounts(handed, plan, results))


@pytest.mark.parametrize(
    ("at", "figures"),
    [
        ("/quality/0", lambda n: {"quality": [quality(n)]}),
        ("/outcomes/0", lambda n: {"outcomes": [{"both": n - 3, "broken": 1, "repaired": 1, "neither": 1}]}),
        ("/agreement/0", lambda n: {"agreement": [{"hits": n - 1, "n": n}]}),
    ],
    ids=["quality", "outcomes", "agreement"],
)
def test_each_table_is_of_all_samples_that_count(tmp_path: Path, at: str, figures: Any) -> None:
    assert found(tmp_path, figures(10)) == []
    assert found(tmp_path, figures(10), leaked=[]) == []
    assert found(tmp_path, figures(7), leaked=[1, 4, 5]) == []
    alone = "it is of 11 samples, and the test split has 10: measure on all of these, and on no others"
    assert found(tmp_path, figures(11)) == [(at, alone)]
    rows = f"(3 of its 10 leaked, whose rows are in {tmp_path / 'leaked.npy'})"
    for n in (6, 10):
        what = f"it is of {n} samples, and 7 of the test split count {rows}: measure on these only"
        assert found(tmp_path, figures(n), leaked=[1, 4, 5]) == [(at, what)]


def test_the_second_table_is_told_at_its_place(tmp_path: Path) -> None:
    ((at, _),) = found(tmp_path, {"quality": [quality(8, "field"), quality(9)]})
    assert at == "/quality/1"


def test_where_no_sample_counts_or_none_is_known_to_no_figure_does(tmp_path: Path) -> None:
    ((_, what),) = found(tmp_path, {"quality": [quality(2)]}, samples=2, leaked=[0, 1])
    assert what.startswith("no sample is left: ")
    assert what.endswith(": leave this out, as no figure of the test split counts")
    results: dict[str, StepResult] = {"data.test": done("data.test", tmp_path, samples=2)}
    results["hygiene.test"] = Failed(step="hygiene.test", reason="out of memory")
    ((_, what),) = held({"quality": [quality(2)]}, SHARED, results)
    assert what.startswith("which samples count is not known, as step 'hygiene.test' failed: out of memory: leave this")


ROTATED = {"labels": ["c", "a", "b"], "confusion": [[1, 0, 0], [0, 2, 2], [1, 0, 2]]}


def classed(folder: Path, confusion: list[list[int]], *, leaked: list[int] | None = None) -> list[Fault]:
    """What is wrong with a table beside a split of four 'a', three 'b' and one 'c'."""
    np.save(folder / "y.npy", np.array([0, 0, 0, 0, 1, 1, 1, 2]))
    np.save(folder / "leaked.npy", np.array(leaked or [], np.int64))
    results: dict[str, StepResult] = {
        "data.test": done("data.test", folder, samples=8, labelled=True),
        "hygiene.test": done("hygiene.test", folder, samples=8, leaked=len(leaked or [])),
    }
    (handed,) = read_document(
        as_bytes(document(run(quality=[ROTATED | {"confusion": confusion}]))), Path("lab.json")
    ).runs
    return list(miscounts(handed, SHARED, results, ("a", "b", "c")))


def test_a_table_is_of_the_classes_that_the_counted_samples_have(tmp_path: Path) -> None:
    assert classed(tmp_path, ROTATED["confusion"]) == []
    assert classed(tmp_path, [[0, 0, 0], [0, 2, 2], [1, 0, 2]], leaked=[7]) == []
    ((at, what),) = classed(tmp_path, [[0, 0, 0], [0, 2, 3], [1, 0, 2]])
    assert at == "/quality/0/confusion"
    other = "its samples are of other classes than those that count in the test split: 'a' 5 instead of 4, "
    assert what == other + "'c' 0 instead of 1: measure on these samples with these labels"
    ((_, what),) = classed(tmp_path, [[1, 0, 0], [0, 2, 2], [1, 0, 1]], leaked=[7])
    assert "'b' 2 instead of 3, 'c' 1 instead of 0:" in what


def test_of_another_number_of_samples_only_that_is_said(tmp_path: Path) -> None:
    ((at, what),) = classed(tmp_path, [[1, 0, 0], [0, 2, 2], [1, 0, 1]])
    assert at == "/quality/0"
    assert what.startswith("it is of 7 samples, and the test split has 8: ")


def test_of_a_split_that_is_not_prepared_nothing_is_known(tmp_path: Path) -> None:
    assert found(tmp_path, {"quality": [quality(9, "field")]}) == []
    assert held({"quality": [quality(9)]}, ALONE, {"data.test": Failed(step="data.test", reason="no such file")}) == []
