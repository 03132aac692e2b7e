"""Evidence documents: what is refused, and at which place; what comes of a sound one."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from evidence_files import SHA256, as_bytes, document, run, timed

from deployspec.errors import EvidenceFault
from deployspec.ir.evidence import (
    Classified,
    Count,
    EvidenceClass,
    Joint,
    NotMeasured,
    PairedOutcomes,
    Processes,
    Reduction,
    Share,
)
from deployspec.measure.imported import measurements, read_document
from deployspec.measure.imported.schema import evidence_schema

FILE = Path("lab.json")
SCHEMA = Path(__file__).parents[3] / "schemas" / "evidence-1.schema.json"
GOLDEN = Path(__file__).parents[2] / "golden" / "judge"
CONFUSION = [[4, 1], [2, 3]]
REFERENCE = [[5, 0], [2, 3]]
ONE_WRONG = [[1, 1, 0, 0, 0, 0], *([int(i == j) for j in range(6)] for i in range(1, 6))]
SIX = {"labels": list("abcdef"), "confusion": ONE_WRONG}
PAIRED = [{"both": 4, "broken": 1, "repaired": 0, "neither": 0}, {"both": 3, "broken": 0, "repaired": 0, "neither": 2}]


def table(**changes: Any) -> dict[str, Any]:
    return {"quality": [{"labels": ["a", "b"], "confusion": CONFUSION, **changes}]}


JOINT = table(referenceConfusion=REFERENCE, paired=PAIRED)


def faults(data: bytes) -> tuple[tuple[str, str], ...]:
    with pytest.raises(EvidenceFault) as caught:
        read_document(data, FILE)
    return caught.value.faults


@pytest.mark.parametrize(
    ("data", "pointer", "message"),
    [
        (b"{", "", "line 1, column 2: not JSON"),
        (b'{"deployspecEvidence": "\xff"}', "", "not UTF-8"),
        (b"[" * 100_000, "", "nested deeper than 64"),
        (b'{"a": ' * 65 + b"1" + b"}" * 65, "", "nested deeper than 64"),
        (b"[]", "", "no evidence document"),
        (b'{"runs": []}', "", 'it does not begin with {"deployspecEvidence": 1, …'),
        (b'{"deployspecEvidence": 2}', "/deployspecEvidence", "version 2 of evidence documents is not known: a newer"),
        (b'{"deployspecEvidence": true}', "/deployspecEvidence", "known: 1"),
        (b'{"deployspecEvidence": 1, "runs": [{"a": NaN}]}', "/runs/0/a", "NaN is no measurement: leave out"),
        (b'{"deployspecEvidence": 1, "runs": [-Infinity]}', "/runs/0", "-Infinity is no measurement"),
        (b'{"deployspecEvidence": 1, "runs": [1.5]}', "/runs/0", 'write it as "1.5"'),
        (b'{"deployspecEvidence": 1, "runs": [9007199254740992]}', "/runs/0", "beyond 2^53 - 1"),
        (b'{"deployspecEvidence": 1, "runs": [], "runs": []}', "/runs", "this key stands twice"),
        (b'{"deployspecEvidence": 1, "runs": [{"a/b~": 1e400}]}', "/runs/0/a~1b~0", "is a binary fraction"),
        (b'{"deployspecEvidence": 1, "runs": ["\\ud800"]}', "/runs/0", "half of a surrogate pair"),
        (as_bytes(document()), "/runs", "this must not be empty"),
        (as_bytes({**document(run()), "lab": "x"}), "", "unknown field 'lab'"),
        (as_bytes(document(run(proceses=[]))), "/runs/0", "unknown field 'proceses': perhaps you meant 'processes'"),
        (as_bytes(document({"target": "phone"})), "/runs/0", "'artifact' is missing"),
        (
            as_bytes(document(run("phone", "claimed"))),
            "/runs/0/evidence",
            "'claimed' is not one of device, emulator, host, reference",
        ),
        (as_bytes(document(run(sha256="abc"))), "/runs/0/artifact/sha256", "this must be 64 lower-case hex digits"),
        (as_bytes(document(run(sizeBytes="12"))), "/runs/0/sizeBytes", "expected int"),
        (as_bytes(document(run(sizeBytes=-1))), "/runs/0/sizeBytes", "this must be at least 0"),
        (as_bytes(document(run(**timed("1e3")))), "/runs/0/processes/0/p95Ms", "expected a decimal string"),
    ],
)
def test_what_is_no_document_is_refused_at_its_place(data: bytes, pointer: str, message: str) -> None:
    ((found, said),) = faults(data)
    assert found == pointer
    assert message in said


@pytest.mark.parametrize(
    ("figures", "pointer", "message"),
    [
        ({"artifact": {"name": "../m.ts", "sha256": SHA256}}, "/artifact/name", "not a bare file name"),
        ({"artifact": {"name": "..", "sha256": SHA256}}, "/artifact/name", "not a bare file name"),
        ({"artifact": {"name": "m\u202e.ts", "sha256": SHA256}}, "/artifact/name", "not a bare file name"),
        ({"device": None}, "", "must say of which device"),
        ({"device": None, "evidence": "emulator"}, "", "must say of which device"),
        ({"measuredAt": "yesterday"}, "/measuredAt", "of the form 2026-01-31T12:00:00Z"),
        ({"referenceBytes": 9}, "/referenceBytes", "needs its pair: add sizeBytes"),
        ({"agreement": [{"hits": 6, "n": 5}]}, "/agreement/0", "6 of 5 cannot be"),
        ({"agreement": [{"hits": 1, "n": 5, "split": "train"}]}, "/agreement/0/split", "'train' is no split"),
        ({"quality": [*table()["quality"] * 2]}, "/quality/1", "the test split was told of already"),
        ({**table(), "outcomes": [PAIRED[0]]}, "/outcomes/0", "the test split was told of already"),
        (table(confusion=[[10**12, 1], [0, 0]]), "/quality/0/confusion", "so many samples nobody counted"),
        ({"outcomes": [PAIRED[0] | {"neither": 10**12}]}, "/outcomes/0", "so many samples nobody counted"),
        ({"agreement": [{"hits": 1, "n": 2 * 10**12}]}, "/agreement/0", "cannot be"),
        (
            JOINT | {"agreement": [{"hits": 8, "n": 11}]},
            "/agreement/0/n",
            "11 samples, and the table of the test split 10",
        ),
        (JOINT | {"agreement": [{"hits": 6, "n": 10}]}, "/agreement/0/hits", "the paired outcomes allow 7 to 9"),
        (JOINT | {"agreement": [{"hits": 10, "n": 10}]}, "/agreement/0/hits", "the paired outcomes allow 7 to 9"),
        (timed("9" * 18), "/processes/0/p95Ms", "cannot have been measured"),
        (table(n=11), "/quality/0/n", "says 11 samples, and the confusion matrix holds 10"),
        (table(**SIX, top5=5), "/quality/0/top5", "5 of 7 cannot be, where 6 were right at once"),
        (table(**SIX, top5=8), "/quality/0/top5", "8 of 7 cannot be"),
        (table(top5=10), "/quality/0/top5", "of 2 classes each is among the 5 best: leave this out"),
        (table(labels=["a", "a"]), "/quality/0/labels", "a class is named twice"),
        (table(confusion=[[4, 1]]), "/quality/0/confusion", "1 rows, and there are 2 labels"),
        (table(confusion=[[4, 1, 0], [2, 3]]), "/quality/0/confusion/0", "3 columns, and there are 2 labels"),
        (table(referenceConfusion=[[5, 1], [2, 3]]), "/quality/0/referenceConfusion/0", "6 samples here and 5 in"),
        (table(referenceConfusion=[[3, 1], [2, 3]]), "/quality/0/referenceConfusion/0", "4 samples here and 5 in"),
        (table(referenceConfusion=REFERENCE, paired=PAIRED, rejected=PAIRED), "/quality/0/rejected/0", "add up"),
        (table(paired=PAIRED), "/quality/0/paired", "need their pair: add referenceConfusion"),
        (table(referenceConfusion=REFERENCE, rejected=PAIRED[::-1]), "/quality/0/rejected", "add paired"),
        (table(referenceConfusion=REFERENCE, paired=PAIRED[:1]), "/quality/0/paired", "1 entries, and there are 2"),
        (table(referenceConfusion=REFERENCE, paired=PAIRED[::-1]), "/quality/0/paired/0", "do not add up"),
        (timed("2", p50Ms="3"), "/processes/0/p95Ms", "2 ms is below p50Ms, 3 ms"),
        (timed("-1"), "/processes/0/p95Ms", "this must be at least 0"),
        (timed("1" + "0" * 17), "/processes/0/p95Ms", "100000000000000000 cannot have been measured"),
        ({"processes": [{"callsMs": ["1", "-1"]}]}, "/processes/0/callsMs/1", "this must be at least 0"),
        ({"processes": [{"p95Ms": "1"}]}, "/processes/0", 'add "calls"'),
        ({"processes": [{"callsMs": ["1"], "calls": 1}]}, "/processes/0/callsMs", "not both"),
        ({"processes": [{"loadMs": "1"}, {"energyMj": "1"}]}, "/processes/1", "loadMs is given by 1 of 2 processes"),
        ({"processes": [{"pairsMs": [["1", "0"]]}]}, "/processes/0/pairsMs/0/1", "this must be more than 0"),
        ({"processes": [{"pairsMs": [["1", "0.0000001"]]}]}, "/processes/0/pairsMs/0", "that can be measured"),
        ({"processes": [{"quartersMs": ["0", "1"]}]}, "/processes/0/quartersMs/0", "this must be more than 0"),
        (
            {"processes": [{"quartersMs": ["0.0000001", "1"]}]},
            "/processes/0/quartersMs",
            "two times that can be measured",
        ),
    ],
)
def test_a_contradiction_is_refused_at_its_place(figures: dict[str, Any], pointer: str, message: str) -> None:
    found = faults(as_bytes(document(run() | figures)))
    assert any(place == f"/runs/0{pointer}" and message in said for place, said in found), found


def test_a_process_that_repeats_another_call_by_call_is_refused() -> None:
    calls, others = ["1"] * 49 + ["2"], ["1"] * 48 + ["2", "1"]
    found = faults(as_bytes(document(run(processes=[{"callsMs": each} for each in (calls, others, calls)]))))
    said = "its 50 calls took what those of process 0 took, one by one: a copy is no process of its own"
    assert found == (("/runs/0/processes/2/callsMs", said),)


@pytest.mark.parametrize("calls", [["1"] * 48 + ["2"], ["1"] * 100], ids=["few calls", "a coarse clock"])
def test_calls_may_be_alike_where_that_can_be_chance(calls: list[str]) -> None:
    read_document(as_bytes(document(run(processes=[{"callsMs": calls}] * 2))), FILE)


@pytest.mark.parametrize(
    "figure",
    [
        {"p50Ms": "1"}, {"p90Ms": "1"}, {"p95Ms": "1"}, {"p99Ms": "1"}, {"maxMs": "1"}, {"loadMs": "1"},
        {"firstCallMs": "1"}, {"memoryPeakBytes": 1}, {"energyMj": "1"}, {"callsMs": ["1"]},
        {"quartersMs": ["1", "1"]}, {"pairsMs": [["1", "1"]]},
    ],
)  # fmt: skip
def test_no_process_may_leave_out_what_the_others_give(figure: dict[str, Any]) -> None:
    (name,) = figure
    calls = {} if name == "callsMs" else {"calls": 1}
    said = dict(faults(as_bytes(document(run(processes=[calls | figure, calls])))))
    assert said["/runs/0/processes/1"].startswith(f"{name} is given by 1 of 2 processes")


def test_a_ratio_without_its_pair_is_refused() -> None:
    found = faults(as_bytes(document(run(processes=[{"pairsMs": [["1.5"]]}]))))
    assert found == (("/runs/0/processes/0/pairsMs/0", "expected 2 items"),)


def test_every_contradiction_is_told_in_one_message() -> None:
    with pytest.raises(EvidenceFault) as caught:
        read_document(as_bytes(document(run(**table(n=11)), run(measuredAt="x"))), FILE)
    assert str(caught.value).splitlines() == [
        "lab.json:/runs/0/quality/0/n: it says 11 samples, and the confusion matrix holds 10: one of them is wrong",
        "lab.json:/runs/1/measuredAt: 'x' is not a time of the form 2026-01-31T12:00:00Z",
    ]


def statistics(figures: dict[str, Any], *, counts: bool = True) -> dict[str, tuple[Any, EvidenceClass]]:
    (only,) = read_document(as_bytes(document(run() | figures)), FILE).runs
    return {each.name: (each.statistic, each.evidence) for each in measurements(only, "f" * 64, counts=counts)}


def test_figures_become_what_budgets_are_measured_from() -> None:
    found = statistics(
        {
            "sizeBytes": 50,
            "referenceBytes": 200,
            "agreement": [{"hits": 8, "n": 10}],
            **table(referenceConfusion=REFERENCE, paired=PAIRED),
        }
    )
    assert found["size"] == (Count(value=Decimal(50)), EvidenceClass.STATIC)
    assert found["size_reduction"] == (Reduction(before=Decimal(200), after=Decimal(50)), EvidenceClass.STATIC)
    assert found["agreement"] == (Share(hits=8, n=10), EvidenceClass.DEVICE)
    quality, evidence = found["quality"]
    assert isinstance(quality, Classified)
    assert (quality.n, quality.paired[0].broken, quality.rejected, evidence) == (10, 1, (), EvidenceClass.DEVICE)


def test_joint_outcomes_without_classes_are_a_figure_of_quality() -> None:
    ((statistic, evidence),) = statistics({"outcomes": [{**PAIRED[0], "split": "field"}]}).values()
    pair = PairedOutcomes(both=4, broken=1, repaired=0, neither=0)
    assert (statistic, evidence) == (Joint(outcomes=pair), EvidenceClass.DEVICE)


def test_what_nobody_vouches_for_is_claimed_whatever_it_says() -> None:
    found = statistics({"sizeBytes": 50, "agreement": [{"hits": 4, "n": 5}]}, counts=False)
    assert {evidence for _, evidence in found.values()} == {EvidenceClass.CLAIMED}


def test_processes_give_one_value_each() -> None:
    calls = [str(i) for i in range(1, 101)]
    process = {
        "callsMs": calls,
        "loadMs": "7",
        "firstCallMs": "3.5",
        "memoryPeakBytes": 1000,
        "energyMj": "0.25",
        "quartersMs": ["2", "3"],
        "pairsMs": [["1", "4"], ["2", "2"], ["3", "6"], *[["9", "18"]] * 47],
        "contended": True,
    }
    found = {name: statistic for name, (statistic, _) in statistics({"processes": [process]}).items()}
    values = {name: each.values for name, each in found.items() if isinstance(each, Processes)}
    assert values == {
        "latency.p50": (Decimal(50),),
        "latency.p90": (Decimal(90),),
        "latency.p95": (Decimal(95),),
        "latency.max": (Decimal(100),),
        "load": (Decimal(7),),
        "first_call": (Decimal("3.5"),),
        "cold_start": (Decimal("10.5"),),
        "memory_peak": (Decimal(1000),),
        "energy": (Decimal("0.25"),),
        "sustained_slowdown": (Decimal("0.5"),),
        "latency_reduction": (Decimal("0.5"),),
    }
    assert all(each.contended == (True,) for each in found.values() if isinstance(each, Processes))
    assert found["latency.p99"] == NotMeasured(reason="100 calls in a process tell no latency.p99, which takes 1000")


def test_a_quantile_of_calls_is_one_that_as_many_do_not_pass() -> None:
    found = statistics({"processes": [{"callsMs": [str(i) for i in range(1, 102)]}]})
    assert [found[f"latency.p{share}"][0].values for share in (50, 90, 95)] == [(51,), (91,), (96,)]


def test_a_ratio_takes_as_many_pairs_in_each_process_as_one_of_our_own() -> None:
    few, enough = ({"pairsMs": [["1", "2"]] * pairs} for pairs in (49, 50))
    told = statistics({"processes": [enough]})["latency_reduction"][0]
    assert told == Processes(values=(Decimal("0.5"),), calls=50, contended=(False,))
    too_few = NotMeasured(reason="49 calls in a process tell no latency_reduction, which takes 50")
    assert statistics({"processes": [few, enough]})["latency_reduction"][0] == too_few


def test_the_committed_schema_is_the_generated_one() -> None:
    assert json.loads(SCHEMA.read_text()) == evidence_schema(), (
        "run: deployspec schema --of evidence --out schemas/evidence-1.schema.json"
    )


def test_the_schema_takes_what_is_read_and_refuses_what_has_another_form() -> None:
    validator = jsonschema.Draft202012Validator(evidence_schema())
    for path in GOLDEN.glob("*/evidence.json"):
        validator.validate(json.loads(path.read_text()))
    sound = document(run(**timed("1.5", loadMs="0", energyMj="0.0", quartersMs=["0.01", "10"], pairsMs=[["1", "2.0"]])))
    validator.validate(sound)
    negative = [run(**timed("1.5", **{name: "-1"})) for name in ("loadMs", "p50Ms", "energyMj")]
    ratios = [run(**timed("1", quartersMs=["0", "1"])), run(**timed("1", pairsMs=[["1", "0.00"]]))]
    form = (run(**timed("1e3")), run(sizeBytes=-1), run(sha256="x"), run(proceses=[]), {"target": "phone"})
    for wrong in (*form, *negative, *ratios):
        assert not validator.is_valid(document(wrong))
    assert not validator.is_valid(sound | {"deployspecEvidence": 2})
