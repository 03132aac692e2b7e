"""What must hold of verdicts whatever the evidence."""

from __future__ import annotations

import random
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from sample_evidence import budget, measured, outcomes, processes, quality, rules, table, verdict

from deployspec.ir.data import Support
from deployspec.ir.evidence import Count, Processes, Share
from deployspec.ir.verdict import Outcome
from deployspec.judge.decidable import decidable
from deployspec.judge.jaccard import Overlap
from deployspec.judge.paired import Paired, p_value_below
from deployspec.judge.proportions import Proportion, lower_bound, upper_bound

RANKS = {Outcome.FAIL: 0, Outcome.INCONCLUSIVE: 1, Outcome.PASS: 2}

counts = st.integers(0, 40)
percents = st.integers(0, 100)


def share(hits: int, n: int, floor: int, *, confidence: str | None = "0.95") -> Outcome:
    evidence = [measured("agreement", Share(hits=hits, n=n), split="test")]
    return verdict(budget("agreement", f">= {floor} %"), evidence, rules(confidence)).verdict


def drop(broken: int, repaired: int, rest: int, limit: int, *, relative: bool) -> Outcome:
    pair = table([[1]], "a", paired=(outcomes(rest, broken, repaired, 0),))
    return verdict(budget("accuracy_drop", f"< {limit} {'%' if relative else 'pp'}"), [quality(pair)]).verdict


@given(n=st.integers(1, 300), hits=st.integers(0, 300), floor=percents)
def test_one_more_hit_never_makes_a_share_worse(n: int, hits: int, floor: int) -> None:
    hits = min(hits, n - 1)
    assert RANKS[share(hits, n, floor)] <= RANKS[share(hits + 1, n, floor)]


@given(n=st.integers(1, 300), hits=st.integers(0, 300), floors=st.tuples(percents, percents))
def test_tightening_a_floor_never_makes_a_share_better(n: int, hits: int, floors: tuple[int, int]) -> None:
    loose, tight = sorted(floors)
    assert RANKS[share(min(hits, n), n, tight)] <= RANKS[share(min(hits, n), n, loose)]


@given(n=st.integers(1, 400), floor=st.integers(1, 99))
def test_a_share_passes_only_where_all_right_would_prove_the_floor(n: int, floor: int) -> None:
    provable = 0.05 ** (1 / n) >= floor / 100
    assert (share(n, n, floor) is Outcome.PASS) is provable


@given(n=st.integers(1, 300), hits=st.integers(0, 300), floor=percents)
def test_what_is_proven_is_also_true_of_the_estimate(n: int, hits: int, floor: int) -> None:
    found = share(min(hits, n), n, floor)
    if found is not Outcome.INCONCLUSIVE:
        assert share(min(hits, n), n, floor, confidence=None) is found


@settings(deadline=None, max_examples=15)
@given(broken=counts, repaired=counts, rest=st.integers(1, 200), limit=st.integers(1, 20), relative=st.booleans())
def test_a_drop_is_monotone(broken: int, repaired: int, rest: int, limit: int, *, relative: bool) -> None:
    base = RANKS[drop(broken, repaired, rest, limit, relative=relative)]
    assert RANKS[drop(broken + 1, repaired, rest - 1, limit, relative=relative)] <= base
    assert RANKS[drop(broken, repaired + 1, rest - 1, limit, relative=relative)] >= base
    assert RANKS[drop(broken, repaired, rest, limit + 1, relative=relative)] >= base


@settings(deadline=None, max_examples=25)
@given(cells=st.lists(st.integers(1, 30), min_size=9, max_size=9), seed=st.integers(0, 99), floor=percents)
def test_the_order_of_the_classes_does_not_matter(cells: list[int], seed: int, floor: int) -> None:
    rows = [cells[:3], cells[3:6], cells[6:]]
    order = random.Random(seed).sample(range(3), 3)
    shuffled = [[rows[i][j] for j in order] for i in order]
    for metric, label in (
        ("accuracy", None),
        ("recall", "b"),
        ("precision", "b"),
        ("f1", "b"),
        ("accuracy_drop", None),
    ):
        asked = budget(metric, f"< {floor} pp" if metric == "accuracy_drop" else f">= {floor} %", label)
        straight, turned = (
            verdict(asked, [quality(table(matrix, labels))])
            for matrix, labels in ((rows, "abc"), (shuffled, ["abc"[i] for i in order]))
        )
        assert straight == turned


@given(values=st.lists(st.integers(1, 200), min_size=6, max_size=6), limits=st.tuples(percents, percents))
def test_the_order_of_processes_within_a_look_does_not_matter_and_looser_is_never_worse(
    values: list[int], limits: tuple[int, int]
) -> None:
    def outcome(limit: int, figures: Processes) -> Outcome:
        return verdict(budget("latency_p50", f"< {limit} ms"), [measured("latency.p50", figures)]).verdict

    tight, loose = sorted(limits)
    assert RANKS[outcome(tight, processes(*values))] <= RANKS[outcome(loose, processes(*values))]
    assert outcome(loose, processes(*values)) is outcome(loose, processes(*reversed(values)))


@given(
    values=st.lists(st.integers(1, 200), min_size=6, max_size=24),
    marks=st.lists(st.booleans(), min_size=24, max_size=24),
    truth=st.lists(st.integers(0, 200), min_size=24, max_size=24),
)
def test_no_true_time_below_a_contended_one_would_have_passed_what_fails(
    values: list[int], marks: list[bool], truth: list[int]
) -> None:
    marks = marks[: len(values)]
    asked = budget("latency_p50", "< 100 ms")
    told = verdict(asked, [measured("latency.p50", processes(*values, contended=tuple(marks)))])
    if told.verdict is Outcome.FAIL:
        n = told.n or 0
        undisturbed = [min(t, v) if m else v for v, m, t in zip(values, marks, truth, strict=False)][:n]
        assert sum(value < 100 for value in undisturbed) <= n // 2


