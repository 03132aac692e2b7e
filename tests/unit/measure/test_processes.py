"""What waiting may have done to a percentile, against every other way in which it could have been spread."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from bench_lane import line, ratio
from hypothesis import example, given
from hypothesis import strategies as st

from deployspec.ir.evidence import NotMeasured
from deployspec.measure.processes import (
    memory,
    percentile,
    reductions,
    slowdowns,
    slowness,
    times,
    undisturbed_ratio,
    waited_ns,
    waits,
)

calls_ns = st.lists(st.integers(1, 1000), min_size=1, max_size=60)
percents = st.sampled_from([1, 50, 90, 95, 99, 100])


@given(calls=calls_ns, percent=percents)
def test_without_waiting_a_percentile_is_itself(calls: list[int], percent: int) -> None:
    value, least = percentile(calls, percent, 0)
    assert value == least == sorted(calls)[math.ceil(percent / 100 * len(calls)) - 1]


@given(calls=calls_ns, percent=percents, waited=st.integers(0, 5000), seed=st.integers(0, 1000))
def test_however_the_waiting_was_spread_the_percentile_was_not_below_its_least(
    calls: list[int], percent: int, waited: int, seed: int
) -> None:
    _, least = percentile(calls, percent, waited)
    shares = np.random.default_rng(seed).dirichlet([0.3] * len(calls)) * waited
    undisturbed = np.maximum(np.array(calls) - shares, 0)
    assert percentile([*undisturbed], percent, 0)[0] >= least - 1e-9


@example(calls=[1], percent=100, waits=1, seed=0)
@given(calls=calls_ns, percent=percents, waits=st.integers(0, 70), seed=st.integers(0, 1000))
def test_a_wait_is_in_one_call_however_long_it_was(calls: list[int], percent: int, waits: int, seed: int) -> None:
    _, least = percentile(calls, percent, 10**9, waits)
    generator = np.random.default_rng(seed)
    hit = generator.permutation(len(calls))[:waits]
    undisturbed = np.array(calls, float)
    undisturbed[hit] *= generator.random(len(hit))
    assert percentile([*undisturbed], percent, 0)[0] >= least - 1e-9
    lowered = [0] * waits + sorted(calls)[: max(0, math.ceil(percent / 100 * len(calls)) - waits)]
    assert least == (lowered[-1] if len(lowered) > waits else 0)


@given(calls=calls_ns, percent=percents, waited=st.integers(1, 5000))
def test_the_least_is_reached_when_the_waiting_fell_where_it_counts_most(
    calls: list[int], percent: int, waited: int
) -> None:
    value, least = percentile(calls, percent, waited)
    rank = math.ceil(percent / 100 * len(calls))
    lowered = [min(call, least) for call in sorted(calls)[:rank]] + sorted(calls)[rank:]
    assert percentile(lowered, percent, 0)[0] == least
    spent = sum(calls) - sum(lowered)
    assert spent == pytest.approx(waited) if least else spent <= waited + 1e-9
    assert least < value


def test_few_interruptions_touch_the_tail_and_not_the_middle() -> None:
    """94 calls of 1 ms and six of 3 ms: one wait of 2 ms may be what made the sixth, and is nothing to the others."""
    six_slow = {"calls_ns": [10**6] * 94 + [3 * 10**6] * 6, "wall_s": 1.0, "cpu_s": 0.998, "involuntary_switches": 1}
    found = times(100, [line(**six_slow)])
    assert found["latency.p95"].values == (3,)
    assert found["latency.p95"].contended == (True,)
    assert found["latency.p95"].least == (1,)
    assert found["latency.p50"].contended == (False,)
    assert found["latency.p50"].least == (1,)


@pytest.mark.parametrize("stolen_s", [0.01, None])
def test_what_the_host_of_a_virtual_machine_took_may_lie_anywhere(stolen_s: float | None) -> None:
    assert waits(line(involuntary_switches=2, voluntary_switches=1)) == 3
    assert waits(line(involuntary_switches=2, voluntary_switches=1, stolen_s=stolen_s)) is None
    found = times(100, [line(calls_ns=[10**6] * 100, wall_s=0.2, cpu_s=0.1, stolen_s=stolen_s)])
    assert found["latency.p50"].least == (0,)


def test_a_machine_that_was_quicker_while_it_warmed_up_could_have_been_so_for_longer() -> None:
    slowed = line(warmup_ns=[40_000_000] * 5000)  # 50 ms was the median call
    found = times(100, [slowed, line()])
    assert found["latency.p50"].values == (50, 50)
    assert found["latency.p50"].least == (40, 50)
    assert found["latency.p95"].least == (76, 95)
    assert found["load"].least == (Decimal("5.6"), 7)
    assert found["latency.p50"].contended == (True, False)


def test_a_process_that_waited_and_was_slowed_down_could_have_been_quicker_on_both_accounts() -> None:
    calls = [50_000_000] * 4 + [100_000_000] * 96
    found = times(100, [line(calls_ns=calls, warmup_ns=calls[-20:], wall_s=10.0, cpu_s=7.0, stolen_s=None)])
    assert found["latency.p95"].least == (Decimal("33.516484"),)  # (91 * 100 - 3000) / 91, at twice the speed


def test_a_clock_that_saw_no_time_pass_divides_nothing_by_zero() -> None:
    assert slowness(line(warmup_ns=[0] * 5000)) > 1
    assert reductions([ratio(*[(5, 0)] * 50)]).values[0] < -1


def test_one_pair_that_is_out_of_line_makes_no_reduction() -> None:
    assert undisturbed_ratio([(9.9, 10)] * 9 + [(1, 10)]) == pytest.approx(0.99)


def test_the_ratio_is_that_of_all_inputs_that_took_turns_and_not_of_the_quickest_alone() -> None:
    easy, hard, harder = (1, 10), (50, 100), (90, 100)
    assert undisturbed_ratio([easy, hard, harder] * 20, inputs=3) == pytest.approx(0.5)
    disturbed = [easy, (99, 100), harder] * 20
    assert undisturbed_ratio([*disturbed, easy, hard, harder, *[(2, 20), hard, (91, 100)] * 3], 3) == pytest.approx(0.5)
    assert undisturbed_ratio([easy, hard], inputs=9) == pytest.approx(0.3)
    assert reductions([ratio(*[easy, hard, harder] * 20, inputs=3)]).values == (Decimal("0.5"),)


def test_no_process_could_have_been_slower_than_it_was() -> None:
    assert slowness(line(warmup_ns=[60_000_000] * 5000)) == 1


def test_a_process_that_had_more_threads_than_one_never_waited_less_than_nothing() -> None:
    assert waited_ns(line(wall_s=1.0, cpu_s=1.9)) == 0


def test_a_ratio_is_marked_when_a_tenth_of_its_run_was_waiting() -> None:
    told = reductions([ratio((1, 2)), ratio((1, 2), cpu_s=0.905), ratio((1, 2), cpu_s=0.89)])
    assert told.contended == (False, False, True)
    assert told.least == ()


def quarter(median_ns: float, **disturbed: Any) -> dict[str, Any]:
    return {"median_ns": median_ns, "calls": 9, "wall_s": 1.0, "cpu_s": 1.0} | disturbed


def test_a_sustained_run_is_its_last_quarter_against_its_first() -> None:
    steady = {"quarters": [quarter(100), quarter(500, cpu_s=0.1), quarter(1), quarter(130, calls=7)]}
    disturbed = [{"quarters": [quarter(100, cpu_s=first), *[quarter(1)] * 2, quarter(90, cpu_s=last)]}
                 for first, last in ((0.8, 1), (1, 0.8))]  # fmt: skip
    told = slowdowns([steady, *disturbed])
    assert told.values == (Decimal("0.3"), Decimal("-0.1"), Decimal("-0.1"))
    assert told.contended == (False, True, True)
    assert told.calls == 7


def test_of_processes_that_told_nothing_no_figure_is_measured() -> None:
    told = [*times(100, []).values(), memory([]), reductions([]), slowdowns([])]
    assert {type(each) for each in told} == {NotMeasured}
