"""Cells: money is exact, and nothing that only looks like a number gets in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.coalition.imports.fields import LATEST, Micros, Moment, Points, Price, WrongCell
from marketplace.money import MAX_MICROS, decimal_from_micros, micros_from_decimal


@settings(deadline=None)
@given(st.integers(0, MAX_MICROS))
def test_every_amount_survives_being_written_and_read(micros: int) -> None:
    assert Micros.parse(decimal_from_micros(micros)) == micros


@settings(deadline=None)
@given(
    st.integers(-MAX_MICROS, MAX_MICROS),
    st.integers(0, 6).map(lambda places: Decimal(10) ** -places),
)
def test_micros_agree_with_decimal_arithmetic(units: int, unit: Decimal) -> None:
    amount = units * unit
    assert micros_from_decimal(f"{amount:f}") == amount * 1_000_000


@settings(deadline=None)
@given(st.text(max_size=20))
def test_text_is_an_amount_or_refused(text: str) -> None:
    try:
        micros = Micros.parse(text)
    except WrongCell:
        return
    assert Decimal(text) * 1_000_000 == micros


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "+1", "-1", "01", ".5", "5.", "1e3", "1_000", "1,5", "NaN", "Infinity", "0x1",
     "٣", "1.0000001", "0.00000100000000000000000000000000001", "9999999999999"],
)  # fmt: skip
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(WrongCell):
        Micros.parse(text)


@pytest.mark.parametrize("text", ["1.0000001", "0.00000100000000000000000000000000001", "1e400"])
def test_decimals_beyond_micros_are_never_rounded_away(text: str) -> None:
    with pytest.raises(ValueError, match=r"amount|decimals"):
        micros_from_decimal(text)


def test_bounds() -> None:
    assert Price.parse("0.008") == 8_000
    assert Points.parse("1000000000000") == 10**12
    for kind, text in ((Price, "0"), (Price, "1000000.000001"), (Points, "0"), (Points, "1e3")):
        with pytest.raises(WrongCell):
            kind.parse(text)


@settings(deadline=None)
@given(
    st.datetimes(
        datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
        datetime(8999, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    )
)
def test_moments_survive_being_written_and_read(moment: datetime) -> None:
    assert Moment.parse(moment.isoformat()) == moment
    assert Moment.parse(moment.replace(tzinfo=None).isoformat(" ")) == moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31 12:30", datetime(2026, 1, 31, 12, 30, tzinfo=UTC)),
        ("2026-01-31T12:30:00+02:00", datetime(2026, 1, 31, 10, 30, tzinfo=UTC)),
        ("2026-01-31T12:30:00.5Z", datetime(2026, 1, 31, 12, 30, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_ways_of_writing_a_moment(text: str, moment: datetime) -> None:
    assert Moment.parse(text) - moment == timedelta(0)


@pytest.mark.parametrize(
    "text",
    ["31.01.2026", "20260131", "2026-W05-1", "1700000000", "2026-13-01", "9999-12-31", "now"],
)
def test_what_is_no_moment(text: str) -> None:
    assert LATEST.year < 9999
    with pytest.raises(WrongCell):
        Moment.parse(text)
