"""The pictures of the first page."""

from __future__ import annotations

from collections.abc import Sequence

from marketplace.console.queries import Day
from marketplace.web.charts import Chart, Series, Shape
from marketplace.web.formats import day as written
from marketplace.web.page import Page


def orders_chart(page: Page, days: Sequence[Day]) -> Chart:
    """Orders a day, by what became of them; call it while the page's language is spoken."""
    return Chart(
        title=page._("Orders a day"),
        label=page._("Day"),
        labels=[written(each.day) for each in days],
        series=[
            Series(page._("Delivered"), [each.first for each in days]),
            Series(page._("Not delivered"), [each.second for each in days], "bad"),
        ],
    )


def points_chart(page: Page, days: Sequence[Day]) -> Chart:
    """Points issued and burnt a day; call it while the page's language is spoken."""
    return Chart(
        title=page._("Your points, day by day"),
        label=page._("Day"),
        labels=[written(each.day) for each in days],
        series=[
            Series(page._("Issued"), [each.first for each in days]),
            Series(page._("Burnt"), [each.second for each in days], "warm"),
        ],
        shape=Shape.BESIDE,
    )
