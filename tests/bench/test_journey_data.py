"""The replay's reading of the data against the oracle's, which shares no code with it."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date
from typing import Any

import pytest

from bench.journey_data import Journey
from bench.oracle import acceptors_by_coupon, members_by_product

pd = pytest.importorskip("pandas", reason="the optional group `journey` is not installed")

DEPARTMENTS = ["GROCERY", "MEAT-PCKGD", "DRUG GM", "TOYS"]
LARGE = 1_000


def _tables(seed: int) -> dict[str, Any]:
    """A small supermarket: three departments large enough to be members, one too small."""
    draw = random.Random(seed)  # noqa: S311 (a test, no secret)
    products = [(number, DEPARTMENTS[number % 4]) for number in range(40)]
    large = [number for number, department in products if department != "TOYS"]
    lines = [
        (
            basket % 9,
            basket,
            draw.choice(large) if draw.random() < 0.99 else draw.choice([3, 7, 999]),
            draw.randrange(0, 3_000) / 100,
            pd.Timestamp(2017, 1, 1 + basket % 28, basket % 24, draw.randrange(60)),
        )
        for basket in (draw.randrange(400) for _ in range(4 * LARGE))
    ]
    coupons = [(draw.randrange(5), draw.randrange(50), draw.randrange(2)) for _ in range(60)]
    redemptions = [
        (draw.randrange(9), coupon, campaign, pd.Timestamp(2017, 1, draw.randrange(1, 28)))
        for coupon, _, campaign in draw.sample(coupons, 30)
    ]
    names = ["household_id", "basket_id", "product_id", "sales_value", "transaction_timestamp"]
    return {
        "transactions": pd.DataFrame(lines, columns=names),
        "products": pd.DataFrame(products, columns=["product_id", "department"]),
        "coupons": pd.DataFrame(coupons, columns=["coupon_upc", "product_id", "campaign_id"]),
        "coupon_redemptions": pd.DataFrame(
            redemptions, columns=["household_id", "coupon_upc", "campaign_id", "redemption_date"]
        ),
    }


@pytest.mark.parametrize("seed", range(3))
def test_issuances_are_those_of_the_oracle(seed: int) -> None:
    journey = Journey(_tables(seed))
    issuances, answer = journey.issuances(), journey.answer()
    assert journey.members == ["drug-gm", "grocery", "meat-pckgd", "other"]
    assert len(issuances) == answer["issuances"]
    points: Counter[str] = Counter()
    for row in issuances.itertuples():
        points[row.member] += row.points
    assert dict(points) == answer["issued_by_member"]


def test_issuances_come_in_the_order_of_draws() -> None:
    rows = list(Journey(_tables(1)).issuances().itertuples(index=False, name=None))
    keys = [(moment, member, basket) for moment, member, basket, _, _ in rows]
    assert keys == sorted(keys)
    assert all(row[4] > 0 for row in rows)


@pytest.mark.parametrize("seed", range(3))
def test_burns_are_those_of_the_oracle(seed: int) -> None:
    tables = _tables(seed)
    bought, coupons = tables["transactions"], tables["coupons"]
    lines = [(0, 0, product, "0", date.min) for product in bought.product_id.tolist()]
    departments = dict(tables["products"].itertuples(index=False, name=None))
    acceptors = acceptors_by_coupon(
        coupons[["coupon_upc", "campaign_id", "product_id"]].itertuples(index=False, name=None),
        members_by_product(lines, departments, LARGE),  # type: ignore[arg-type]
    )
    burns = Journey(tables).burns()
    assert [burn.day for burn in burns] == sorted(burn.day for burn in burns)
    redeemed = list(tables["coupon_redemptions"].itertuples(index=False, name=None))
    for burn in burns:
        household, coupon, campaign, moment = redeemed[burn.row]
        assert (burn.household, burn.day) == (household, moment.date())
        assert burn.acceptor == acceptors[coupon, campaign]


def test_a_limit_ends_both_on_the_same_day() -> None:
    journey = Journey(_tables(2), until=date(2017, 1, 10))
    assert journey.issuances().moment.max().date() <= date(2017, 1, 10)
    assert max(burn.day for burn in journey.burns()) <= date(2017, 1, 10)
    assert len(journey.issuances()) == journey.answer()["issuances"]
