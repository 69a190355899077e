"""Charts: figures as a picture, drawn on the server as SVG, each with its table.

    orders = Chart(
        title=page._("Orders a day"), label=page._("Day"), labels=days,
        series=[Series(page._("Delivered"), delivered), Series(page._("Refunded"), back, "warm")],
    )
    {% from "web/components/chart.html" import chart, bars %}{{ chart(orders) }}

Words are given as they are shown; numbers are written in the reader's language by the component.
Why no script draws them: docs/decisions/0019-charts-are-drawn-on-the-server.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec

WIDE: Final = 100
"""Units of the drawing for one label; the drawing is stretched to its place."""
HIGH: Final = 1_000
GAP: Final = 14
"""Between the columns of two labels."""
LEAST: Final = 6
"""Height of the smallest column that is not nothing, so that it can be seen."""
STEPS: Final = (1, 2, 3, 4, 5, 6, 8, 10)
MOST_LABELS: Final = 400


class Shape(StrEnum):
    """How the figures are drawn."""

    STACKED = "stacked"
    """Columns, those of one label on top of each other: parts of a whole."""
    BESIDE = "beside"
    """Columns, those of one label beside each other: to be compared."""
    LINE = "line"
    """A level over time, e.g. stock."""


class Series(msgspec.Struct, frozen=True):
    """One row of figures."""

    name: str
    values: Sequence[int]
    """Not negative, one for each label of the chart."""
    tone: str = "deep"
    """deep, warm, told, bad or quiet."""


class Box(msgspec.Struct, frozen=True):
    """A column, in units of the drawing."""

    x: int
    y: int
    width: int
    height: int
    tone: str
    label: str
    name: str
    value: int


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Figures over a row of labels, e.g. days."""

    title: str
    label: str
    """What the labels are, e.g. "Day": heading of the table's first column."""
    labels: Sequence[str]
    series: Sequence[Series]
    shape: Shape = Shape.STACKED
    currency: str = ""
    """ISO 4217, where the values are micros of it; empty: they are numbers."""

    def __post_init__(self) -> None:
        lengths = {len(each.values) for each in self.series}
        if lengths - {len(self.labels)} or len(self.labels) > MOST_LABELS:
            raise ValueError(f"{self.title}: {len(self.labels)} labels, values {sorted(lengths)}")
        if any(value < 0 for each in self.series for value in each.values):
            raise ValueError(f"{self.title}: a chart holds nothing below zero")

    @property
    def totals(self) -> list[int]:
        """The sum of all series for each label."""
        return [sum(each.values[at] for each in self.series) for at in range(len(self.labels))]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(self.totals)

    @property
    def most(self) -> int:
        """The largest value drawn."""
        if self.shape is Shape.STACKED:
            return max(self.totals, default=0)
        return max((value for each in self.series for value in each.values), default=0)

    @property
    def highest(self) -> str:
        """The label of the largest total."""
        totals = self.totals
        return self.labels[totals.index(max(totals))]

    @property
    def top(self) -> int:
        """The end of the scale: a round number, even so that its half is one too."""
        return round_up(self.most)

    @property
    def width(self) -> int:
        """Of the drawing."""
        return WIDE * max(len(self.labels), 1)

    @property
    def marks(self) -> list[str]:
        """The first, the middle and the last label, to be written below the drawing."""
        last = len(self.labels) - 1
        return [self.labels[at] for at in sorted({0, last // 2, last})] if self.labels else []

    @property
    def boxes(self) -> Iterator[Box]:
        """Every column that is not nothing."""
        room = WIDE - GAP
        beside = len(self.series) if self.shape is Shape.BESIDE else 1
        for at, label in enumerate(self.labels):
            below = 0
            for number, each in enumerate(self.series):
                value = each.values[at]
                if not value:
                    continue
                height = max(value * HIGH // self.top, LEAST)
                column = number if beside > 1 else 0
                x = at * WIDE + GAP // 2 + column * room // beside
                y = HIGH - below - height
                yield Box(x, y, room // beside, height, each.tone, label, each.name, value)
                if self.shape is Shape.STACKED:
                    below += height

    def points(self, series: Series) -> str:
        """A series as the points of a line, one in the middle of each label."""
        return " ".join(
            f"{at * WIDE + WIDE // 2},{HIGH - value * HIGH // self.top}"
            for at, value in enumerate(series.values)
        )


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """Figures by name, longest first as given: a table whose rows are drawn."""

    title: str
    label: str
    """What the names are, e.g. "Offer"."""
    value: str
    """What the figures are, e.g. "Orders"."""
    rows: Sequence[tuple[str, int]]
    tone: str = "deep"
    currency: str = ""
    """As in Chart."""

    @property
    def most(self) -> int:
        """The largest figure, at least 1."""
        return max((value for _, value in self.rows), default=1) or 1


def round_up(value: int) -> int:
    """The least round number that is not below `value`, at least 2."""
    power = 1
    while power * 10 < value:
        power *= 10
    step = next(step for step in STEPS if step * power >= value)
    return max(step * power, 2)