@settings(deadline=None, max_examples=20)
@given(diagonal=st.integers(5, 60), errors=st.integers(0, 5), classes=st.integers(2, 4))
def test_bounds_contain_the_estimate(diagonal: int, errors: int, classes: int) -> None:
    rows = [[diagonal if i == j else errors for j in range(classes)] for i in range(classes)]
    for metric, label in (
        ("accuracy", None),
        ("macro_f1", None),
        ("macro_recall", None),
        ("f1", "a"),
        ("accuracy_drop", None),
    ):
        limit = "< 1 pp" if metric == "accuracy_drop" else ">= 90 %"
        found = verdict(budget(metric, limit, label), [quality(table(rows, "abcd"[:classes]))])
        assert found.lower is not None
        assert found.upper is not None
        assert found.lower <= found.estimate + Decimal("0.000001")
        assert found.estimate <= found.upper + Decimal("0.000001")


@given(value=st.integers(0, 10**9), other=st.integers(0, 10**9))
def test_a_census_on_the_limit_holds_only_where_the_limit_is_included(value: int, other: int) -> None:
    def outcome(comparator: str, limit: int) -> Outcome:
        return verdict(
            budget("size", f"{comparator} {limit} B"), [measured("size", Count(value=Decimal(value)))]
        ).verdict

    assert (outcome("<", value), outcome("<=", value)) == (Outcome.FAIL, Outcome.PASS)
    assert (outcome("<", other) is Outcome.PASS) is (value < other)
    assert (outcome("<=", other) is Outcome.PASS) is (value <= other)


@given(values=st.lists(st.integers(1, 50), min_size=6, max_size=6))
def test_a_bound_on_the_limit_holds_only_where_the_limit_is_included(values: list[int]) -> None:
    """Six processes: the largest is the upper bound of their median, the smallest the lower one."""
    evidence = [measured("latency.p50", processes(*values))]

    def outcome(limit: str) -> Outcome:
        return verdict(budget("latency_p50", limit), evidence).verdict

    assert outcome(f"<= {max(values)} ms") is Outcome.PASS
    assert outcome(f"< {max(values)} ms") is not Outcome.PASS
    assert outcome(f"< {min(values)} ms") is Outcome.FAIL
    assert outcome(f"<= {min(values)} ms") is (Outcome.PASS if len(set(values)) == 1 else Outcome.INCONCLUSIVE)


@given(n=st.integers(1, 5000), hits=st.integers(0, 5000))
def test_bounds_are_rounded_outward_by_less_than_a_step(n: int, hits: int) -> None:
    hits = min(hits, n)
    step = Decimal("0.000001")
    low, high = lower_bound(hits, n, 0.05), upper_bound(hits, n, 0.05)
    share = Proportion(hits, n).figure(0.05)
    assert share.lower <= Decimal(low) < share.lower + step
    assert share.upper - step < Decimal(high) <= share.upper
    f1 = Overlap(hits, n - hits, 0).figure(0.05)
    assert f1.lower <= Decimal(2 * low / (1 + low)) < f1.lower + step
    assert f1.upper - step < Decimal(2 * high / (1 + high)) <= f1.upper


@given(n=st.integers(1, 200), hits=st.integers(0, 200), times=st.integers(2, 5), floor=percents)
def test_the_same_share_of_more_samples_keeps_what_was_proven(n: int, hits: int, times: int, floor: int) -> None:
    found = share(min(hits, n), n, floor)
    if found is not Outcome.INCONCLUSIVE:
        assert share(times * min(hits, n), times * n, floor) is found


@settings(deadline=None, max_examples=25)
@given(broken=counts, repaired=counts, rest=st.integers(0, 300), limit=st.integers(1, 20), relative=st.booleans())
def test_a_drop_passes_where_the_test_at_the_limit_rejects_and_nowhere_else(
    broken: int, repaired: int, rest: int, limit: int, *, relative: bool
) -> None:
    if not broken + rest:
        return  # a reference that gets nothing right has nothing to lose
    sample = Paired(broken, repaired, broken + repaired + rest, Decimal(limit) / 100, relative)
    proven = p_value_below(sample, limit / 100, exact=sample.exact) <= 0.05
    assert (drop(broken, repaired, rest, limit, relative=relative) is Outcome.PASS) is proven


@given(values=st.lists(st.integers(1, 200), min_size=6, max_size=24), faster=st.lists(st.integers(0, 50), min_size=24))
def test_faster_processes_never_make_a_latency_fail(values: list[int], faster: list[int]) -> None:
    def outcome(figures: Processes) -> Outcome:
        return verdict(budget("latency_p50", "< 100 ms"), [measured("latency.p50", figures)]).verdict

    quick = [value - less for value, less in zip(values, faster, strict=False)]
    slow, fast = outcome(processes(*values)), outcome(processes(*quick))
    assert not (slow is Outcome.PASS and fast is Outcome.FAIL)


@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 400), floor=st.integers(50, 99))
def test_what_plan_calls_passable_passes_with_so_many_errors_and_not_with_one_more(n: int, floor: int) -> None:
    asked = budget("agreement", f">= {floor} %")
    (ahead,) = decidable([asked], {"test": Support(n=n, per_class={})}, rules())
    if not ahead.passable:
        assert share(n, n, floor) is Outcome.INCONCLUSIVE
        assert ahead.needed is not None
        assert share(ahead.needed, ahead.needed, floor) is Outcome.PASS
    else:
        assert share(n - ahead.errors, n, floor) is Outcome.PASS
        assert share(max(n - ahead.errors - 1, 0), n, floor) is not Outcome.PASS
