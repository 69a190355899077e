"""What the forms of a draft make of words: codes, amounts, places that are shared."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from marketplace_conference.organising.category_forms import category_fields, owned, pools
from marketplace_conference.organising.drafting import event_fields, read_event
from marketplace_conference.organising.forms import Form, code_of, money_field
from marketplace_conference.organising.moves import read_moment
from marketplace_conference.schemas import NewCategory, NewEvent, NewSession, NewTime

HOURS = {
    "starts_at": datetime(2999, 5, 4, 9, tzinfo=UTC),
    "ends_at": datetime(2999, 5, 4, 18, tzinfo=UTC),
}
EVENT = NewEvent(
    slug="forum",
    name="Forum",
    organiser="shop",
    language="en",
    venue="Hall",
    time_zone="Europe/Warsaw",
    sessions=[NewSession(code="day", name="Day", **HOURS)],
    categories=[
        NewCategory(sku="floor", name="Floor", session="day", quota="hall"),
        NewCategory(sku="guest", name="Guest", session="day", quota="hall"),
        NewCategory(sku="row", name="Row", session="day", numbered=True),
    ],
    quotas={"hall": 80},
    **HOURS,
)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Łódź Forum 2027", "lodz-forum-2027"),
        ("Größe & Höhe", "grosse-hohe"),
        ("Щедрый вечер", "shchedryj-vecher"),
        ("  --  ", "part"),
        ("会議", "part"),
        ("x" * 90, "x" * 60),
    ],
)
def test_a_code_is_made_of_words(words: str, code: str) -> None:
    assert code_of(words, (), "part") == code


def test_a_code_is_unlike_those_that_are_taken() -> None:
    assert code_of("Day", ["day", "day-2"], "part") == "day-3"
    assert code_of("会議", ["part"], "part") == "part-2"


@pytest.mark.parametrize(
    ("micros", "shown"), [(None, ""), (0, "0.00"), (14_500_000, "14.50"), (1_000_001, "1.000001")]
)
def test_an_amount_is_shown_as_it_is_typed(micros: int | None, shown: str) -> None:
    assert money_field(micros) == shown
    assert Form({"cost": shown}).micros("cost") == micros


def test_the_first_that_names_a_quota_has_it_and_others_share() -> None:
    assert (owned(EVENT, "floor"), owned(EVENT, "guest"), owned(EVENT, "row")) == (
        "hall",
        None,
        None,
    )
    (pool,) = pools(EVENT, "guest")
    assert (pool.size, pool.names) == (80, ["Floor"])
    floor, guest, row = (category_fields(EVENT, each) for each in EVENT.categories)
    assert (floor["places"], floor["size"]) == ("own", "80")
    assert (guest["places"], guest["with"]) == ("with", "hall")
    assert row["places"] == "plan"


@pytest.mark.parametrize(
    ("words", "zone"),
    [("2000-01-01T00:30", "Europe/Warsaw"), ("3000-12-31T23:30", "America/New_York")],
)
def test_an_hour_at_the_edge_of_what_there_is_is_one_for_everybody(words: str, zone: str) -> None:
    moment = read_moment(words, ZoneInfo(zone))
    assert moment is not None
    NewTime(code="day", starts_at=moment, ends_at=moment, room="")


def test_an_event_whose_language_alone_is_changed_keeps_its_names() -> None:
    typed = event_fields(EVENT) | {"name-pl": "Targi", "language": "pl"}
    form = Form(typed)
    made = read_event(form, "shop", EVENT)
    assert not form.problems
    assert made is not None
    assert (made.name, made.language, made.names) == ("Targi", "pl", {"en": "Forum"})


def test_what_was_kept_on_two_lines_is_one_once_it_is_saved() -> None:
    form = Form({"address": "Street 1 00-001 Warsaw"})
    assert form.line("address", kept="Street 1\n00-001 Warsaw") == "Street 1 00-001 Warsaw"
    assert form.line("address", kept="Street 1  00-001 Warsaw") == "Street 1  00-001 Warsaw"
