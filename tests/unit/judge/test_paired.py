"""Drops: the exact test against brute force, Tango's interval against published examples, the true error by hand."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import partial

import numpy as np
import pytest
from sample_evidence import budget, outcomes, quality, rules, table, verdict
from scipy.optimize import minimize_scalar
from scipy.special import gammaln, xlogy
from statsmodels.stats.proportion import proportion_confint

from deployspec.ir.data import Support
from deployspec.ir.evidence import Joint
from deployspec.ir.verdict import Outcome
from deployspec.judge import unconditional
from deployspec.judge.decidable import decidable
from deployspec.judge.paired import Paired, _edge, p_value_above, p_value_below
from deployspec.judge.unconditional import BEYOND, nuisance_range, p_value, score

LIMIT = Decimal("0.1")


def log_chances(n: int, q: float, limit: float, rho: float) -> np.ndarray:
    """Log chance of each table (b, c) on the boundary of the hypothesis, -inf where b + c > n."""
    b, c = np.indices((n + 1, n + 1))
    rest = np.maximum(n - b - c, 0)
    p_b, p_c = max(limit + rho * q, 0.0), q
    multinomial = gammaln(n + 1) - gammaln(b + 1) - gammaln(c + 1) - gammaln(rest + 1)
    logs = multinomial + xlogy(b, p_b) + xlogy(c, p_c) + xlogy(rest, max(1 - p_b - p_c, 0.0))
    return np.where(b + c <= n, logs, -np.inf)


def brute_force(b: int, c: int, n: int, limit: float, rho: float) -> float:
    """The p-value by summing every table, at 1,001 values of the nuisance that c leaves possible."""
    every_b, every_c = np.indices((n + 1, n + 1)).astype(float)
    scores = score(every_b, every_c, n, limit, rho)
    region = scores <= scores[b, c] + 1e-9
    possible = proportion_confint(c, n, BEYOND, method="beta")
    values = np.linspace(*np.clip(possible, *nuisance_range(limit, rho)), 1001)
    return max(float(np.exp(log_chances(n, q, limit, rho)[region]).sum()) for q in values)


@pytest.mark.parametrize(
    ("b", "c", "n", "limit", "rho"),
    [
        (0, 0, 30, 0.1, 1.0), (1, 0, 30, 0.1, 1.0), (2, 1, 30, 0.1, 1.0), (0, 3, 25, -0.05, 1.0),
        (5, 2, 30, 0.3, 1.0), (12, 0, 12, 0.5, 1.0), (1, 1, 30, 0.1, 0.9), (2, 3, 20, -0.1, 1.1), (0, 1, 1, 0.02, 1.0),
    ],
)  # fmt: skip
def test_the_p_value_is_that_of_brute_force(b: int, c: int, n: int, limit: float, rho: float) -> None:
    assert p_value(b, c, n, limit, rho) == pytest.approx(brute_force(b, c, n, limit, rho), abs=5e-5)


def test_neither_end_of_the_nuisance_hides_a_peak() -> None:
    """Where all pairs may be discordant, or none: narrow peaks that a coarse search steps over."""
    for counts in ((40, 29, 70, 0.3, 0.7), (13, 14, 41, 0.05, 0.95), (2, 2, 18, -0.02, 1.02), (0, 0, 18, 0.1, 1.0)):
        assert p_value(*counts) == pytest.approx(brute_force(*counts), abs=5e-5)


def test_what_a_sum_leaves_out_only_makes_the_p_value_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = p_value.__wrapped__(5, 2, 200, 0.1)
    monkeypatch.setattr(unconditional, "_REACH_SD", 0.5)
    monkeypatch.setattr(unconditional, "_REACH", 0.0)
    assert p_value.__wrapped__(5, 2, 200, 0.1) > whole


def test_without_discordant_pairs_the_p_value_is_the_chance_of_none_broken() -> None:
    assert p_value(0, 0, 149, 0.02) == pytest.approx(0.98**149, rel=1e-6)
    assert p_value(0, 0, 149, 0.02) > 0.98**149, "what may lie beyond the search is added"


@pytest.mark.parametrize("rho", [1.0, 0.9])
@pytest.mark.parametrize("limit", [0.02, 0.1, -0.05])
def test_the_score_rises_with_broken_and_falls_with_repaired(limit: float, rho: float) -> None:
    b, c = np.indices((41, 41)).astype(float)
    scores = np.where(b + c <= 40, score(b, c, 40, limit, rho), np.nan)
    along_b, along_c = np.diff(scores, axis=0), np.diff(scores, axis=1)
    assert np.nanmin(along_b) >= -1e-9
    assert np.nanmax(along_c) <= 1e-9


@pytest.mark.parametrize(
    ("b", "c", "n", "limit", "rho"), [(4, 2, 50, 0.1, 1.0), (4, 2, 50, 0.1, 0.9), (0, 3, 20, -0.1, 1.1)]
)
def test_the_score_uses_the_most_likely_nuisance(b: int, c: int, n: int, limit: float, rho: float) -> None:
    low, high = nuisance_range(limit, rho)
    best = minimize_scalar(
        lambda q: -log_chances(n, q, limit, rho)[b, c], bounds=(low, high), method="bounded", options={"xatol": 1e-10}
    ).x
    p_b = limit + rho * best
    expected = (b - rho * c - n * limit) / np.sqrt(n * (p_b + rho**2 * best - limit**2))
    assert float(score(np.array(b), np.array(c), n, limit, rho)) == pytest.approx(expected, rel=1e-5)


def tango(sample: Paired, alpha: float) -> tuple[float, float]:
    estimate = float(sample.estimate)
    below, above = (partial(test, sample, exact=False) for test in (p_value_below, p_value_above))
    return _edge(above, alpha, (estimate, -1.0), ()), _edge(below, alpha, (estimate, 1.0), ())


def test_the_published_interval_of_a_difference() -> None:
    """Airway hyper-responsiveness (Bentur et al. 2009), in Fagerland, Lydersen and Laake 2014: 0.026 to 0.517."""
    assert tango(Paired(7, 1, 21, LIMIT), 0.025) == pytest.approx((0.026, 0.517), abs=5e-4)


def test_the_published_interval_of_a_ratio() -> None:
    """The same children: the ratio lies between 0.065 and 0.907, so that 9.3 to 93.5 % are lost."""
    assert tango(Paired(7, 1, 9, LIMIT, relative=True), 0.025) == pytest.approx((1 - 0.907, 1 - 0.065), abs=5e-4)


def test_without_discordant_pairs_tango_is_wilson() -> None:
    assert tango(Paired(0, 0, 100, LIMIT), 0.05)[1] == pytest.approx(2.705543 / 102.705543, abs=1e-4)


@pytest.mark.parametrize("n", [10, 30])
@pytest.mark.parametrize("relative", [False, True])
def test_the_true_error_of_both_sides_never_exceeds_the_nominal(n: int, *, relative: bool) -> None:
    limit = 0.1
    rho = 1 - limit if relative else 1.0
    pairs = [(b, c) for b in range(n + 1) for c in range(n + 1 - b)]
    wrong = {test: np.zeros((n + 1, n + 1), bool) for test in (p_value_below, p_value_above)}
    for test, region in wrong.items():
        for b, c in pairs:
            region[b, c] = test(Paired(b, c, n, LIMIT, relative), limit, exact=True) <= 0.05
    for q in np.linspace(*nuisance_range(limit, rho), 400):
        chances = np.exp(log_chances(n, q, limit, rho))
        assert max(chances[region].sum() for region in wrong.values()) <= 0.05 + 1e-6


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize(("b", "c", "n"), [(0, 0, 40), (3, 1, 90), (10, 0, 200), (0, 7, 60), (5, 5, 300)])
def test_a_bound_is_where_the_test_ceases_to_reject(b: int, c: int, n: int, *, relative: bool) -> None:
    sample = Paired(b, c, n, LIMIT, relative)
    figure = sample.figure(0.05)
    assert p_value_below(sample, float(figure.upper), exact=True) <= 0.05
    assert p_value_below(sample, float(figure.upper) - 5e-5, exact=True) > 0.05
    assert p_value_above(sample, float(figure.lower), exact=False) <= 0.05
    assert p_value_above(sample, float(figure.lower) + 5e-5, exact=False) > 0.05


@pytest.mark.parametrize(
    ("counts", "bounds"),
    [((0, 90, 90), ("-1", "-0.9")), ((90, 0, 90), ("0.9", "1")), ((0, 0, 1), ("-1", "1"))],
)
def test_tables_at_the_edge_have_bounds(counts: tuple[int, int, int], bounds: tuple[str, str]) -> None:
    figure = Paired(*counts, LIMIT).figure(0.05)
    assert Decimal(bounds[0]) <= figure.lower <= figure.estimate <= figure.upper <= Decimal(bounds[1])


@pytest.mark.parametrize("unit", ["pp", "%"])
@pytest.mark.parametrize(
    ("broken", "limit", "expected"),
    [
        (3, "< 100", "pass"),
        (3, "< 250", "pass"),
        (10, "< 100", "inconclusive"),
        (10, "<= 100", "pass"),
        (3, "< -250", "fail"),
    ],
)
def test_limits_at_and_beyond_what_a_drop_can_be(unit: str, broken: int, limit: str, expected: str) -> None:
    pair = table([[1]], "a", paired=(outcomes(10 - broken, broken, 0, 0),))
    asked = budget("accuracy_drop", f"{limit} {unit}")
    assert verdict(asked, [quality(pair)]).verdict.value == expected
    (told,) = decidable([asked], {"test": Support(n=10, per_class={})}, rules())
    assert told.passable is ("-" not in limit)


def test_a_relative_drop_is_the_test_among_those_that_either_gets_right() -> None:
    """b - c - limit * (reference correct) is b - (1 - limit) * c - limit * m, whatever the others are."""
    b, c, both, limit = 6, 2, 80, Decimal("0.05")
    m = both + b + c
    assert b - c - limit * (both + b) == b - (1 - limit) * c - limit * m
    few, many = (quality(table([[both + b + c + k]], "a", paired=(outcomes(both, b, c, k),))) for k in (0, 500))
    asked = budget("accuracy_drop", "< 5 %")
    figures = [verdict(asked, [each]) for each in (few, many)]
    assert figures[0].lower == figures[1].lower
    assert figures[0].upper == figures[1].upper
    assert figures[0].n == m


def test_tango_takes_over_where_the_limit_expects_a_hundred_broken() -> None:
    assert Paired(0, 0, 999, LIMIT).exact
    assert not Paired(0, 0, 1000, LIMIT).exact
    assert not Paired(0, 0, 1000, -LIMIT).exact
    tiny = LIMIT / 1000
    assert (Paired(0, 0, 200_000, tiny).exact, Paired(0, 0, 200_001, tiny).exact) == (True, False)


def test_a_relative_drop_that_may_lie_below_minus_one_has_no_lower_bound() -> None:
    figure = Paired(1, 3, 6, LIMIT, relative=True).figure(0.05)
    assert (figure.lower, figure.estimate > -1) == (None, True)


@pytest.mark.parametrize("exact", [True, False])
def test_what_no_drop_can_exceed_or_undercut_is_never_rejected(*, exact: bool) -> None:
    assert p_value_above(Paired(10, 0, 10, LIMIT), 1.0, exact=exact) == 1
    assert p_value_above(Paired(10, 0, 10, LIMIT, relative=True), 1.0, exact=exact) == 1
    assert p_value_below(Paired(10, 0, 10, LIMIT), 1.0, exact=exact) == 1
    assert p_value_below(Paired(0, 10, 10, LIMIT), -1.0, exact=exact) == 1


def test_a_reference_that_gets_nothing_right_has_nothing_to_lose() -> None:
    nothing = quality(table([[0, 5], [5, 0]], "ab"))
    assert verdict(budget("accuracy_drop", "< 5 %"), [nothing]).verdict is Outcome.NOT_MEASURED


def test_the_number_of_samples_needed_decides_and_one_on_the_limit_never_does() -> None:
    sample, bound = Paired(0, 0, 50, Decimal("0.02")), budget("accuracy_drop", "< 2 pp").limit
    more = sample.needed(bound, 0.05)
    assert more is not None
    assert 149 <= 50 + more <= 152  # 0.98 ** 149 <= 0.05
    assert Paired(1, 0, 50, Decimal("0.02")).needed(bound, 0.05) is None


def test_the_good_band_is_judged_exactly_whatever_the_limit() -> None:
    """0 broken of 1,000 with a drop of 0.28 pp: once in 16 times."""
    unchanged = quality(table([[1000]], "a", paired=(outcomes(1000, 0, 0, 0),)))
    for limit in ("< 9.9 pp", "< 10 pp", "< 50 pp"):
        for good, expected in (("< 0.28 pp", Outcome.WARN), ("< 0.3 pp", Outcome.PASS)):
            assert verdict(budget("accuracy_drop", limit, good=good), [unchanged]).verdict is expected


def test_the_way_out_of_a_relative_drop_counts_what_either_model_gets_right() -> None:
    pair = outcomes(39, 1, 0, 60)
    either = Joint(outcomes=pair), table([[100, 0], [0, 0]], "ab", paired=(pair, outcomes(0, 0, 0, 0)))
    for found in either:
        told = verdict(budget("accuracy_drop", "< 5 %"), [quality(found)]).reason
        more, total, whole = numbers(told, r"about (.*) more samples that at least one gets right would decide it")
        assert (total, whole) == (40 + more, -(-total * 100 // 40))
        assert told.endswith(" in all")
    told = verdict(budget("recall_drop", "< 5 %", "a"), [quality(either[1])]).reason
    assert numbers(told, "about (.*) more samples that at least one gets right would") == [more, total, whole]
    assert told.endswith(" of class 'a'")


def numbers(told: str, start: str) -> list[int]:
    """Of a way out: how many more, the size of a fresh split, and about how many samples that takes."""
    found = re.search(f"{start}.* split with (.*) of them, about (\\S+)", told)
    assert found, told
    return [int(each.replace(",", "")) for each in found.groups()]
