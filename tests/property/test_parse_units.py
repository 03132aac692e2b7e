"""Bounds are exact, and loosening is what it says."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from deployspec.units import UNITS, Bound, Comparator, Dimension, parse_bound

numbers = st.decimals(0, 10**6, places=4)
floors = st.builds(Bound, st.sampled_from([Comparator.GT, Comparator.GE]), st.decimals(0, 3, places=0))
ceilings = st.builds(Bound, st.sampled_from([Comparator.LT, Comparator.LE]), st.decimals(0, 3, places=0))
pairs = st.tuples(floors, floors) | st.tuples(ceilings, ceilings)


@given(st.sampled_from(Dimension), numbers, st.sampled_from(Comparator), st.data())
def test_what_is_written_is_what_is_read(
    dimension: Dimension, number: Decimal, comparator: Comparator, data: st.DataObject
) -> None:
    if dimension is Dimension.COUNT:
        number = number.to_integral_value()
    unit, factor = data.draw(st.sampled_from(sorted(UNITS[dimension].items())))
    bound = parse_bound(f"{comparator} {number:f} {unit}", dimension)
    assert (bound.comparator, bound.limit) == (comparator, number * factor)


@given(pairs)
def test_a_bound_loosens_another_where_a_value_tells_them_apart(pair: tuple[Bound, Bound]) -> None:
    one, other = pair
    halves = [Decimal(i) / 2 for i in range(-1, 9)]
    assert one.loosens(other) is any(one.holds(value) and not other.holds(value) for value in halves)
