"""Figures as a picture: what is drawn, and what is refused."""

from __future__ import annotations

import pytest

from marketplace.web.charts import Bars, Chart, Series, Shape, round_up
from marketplace.web.i18n import core_languages, speak
from marketplace.web.templates import core_environment

DAYS = ["Mon", "Tue", "Wed"]


def drawn(chart: Chart, language: str = "en") -> str:
    source = '{% from "web/components/chart.html" import chart %}{{ chart(it) }}'
    with speak(core_languages()[language]):
        return core_environment().from_string(source).render(it=chart)


def chart(*series: Series, **more: object) -> Chart:
    return Chart(title="Orders", label="Day", labels=DAYS, series=series, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "end"),
    [(0, 2), (1, 2), (2, 2), (7, 8), (9, 10), (10, 10), (11, 20), (61_234, 80_000)],
)
def test_a_scale_ends_on_a_round_number_that_holds_everything(value: int, end: int) -> None:
    assert round_up(value) == end


def test_parts_of_a_whole_stand_on_each_other() -> None:
    boxes = list(chart(Series("Came", [4, 0, 1]), Series("Went", [4, 2, 0], "bad")).boxes)
    assert [(box.label, box.name, box.y, box.height) for box in boxes] == [
        ("Mon", "Came", 500, 500),
        ("Mon", "Went", 0, 500),
        ("Tue", "Went", 750, 250),
        ("Wed", "Came", 875, 125),
    ]


def test_what_is_compared_stands_side_by_side_and_little_is_still_seen() -> None:
    boxes = list(
        chart(Series("In", [1_000, 1, 0]), Series("Out", [500, 0, 0]), shape=Shape.BESIDE).boxes
    )
    first, second, least = boxes
    assert first.x + first.width <= second.x
    assert (first.height, second.height) == (1_000, 500)
    assert least.height > 0


def test_a_line_goes_through_the_middle_of_each_label() -> None:
    line = chart(Series("Codes", [0, 50, 100]), shape=Shape.LINE)
    assert line.points(line.series[0]) == "50,1000 150,500 250,0"
    assert "<polyline" in drawn(line)


def test_the_figures_are_behind_the_picture_in_the_readers_own_way() -> None:
    html = drawn(chart(Series("Paid", [1_234_500_000, 0, 0]), currency="EUR"), "pl")
    assert "<svg" in html
    assert 'role="img"' in html
    assert "1234,50\xa0€" in html.replace("\xa0234", "234")
    assert "<table" in html
    assert "style=" not in html


def test_nothing_is_said_where_there_is_nothing() -> None:
    html = drawn(chart(Series("Orders", [0, 0, 0])))
    assert "Nothing in this time." in html
    assert "<svg" not in html


def test_figures_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(ValueError, match="3 labels"):
        chart(Series("Orders", [1]))
    with pytest.raises(ValueError, match="below zero"):
        chart(Series("Orders", [1, -1, 0]))
    assert Bars(title="x", label="x", value="x", rows=[]).most == 1
