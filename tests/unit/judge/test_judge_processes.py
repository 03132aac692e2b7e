"""The median over processes: looks, contention."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from sample_evidence import budget, measured, processes, rules, verdict
from scipy.stats import quantile_test

from deployspec.ir.evidence import NotMeasured
from deployspec.ir.verdict import Outcome
from deployspec.judge import LOOKS, timing_decided
from deployspec.judge.processes import median_bounds
from deployspec.judge.ranks import rank_above

LIMIT = budget("latency_p95", "< 100 ms")


def outcome(*values: int, contended: tuple[bool, ...] = (), confidence: str | None = "0.95") -> Outcome:
    return verdict(LIMIT, [measured("latency.p95", processes(*values, contended=contended))], rules(confidence)).verdict


@pytest.mark.parametrize("n", [*LOOKS, 13])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 3])
def test_the_bounds_of_the_median_are_those_of_scipy(n: int, alpha: float) -> None:
    values = np.random.default_rng(n).lognormal(size=n)
    figure = median_bounds([Decimal(value) for value in values], alpha)
    below = quantile_test(values, q=1, p=0.5, alternative="less").confidence_interval(1 - alpha)
    above = quantile_test(values, q=1, p=0.5, alternative="greater").confidence_interval(1 - alpha)
    assert (float(figure.lower), float(figure.upper)) == (above.low, below.high)


def test_the_three_looks_together_err_at_most_alpha() -> None:
    """200,000 runs at the worst truth, a median on the limit: a pass is an error, at whichever look it comes."""
    heads = np.random.default_rng(7).random((200_000, 24)) < 0.5
    above = {look: (~heads[:, :look]).sum(axis=1) for look in LOOKS}
    passes = np.logical_or.reduce([above[look] <= look - rank_above(look, 0.5, 0.05 / 3) for look in LOOKS])
    assert 0.01 < passes.mean() <= 0.05


def test_ties_and_no_spread() -> None:
    figure = median_bounds([Decimal(5)] * 6, 0.05 / 3)
    assert (figure.lower, figure.estimate, figure.upper) == (5, 5, 5)
    assert outcome(*[100] * 6) is Outcome.FAIL
    assert outcome(*[99] * 6) is Outcome.PASS


def test_a_limit_is_proven_by_the_largest_and_broken_by_the_smallest_of_six() -> None:
    assert outcome(90, 91, 92, 93, 94, 99) is Outcome.PASS
    assert outcome(90, 91, 92, 93, 94, 100) is Outcome.INCONCLUSIVE
    assert outcome(101, 102, 103, 104, 105, 100) is Outcome.FAIL


def test_fewer_processes_than_the_first_look_prove_nothing_except_as_a_point() -> None:
    assert outcome(1, 1, 1, 1, 1) is Outcome.INCONCLUSIVE
    assert outcome(1, 1, 1, 1, 1, confidence="0.9") is Outcome.INCONCLUSIVE
    assert outcome(1, confidence=None) is Outcome.PASS


def test_the_first_look_that_decides_is_the_verdict() -> None:
    """Six processes prove the limit; that some later ones are slow does not count, as no one would have looked."""
    found = verdict(LIMIT, [measured("latency.p95", processes(*[90] * 6, *[500, 90] * 9))])
    assert (found.verdict, found.n) == (Outcome.PASS, 6)


@pytest.mark.parametrize(("first", "later", "said"), [(90, 500, "prove the opposite (pass)"), (500, 90, "(fail)")])
def test_where_all_prove_the_opposite_of_the_first_nothing_is_proven(first: int, later: int, said: str) -> None:
    """Whoever hands in 24 processes chose their order."""
    found = verdict(LIMIT, [measured("latency.p95", processes(*[first] * 6, *[later] * 18))])
    assert (found.verdict, found.n, found.estimate) == (Outcome.INCONCLUSIVE, 24, later)
    assert said in found.reason


def test_a_point_is_the_median_of_every_process() -> None:
    found = verdict(LIMIT, [measured("latency.p95", processes(*[90] * 6, *[500] * 18))], rules(None))
    assert (found.verdict, found.n, found.estimate) == (Outcome.FAIL, 24, 500)


def test_processes_between_two_looks_wait_for_the_next() -> None:
    found = verdict(LIMIT, [measured("latency.p95", processes(*[90, 110] * 5))])
    assert (found.verdict, found.n) == (Outcome.INCONCLUSIVE, 6)


def test_a_later_look_forgives_an_outlier() -> None:
    slow_once = [90] * 5 + [150] + [90] * 6
    assert outcome(*slow_once[:6]) is Outcome.INCONCLUSIVE
    assert outcome(*slow_once) is Outcome.PASS


def test_99_percent_needs_the_second_look_and_seven_nines_have_none() -> None:
    evidence = measured("latency.p95", processes(*[90] * 24))
    assert verdict(LIMIT, [evidence], rules("0.99")).n == 12
    found = verdict(LIMIT, [evidence], rules("0.9999999"))
    assert (found.verdict, found.lower, found.upper) == (Outcome.INCONCLUSIVE, None, None)
    assert "no number of processes up to 24 would decide it" in found.reason


def test_an_inconclusive_verdict_says_how_many_more_processes_would_decide() -> None:
    found = verdict(LIMIT, [measured("latency.p95", processes(90, 91, 92, 93, 94, 101))])
    assert "18 more processes like these would decide it" in found.reason


def test_contention_may_have_slowed_a_failure_but_never_hurried_a_pass() -> None:
    marked = (False, True, False, False, False, False)
    assert outcome(*[200] * 6) is Outcome.FAIL
    assert outcome(*[200] * 6, contended=marked) is Outcome.INCONCLUSIVE
    assert outcome(*[90] * 6, contended=marked) is Outcome.PASS
    found = verdict(LIMIT, [measured("latency.p95", processes(*[200] * 6, contended=marked))])
    told = "; 1 of 6 processes was contended and could have flipped it, so measure on a quiet machine"
    assert found.reason.endswith(told)
    marked = (True,) * 4 + (False,) * 2 + (True,) * 3
    found = verdict(LIMIT, [measured("latency.p95", processes(*[200] * 9, contended=marked))])
    assert "; 4 of 6 processes were contended and" in found.reason, "of those that the look has"


def test_a_failure_stands_where_all_the_waiting_could_not_have_caused_it() -> None:
    for least, told in ((101, Outcome.FAIL), (100, Outcome.FAIL), (99, Outcome.INCONCLUSIVE)):
        slow = processes(*[200] * 6, contended=(True,) * 6, least=(*[150] * 5, least))
        assert verdict(LIMIT, [measured("latency.p95", slow)]).verdict is told
    quick = processes(*[90] * 6, contended=(True,) * 6, least=(1,) * 6)
    assert verdict(LIMIT, [measured("latency.p95", quick)]).verdict is Outcome.PASS


def test_what_the_least_was_counts_up_to_the_look_that_decides() -> None:
    undecided_at_six = processes(*[200] * 12, least=(*[150] * 5, 50, *[150] * 6))
    found = verdict(LIMIT, [measured("latency.p95", undecided_at_six)])
    assert (found.verdict, found.n) == (Outcome.FAIL, 12)


def test_a_later_look_outvotes_one_contended_process() -> None:
    assert outcome(*[200] * 12, contended=(True, *[False] * 11)) is Outcome.FAIL


def test_contention_counts_for_a_point_too() -> None:
    assert outcome(90, 110, 120, contended=(False, True, True), confidence=None) is Outcome.INCONCLUSIVE


def test_contention_can_flip_a_comparison_either_way_and_memory_not_at_all() -> None:
    marked = (True, *[False] * 5)
    for name, limit, good, bad in (
        ("latency_reduction", ">= 30 %", "0.5", "0.1"),
        ("sustained_slowdown", "< 30 %", "0.1", "0.5"),
        ("energy", "< 3 mJ", "1", "5"),
    ):
        for value, quiet in ((good, Outcome.PASS), (bad, Outcome.FAIL)):
            undisturbed, disturbed = processes(*[value] * 6), processes(*[value] * 6, contended=marked)
            assert verdict(budget(name, limit), [measured(name, undisturbed)]).verdict is quiet
            assert verdict(budget(name, limit), [measured(name, disturbed)]).verdict is Outcome.INCONCLUSIVE
    memory = budget("memory_peak", "< 200 MB")
    large = measured("memory_peak", processes(*[300_000_000] * 6, contended=marked))
    assert verdict(memory, [large]).verdict is Outcome.FAIL


def test_a_warning_asks_for_another_look_at_the_good_band() -> None:
    banded = budget("latency_p95", "< 200 ms", good="< 100 ms")
    once = [measured("latency.p95", processes(90, 91, 92, 93, 94, 101))]
    assert verdict(banded, once).verdict is Outcome.WARN
    assert not timing_decided([banded], once, rules())
    assert timing_decided([banded], [measured("latency.p95", processes(*[150] * 6))], rules())


def test_timing_stops_when_every_budget_is_decided_or_nothing_can() -> None:
    open_, done = processes(90, 91, 92, 93, 94, 101), processes(*[90] * 6)
    assert timing_decided([LIMIT], [measured("latency.p95", done)], rules())
    assert not timing_decided([LIMIT], [measured("latency.p95", open_)], rules())
    assert not timing_decided([LIMIT], [measured("latency.p95", processes(*[90, 110] * 6))], rules())
    assert timing_decided([LIMIT], [measured("latency.p95", processes(*[90, 110] * 12))], rules())
    assert timing_decided([LIMIT], [measured("latency.p95", NotMeasured(reason="crashed"))], rules())
    assert timing_decided([LIMIT], [measured("latency.p95", processes())], rules())
    assert timing_decided([budget("size", "< 1 MB")], [], rules())
    both = [measured("latency.p95", done), measured("latency.p50", open_)]
    assert not timing_decided([LIMIT, budget("latency_p50", "< 100 ms")], both, rules())
