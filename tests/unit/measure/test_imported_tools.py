"""Logs of benchmark tools, as these tools write them, become processes: one a run."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from deployspec.errors import EvidenceFault
from deployspec.ir.evidence_file import Process
from deployspec.measure.imported import from_tool, kind_of_log

LITERT = b"""{
  "model": "digits.tflite",
  "model_size_mb": 0.02,
  "accelerators": [
    "CPU"
  ],
  "signature": "serving_default",
  "fully_accelerated": true,
  "num_threads": 1,
  "latency": {
    "init_ms": 24.86,
    "warmup_first_ms": 0.19,
    "warmup_avg_ms": 0.05,
    "num_warmup_runs": 5,
    "avg_ms": 0.01,
    "min_ms": 0.01,
    "max_ms": 0.07,
    "median_ms": 0.01,
    "std_ms": 0.01,
    "p5_ms": 0.01,
    "p95_ms": 0.02,
    "num_runs": 100
  },
  "throughput_mb_s": 25.09
}
"""

WITH_PERCENTILES = b"""INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Graph: [mobilenet_quant_v1_224.tflite]
INFO: Loaded model mobilenet_quant_v1_224.tflite
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
INFO: The input model file size (MB): 4.2761
INFO: Initialized session in 87.639ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=5 first=106436 curr=105929 min=105929 max=106436 avg=106065 std=193 p5=105929 median=105948 p95=106436

INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
INFO: count=50 first=106022 curr=105780 min=105416 max=106528 avg=105784 std=260 p5=105485 median=105718 p95=106281

INFO: Inference timings in us: Init: 87639, First inference: 106436, Warmup (avg): 106065, Inference (avg): 105784
INFO: Memory footprint delta from the start of the tool (MB): init=14.4414 overall=14.8164
"""

WITHOUT_PERCENTILES = b"""STARTING!
Loaded model /data/local/tmp/espcn.tflite
Initialized session in 0.855ms.
count=15 first=49060 curr=33682 min=32825 max=49060 avg=34825.1 std=3930

count=50 first=32891 curr=33978 min=32641 max=34005 avg=33209.4 std=450

