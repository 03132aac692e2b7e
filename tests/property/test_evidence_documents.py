"""Whatever others write into an evidence document: it is refused, or judged and recorded."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence_files import as_bytes, document, run
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_evidence import AT, budget, rules

from deployspec.errors import EvidenceFault
from deployspec.ir import codec
from deployspec.judge import judge
from deployspec.measure.imported import measurements, read_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deployspec.ir.evidence import Rules

PAIRED = [{"both": 4, "broken": 1, "repaired": 0, "neither": 0}, {"both": 3, "broken": 0, "repaired": 0, "neither": 2}]
TABLE = {
    "labels": ["a", "b"],
    "confusion": [[4, 1], [2, 3]],
    "referenceConfusion": [[5, 0], [2, 3]],
    "paired": PAIRED,
    "rejected": PAIRED[::-1],
    "n": 10,
}
PROCESS = {"calls": 100, "p50Ms": "4", "p95Ms": "5", "loadMs": "1", "firstCallMs": "2"}
PAIRS = [["1", "2"]] * 50
SOUND = document(
    run(
        sizeBytes=50,
        referenceBytes=200,
        quality=[TABLE],
        outcomes=[{**PAIRED[0], "split": "field"}],
        agreement=[{"hits": 9, "n": 10}],
        processes=[{**PROCESS, "energyMj": "0.1", "memoryPeakBytes": 9, "quartersMs": ["1", "2"], "pairsMs": PAIRS}]
        * 6,
    )
)
BUDGETS = (
    budget("size_reduction", ">= 50 %"),
    budget("latency_p95", "< 10 ms"),
    budget("latency_reduction", ">= 30 %"),
    budget("sustained_slowdown", "< 10 %"),
    budget("energy", "< 5 mJ"),
    budget("agreement", ">= 99 %"),
    budget("accuracy_drop", "< 2 pp"),
    budget("accuracy_drop", "< 2 pp", on_field=True),
    budget("precision_drop", "< 2 %", "b"),
    budget("macro_f1", ">= 50 %"),
)
NUMBERS = st.one_of(st.integers(-2, 3), st.integers(), st.sampled_from([10**12, 2**53 - 1]))
TEXTS = st.one_of(
    st.sampled_from(["", "test", "field", "a", "host", "0", "-1", "1e9", "NaN", "9" * 60, "0." + "0" * 59 + "1"]),
    st.decimals(allow_nan=False, allow_infinity=False, places=7).map(str),
    st.text(max_size=8),
)
VALUES = st.one_of(NUMBERS, TEXTS, st.booleans(), st.none(), st.just([]), st.just({}), st.floats())


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    yield from chain.from_iterable(places(inner, (*path, key)) for key, inner in items)


def is_one_of_many(path: tuple[str | int, ...]) -> bool:
    """Whether it lies in a pair of calls like the first one."""
    return path[4:5] == ("pairsMs",) and path[5:6] > (0,)


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    if not path:
        return new
    first, *rest = path
    items = dict(value.items()) if isinstance(value, dict) else dict(enumerate(value))
    changed = items | {first: replaced(items[first], tuple(rest), new)}
    return changed if isinstance(value, dict) else list(changed.values())


def judged(data: bytes, by: Rules) -> int:
    """How many verdicts follow from the document, each of which can be written."""
    found = read_document(data, Path("lab.json"))
    figures = tuple(chain.from_iterable(measurements(each, "0" * 64, counts=True) for each in found.runs))
    verdicts = judge("phone", BUDGETS, figures, by, (), AT)
    codec.encode(figures)
    codec.encode(verdicts)
    return sum(each.estimate is not None for each in verdicts)


def test_the_document_that_is_changed_is_sound_and_decides_every_budget() -> None:
    assert judged(as_bytes(SOUND), rules()) == len(BUDGETS)


@settings(max_examples=300, deadline=None)
@given(
    path=st.sampled_from([path for path in places(SOUND) if path and not is_one_of_many(path)]),
    value=VALUES,
    confidence=st.sampled_from(["0.95", None]),
)
def test_a_changed_document_is_refused_or_judged(path: tuple[str | int, ...], value: Any, confidence: str) -> None:
    with suppress(EvidenceFault):
        judged(as_bytes(replaced(SOUND, path, value)), rules(confidence))
