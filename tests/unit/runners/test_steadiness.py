"""What is told of each call: form, finiteness and every bit of every output, or the exception."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deployspec.runners.steadiness import watch

if TYPE_CHECKING:
    from pathlib import Path

ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)


class Model:
    """Gives back its input and a pair of numbers; `at` of these, `by` is added on the second call."""

    def __init__(self, at: int = 0, by: float = 0.0) -> None:
        self.facts = {"kind": "numbers"}
        self._at, self._by, self._calls = at, by, 0

    def __call__(self, arrays: Any) -> list[np.ndarray]:
        numbers = np.array([[-0.0, 2.0]])
        numbers[0, self._at] += self._by * self._calls
        self._calls += 1
        return [arrays[0], numbers]


def told(folder: Path, model: Any, calls: list[list[int]], rounds: int = 1) -> list[dict[str, Any]]:
    task = {"out": str(folder / "told.jsonl"), "calls": calls, "rounds": rounds}
    facts = watch(lambda *_: model, {"artifact": "m", "options": {}}, task, [ROWS])
    assert facts == getattr(model, "facts", {})
    return [json.loads(line) for line in (folder / "told.jsonl").read_text().splitlines()]


def test_a_call_is_told_with_the_form_of_each_output(tmp_path: Path) -> None:
    (one, two) = told(tmp_path, Model(), [[0], [2, 1]])
    assert one["forms"] == [["float32", 1, 2], ["float64", 1, 2]]
    assert two["forms"] == [["float32", 2, 2], ["float64", 1, 2]]
    assert one["finite"] is True


def test_rows_are_given_in_the_order_of_the_call(tmp_path: Path) -> None:
    seen: list[Any] = []
    told(tmp_path, lambda arrays: seen.extend(arrays) or [], [[2, 0]])
    np.testing.assert_array_equal(seen[0], ROWS[[2, 0]])


def test_rounds_repeat_all_calls_in_their_order(tmp_path: Path) -> None:
    answers = told(tmp_path, Model(), [[0], [1]], rounds=2)
    digests = [each["sha256"] for each in answers]
    assert digests[:2] == digests[2:]
    assert digests[0] != digests[1]


@pytest.mark.parametrize(("at", "by"), [(0, 1e-300), (1, 1e-15)])
def test_one_bit_of_any_output_is_another_answer(tmp_path: Path, at: int, by: float) -> None:
    first, second = told(tmp_path, Model(at, by), [[0]], rounds=2)
    assert first["sha256"] != second["sha256"]
    assert first["forms"] == second["forms"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_none_is_seen(tmp_path: Path, bad: float) -> None:
    (answer,) = told(tmp_path, lambda arrays: [arrays[0], np.array([[1.0, bad]])], [[0]])
    assert answer["finite"] is False


def test_an_exception_is_an_answer_of_one_line_and_the_next_call_is_made(tmp_path: Path) -> None:
    def picky(arrays: Any) -> list[np.ndarray]:
        if arrays[0][0, 0] == 0:
            raise ValueError("not\nthis one")
        return [arrays[0]]

    first, second = told(tmp_path, picky, [[0], [1]])
    assert first == {"error": "ValueError: not"}
    assert second["finite"] is True
