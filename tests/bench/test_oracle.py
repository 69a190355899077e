"""The naive oracle of the journey replay, on a journey small enough to follow by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime

from bench import oracle

NOON = datetime(2017, 1, 31, 12, tzinfo=UTC)
EVENING = datetime(2017, 1, 31, 20, tzinfo=UTC)
NEXT_DAY = datetime(2017, 2, 1, 9, tzinfo=UTC)
BREAD, MILK, RARE = 1, 2, 3
DEPARTMENTS: dict[int, str | None] = {BREAD: "BAKE SHOP", MILK: "DAIRY/EGGS", RARE: "TOYS"}
COUPONS = [(100, 1, BREAD), (100, 1, MILK), (200, 1, MILK), (200, 1, RARE), (200, 1, 99)]


def replay(
    purchases: list[oracle.Purchase], redemptions: list[oracle.Redemption], **more: date
) -> dict[str, object]:
    return oracle.answer(purchases, DEPARTMENTS, COUPONS, redemptions, lines_of_a_member=2, **more)


def test_departments_become_members_and_cents_become_points() -> None:
    report = replay(
        [
            (7, 1, BREAD, "0.10", NOON),
            (7, 1, BREAD, "0.2", NOON),  # 30 cents in one basket: 3 points
            (7, 2, MILK, "1.99", NOON),  # 19 points, the rest of a cent is lost
            (7, 2, MILK, "0.0", EVENING),
            (8, 3, RARE, "5.00", NOON),  # one line only: its department is `other`
            (8, 3, 99, "5.00", NOON),  # in no list of products: `other` too
            (8, 4, BREAD, "0.09", NOON),  # no point at all: not an issuance
        ],
        [],
    )
    assert report["issued_by_member"] == {"bake-shop": 3, "dairy-eggs": 19, "other": 100}
    assert report["issuances"] == 3
    assert report["points_issued"] == 122


def test_a_burn_draws_the_oldest_points_and_moves_money_in_its_month() -> None:
    report = replay(
        [
            (7, 2, MILK, "150.00", EVENING),
            (7, 1, BREAD, "200.00", NOON),
            (7, 3, MILK, "1.00", NEXT_DAY),
            (7, 4, BREAD, "1.00", NEXT_DAY),
        ],
        [(7, 100, 1, date(2017, 1, 31)), (7, 100, 1, date(2017, 2, 1))],
    )
    assert report["burns_accepted"] == 1
    assert report["burns_rejected"] == 1  # 1,020 points are left
    assert report["drawn_by_issuer"] == {"bake-shop": 2000, "dairy-eggs": 500}
    # A tie for coupon 100: the alphabetically first slug is paid.
    assert report["accepted_by_member"] == {"bake-shop": 1}
    assert report["net_micros"] == {
        "2017-01": {"bake-shop": 1_500_000, "dairy-eggs": -4_000_000, "operator": 2_500_000}
    }


def test_points_of_a_later_day_cannot_be_burnt() -> None:
    purchases = [(7, 1, BREAD, "250.00", NEXT_DAY), (7, 2, BREAD, "1.00", NOON)]
    report = replay(purchases, [(7, 200, 1, date(2017, 1, 31))])
    assert (report["burns_accepted"], report["burns_rejected"]) == (0, 1)
    assert report["net_micros"] == {}


def test_a_limit_leaves_later_days_out() -> None:
    purchases = [(7, 1, BREAD, "250.00", NOON), (7, 2, BREAD, "1.00", NEXT_DAY)]
    report = replay(purchases, [(7, 200, 1, date(2017, 2, 1))], until=date(2017, 1, 31))
    assert report["issuances"] == 1
    assert report["burns_accepted"] == 0


def test_coupons_go_to_the_member_with_most_products() -> None:
    member_of = oracle.members_by_product(
        [(1, 1, product, "1.00", NOON) for product in (BREAD, BREAD, MILK, MILK)], DEPARTMENTS, 2
    )
    acceptors = oracle.acceptors_by_coupon(COUPONS, member_of)
    assert acceptors == {(100, 1): "bake-shop", (200, 1): "other"}


def test_differences_name_the_place() -> None:
    ours = {"issuances": 2, "net_micros": {"2017-01": {"a": 1}}}
    theirs = {"issuances": 2, "net_micros": {"2017-01": {"a": 2, "b": 3}}}
    assert oracle.differences(ours, ours) == []
    assert oracle.differences(ours, theirs) == [
        "net_micros.2017-01.a: 1 instead of 2",
        "net_micros.2017-01.b: None instead of 3",
    ]