Inference timings in us: Init: 855, First inference: 49060, Warmup (avg): 34825.1, Inference (avg): 33209.4
Peak memory footprint (MB): init=0 overall=12.8672
Operator-wise Profiling Info for Regular Benchmark Runs:
Timings (microseconds): count=1 curr=354176
Timings (microseconds): count=50 first=1 curr=2 min=1 max=3 avg=2 std=1
"""

OF_LOGCAT = b"""I tflite  : count=25 first=187533 curr=140990 min=140071 max=195121 avg=1.45528e+05 std=13583
I tflite  : Inference timings in us: Init: 92318, First inference: 1.9e+05, Warmup (avg): 2.1e+05, Inference (avg): 1e5
"""

FILE = Path("run.txt")


def read(data: bytes) -> tuple[Process, ...]:
    return from_tool(data, FILE)


def ms(text: str) -> Decimal:
    return Decimal(text)


def test_the_json_of_litert_benchmark_at_the_most_that_it_rounded_down() -> None:
    expected = Process(
        calls=100,
        p50_ms=ms("0.015"),
        p95_ms=ms("0.025"),
        max_ms=ms("0.075"),
        load_ms=ms("24.865"),
        first_call_ms=ms("0.195"),
    )
    assert read(LITERT) == (expected,)
    (without_warm_up,) = read(LITERT.replace(b'"num_warmup_runs": 5', b'"num_warmup_runs": 0'))
    assert without_warm_up.first_call_ms is None


def test_the_text_of_benchmark_model_is_one_process_at_the_most_that_it_cut_off() -> None:
    expected = Process(
        calls=50,
        p50_ms=ms("105.719"),
        p95_ms=ms("106.282"),
        max_ms=ms("106.529"),
        load_ms=ms("87.64"),
        first_call_ms=ms("106.437"),
    )
    assert read(WITH_PERCENTILES) == (expected,)


def test_an_older_text_tells_no_percentile_and_its_profile_is_not_taken_for_timings() -> None:
    expected = Process(calls=50, max_ms=ms("34.006"), load_ms=ms("0.856"), first_call_ms=ms("49.061"))
    assert read(WITHOUT_PERCENTILES) == (expected,)


def test_a_log_of_a_device_with_prefixes_and_exponents() -> None:
    expected = Process(calls=25, max_ms=ms("195.122"), load_ms=ms("92.319"), first_call_ms=ms("190.001"))
    assert read(OF_LOGCAT) == (expected,)


def test_two_runs_in_one_file_are_two_processes() -> None:
    assert read(WITH_PERCENTILES + OF_LOGCAT.partition(b"\n")[2]) == read(WITH_PERCENTILES), (
        "one without its statistics"
    )
    assert read(WITH_PERCENTILES + WITHOUT_PERCENTILES) == (*read(WITH_PERCENTILES), *read(WITHOUT_PERCENTILES))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("latency_ms\n1.5\n2\n", [["1.5", "2"]]),
        ("us\n1500\n0\n", [["1.5", "0"]]),
        ("process, latency (ns)\n1, 250\n2, 500\n1, 750\n", [["0.00025", "0.00075"], ["0.0005"]]),
        ("Inference_S,process\n0.25,a\n", [["250"]]),
    ],
)
def test_a_csv_of_samples(text: str, expected: list[list[str]]) -> None:
    assert [each.calls_ms for each in read(text.encode())] == [tuple(map(Decimal, calls)) for calls in expected]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is none of"),
        (b"a,b\n1,2\n", "it is none of"),
        (b'{"latency": {}}', "it is none of"),
        (LITERT.replace(b"24.86", b'"fast"'), "/latency/init_ms: 'fast' is no time"),
        (LITERT.replace(b"24.86", b"NaN"), "/latency/init_ms: 'NaN' is no time"),
        (LITERT.replace(b"24.86", b"1e400"), "/latency/init_ms: '1e400' is no time"),
        (LITERT.replace(b"24.86", b"1e999999999"), "/latency/init_ms: '1e999999999' is no time"),
        (LITERT.replace(b'"num_runs": 100', b'"num_runs": 1.5'), "/latency/num_runs: '1.5' is no number of calls"),
        (LITERT.replace(b'"num_runs": 100', b'"num_runs": 1' + b"0" * 99), "/latency/num_runs: '10000"),
        (WITH_PERCENTILES.replace(b"median=105718", b"median=1=2"), "'1=2' is no time"),
        (WITH_PERCENTILES.replace(b"median=105718", b"median=1e999999999"), "'1e999999999' is no time"),
        (WITH_PERCENTILES.replace(b"count=50", b"count=" + b"9" * 5000), "is no number of calls"),
        (b"ms\n1\n" + b"2" * 200_000 + b"\n", "line 3: field larger than field limit"),
        (b"ms\n1e999999999\n", "line 2: '1e999999999' is no time"),
        (LITERT.replace(b'    "p95_ms": 0.02,\n', b""), "not as litert-benchmark writes it: 'p95_ms'"),
        (b"Inference timings in us: cut off", "it holds no timing"),
        (OF_LOGCAT.partition(b"\n")[2], "it holds no timing"),
        (b"ms\n", "it holds no timing"),
        (b"a_ms,b_us\n1,2\n", "one column"),
        (b"ms\nfast\n", "line 2: 'fast' is no time"),
        (b"ms\n1\n-1\n", "line 3: '-1' is no time"),
        (b"ms\nnan\n", "line 2: 'nan' is no time"),
        (b"ms,process\n,1\n", "line 2: '' is no time"),
    ],
)
def test_what_is_no_log_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(EvidenceFault, match=r"run\.txt") as caught:
        read(data)
    assert message in str(caught.value)


def test_a_document_is_no_log() -> None:
    assert kind_of_log(b'{"deployspecEvidence": 1, "runs": []}') is None
