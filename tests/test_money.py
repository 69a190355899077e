"""Money is exact: however a cost is cut, the parts sum to it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.money import (
    MAX_MICROS,
    MAX_POINTS,
    cost_of_interval,
    decimal_from_micros,
    micros_from_decimal,
)


@given(st.data(), st.integers(0, MAX_MICROS), st.integers(1, MAX_POINTS))
def test_any_cut_of_a_burn_sums_to_its_cost(data: st.DataObject, cost: int, points: int) -> None:
    cuts = data.draw(st.lists(st.integers(0, points), max_size=12))
    edges = [0, *sorted(cuts), points]
    parts = [cost_of_interval(cost, points, start, stop) for start, stop in pairwise(edges)]
    assert sum(parts) == cost
    assert all(part >= 0 for part in parts)


@given(st.data(), st.integers(0, MAX_MICROS), st.integers(1, MAX_POINTS))
def test_a_part_is_never_off_its_share_by_a_micro(
    data: st.DataObject, cost: int, points: int
) -> None:
    start = data.draw(st.integers(0, points))
    stop = data.draw(st.integers(start, points))
    part = cost_of_interval(cost, points, start, stop)
    assert abs(part * points - cost * (stop - start)) < points


@given(st.integers(-MAX_MICROS, MAX_MICROS))
def test_micros_survive_being_written_and_read(micros: int) -> None:
    assert micros_from_decimal(decimal_from_micros(micros)) == micros


@pytest.mark.parametrize("text", ["", "1,50", "0.0000001", "NaN", "Infinity", "1e", "EUR 1"])
def test_what_is_no_exact_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"amount|decimals"):
        micros_from_decimal(text)
