"""A naive answer to the journey replay: simple loops over the data, nothing of the product.

It exists so that `python -m bench.journey --check` and the tests can tell whether the exchange is
right. The rules are those of bench/README.md; every amount is an exact integer or Decimal.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

LINES_OF_A_MEMBER = 1_000
POINT_MICROS = 8_000
BURN_POINTS = 2_500
BURN_COST_MICROS = 17_500_000

Purchase = tuple[int, int, int, str, datetime]
"""household, basket, product, sales value as decimal text, timestamp"""
Redemption = tuple[int, int, int, date]
"""household, coupon, campaign, date"""
CouponProduct = tuple[int, int, int]
"""coupon, campaign, product"""


def answer(
    purchases: Iterable[Purchase],
    departments: dict[int, str | None],
    coupons: Iterable[CouponProduct],
    redemptions: Iterable[Redemption],
    *,
    lines_of_a_member: int = LINES_OF_A_MEMBER,
    until: date | None = None,
) -> dict[str, Any]:
    """The report of the replay, as bench/README.md describes it; up to and including `until`."""
    purchases = list(purchases)
    member_of = members_by_product(purchases, departments, lines_of_a_member)
    lots = issue([row for row in purchases if within(row[4].date(), until)], member_of)
    acceptors = acceptors_by_coupon(coupons, member_of)
    report: dict[str, Any] = {
        "issuances": sum(len(of_household) for of_household in lots.values()),
        "points_issued": sum(lot[3] for each in lots.values() for lot in each),
        "issued_by_member": Counter(),
        "burns_accepted": 0,
        "burns_rejected": 0,
        "drawn_by_issuer": Counter(),
        "accepted_by_member": Counter(),
        "net_micros": defaultdict(Counter),
    }
    for each in lots.values():
        for lot in each:
            report["issued_by_member"][lot[1]] += lot[3]
    # sorted() keeps the order of rows that share a date.
    for household, coupon, campaign, day in sorted(redemptions, key=lambda row: row[3]):
        if within(day, until):
            burn(report, lots.get(household, []), acceptors[coupon, campaign], day)
    return tidy(report)


def within(day: date, until: date | None) -> bool:
    """Whether `day` is replayed."""
    return until is None or day <= until


def members_by_product(
    purchases: list[Purchase], departments: dict[int, str | None], lines_of_a_member: int
) -> defaultdict[int, str]:
    """Member slug of each product; `other` for small and missing departments."""
    lines: Counter[str | None] = Counter()
    for _, _, product, _, _ in purchases:
        lines[departments.get(product)] += 1
    found: defaultdict[int, str] = defaultdict(lambda: "other")
    for product, department in departments.items():
        if department is not None and lines[department] >= lines_of_a_member:
            found[product] = re.sub("[^a-z0-9]+", "-", department.lower()).strip("-")
    return found


Lot = list[Any]
"""effective time, member slug, basket, points, points left"""


def issue(purchases: list[Purchase], member_of: defaultdict[int, str]) -> dict[int, list[Lot]]:
    """Lots of each household, in the order in which they are drawn."""
    spent: dict[tuple[int, int, str], Decimal] = {}
    first: dict[int, datetime] = {}
    for household, basket, product, sales_value, moment in purchases:
        key = household, basket, member_of[product]
        spent[key] = spent.get(key, Decimal(0)) + Decimal(sales_value)
        first[basket] = min(first.get(basket, moment), moment)
    lots: defaultdict[int, list[Lot]] = defaultdict(list)
    for (household, basket, member), value in spent.items():
        cents = round(100 * value)
        points = cents // 10
        if points > 0:
            lots[household].append([first[basket], member, basket, points, points])
    for each in lots.values():
        each.sort(key=lambda lot: lot[:3])
    return dict(lots)


def acceptors_by_coupon(
    coupons: Iterable[CouponProduct], member_of: defaultdict[int, str]
) -> dict[tuple[int, int], str]:
    """The member with most products listed for each (coupon, campaign); ties: first slug."""
    listed: defaultdict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    for coupon, campaign, product in coupons:
        listed[coupon, campaign][member_of[product]] += 1
    return {
        key: min(counts, key=lambda slug: (-counts[slug], slug)) for key, counts in listed.items()
    }


def burn(report: dict[str, Any], lots: list[Lot], acceptor: str, day: date) -> None:
    """Burn from the lots earned up to the end of `day`, or reject."""
    usable = [lot for lot in lots if lot[0].date() <= day]
    if sum(lot[4] for lot in usable) < BURN_POINTS:
        report["burns_rejected"] += 1
        return
    report["burns_accepted"] += 1
    report["accepted_by_member"][acceptor] += 1
    net = report["net_micros"][f"{day:%Y-%m}"]
    wanted = BURN_POINTS
    for lot in usable:
        taken = min(wanted, lot[4])
        lot[4] -= taken
        wanted -= taken
        if taken:
            report["drawn_by_issuer"][lot[1]] += taken
            net[lot[1]] -= taken * POINT_MICROS
    net[acceptor] += BURN_COST_MICROS
    net["operator"] += BURN_POINTS * POINT_MICROS - BURN_COST_MICROS


def tidy(report: dict[str, Any]) -> dict[str, Any]:
    """Plain dictionaries in alphabetical order, without zero positions."""
    for name in ("issued_by_member", "drawn_by_issuer", "accepted_by_member"):
        report[name] = dict(sorted(report[name].items()))
    report["net_micros"] = {
        month: {member: micros for member, micros in sorted(net.items()) if micros}
        for month, net in sorted(report["net_micros"].items())
    }
    return report


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where two reports differ, one line each, in the order of the report's parts."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = []
        for key in sorted(ours.keys() | theirs.keys()):
            found += differences(ours.get(key), theirs.get(key), f"{path}.{key}".lstrip("."))
        return found
    return [] if ours == theirs else [f"{path}: {ours} instead of {theirs}"]
