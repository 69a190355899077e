"""Calendar files of tickets, read by a parser that did not write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import vobject
from hypothesis import given
from hypothesis import strategies as st
from marketplace_conference.tickets.calendars import calendar
from msgspec.structs import replace
from ticket_samples import EVENT, SESSION, sheet

WARSAW = ZoneInfo("Europe/Warsaw")


def read(made: bytes) -> Any:
    """The one calendar of a file, as vobject understands it."""
    (found,) = vobject.readComponents(made.decode())
    assert found.validate(raiseException=True)
    return found


def test_an_entry_says_when_and_where_in_the_zone_of_the_event() -> None:
    found = read(calendar([sheet()]))
    entry = found.vevent
    assert found.method.value == "PUBLISH"
    assert entry.summary.value == "Autumn Days of Logistics: Night train, with supper"
    assert entry.location.value == "Hall B, Stara Zajezdnia, ul. Wawrzyńca 12, Kraków"
    assert entry.dtstart.value.astimezone(UTC) == SESSION.starts_at
    assert entry.dtend.value.astimezone(UTC) == SESSION.ends_at
    # The night the clocks go back: 22:00 in summer time to 07:30 in winter time.
    assert entry.dtstart.value.utcoffset() == timedelta(hours=2)
    assert entry.dtend.value.utcoffset() == timedelta(hours=1)
    assert b"DTSTART;TZID=Europe/Warsaw:20261024T220000" in calendar([sheet()])
    assert found.vtimezone.tzid.value == "Europe/Warsaw"


def test_a_changed_ticket_changes_its_entry_and_does_not_add_one() -> None:
    first = read(calendar([sheet()])).vevent
    later = replace(SESSION, starts_at=SESSION.starts_at + timedelta(hours=1))
    second = read(calendar([sheet(session=later, revision=1, edition=2)])).vevent
    third = read(calendar([sheet(session=later, revision=1, moves=1)])).vevent
    assert first.uid.value == second.uid.value == third.uid.value
    assert [int(each.sequence.value) for each in (first, second, third)] == [0, 1, 2]
    assert second.dtstart.value - first.dtstart.value == timedelta(hours=1)


def test_a_cancelled_ticket_takes_its_entry_away() -> None:
    gone = sheet(cancelled_at=datetime(2026, 9, 2, tzinfo=UTC), revision=1)
    found = read(calendar([gone]))
    assert (found.method.value, found.vevent.status.value) == ("CANCEL", "CANCELLED")
    off = read(calendar([sheet(event=replace(EVENT, status="cancelled"), moves=1)]))
    assert (off.method.value, off.vevent.sequence.value) == ("CANCEL", "1")


def test_one_cancelled_ticket_of_two_leaves_the_other() -> None:
    gone = sheet(cancelled_at=datetime(2026, 9, 2, tzinfo=UTC), revision=1, position=2)
    found = read(calendar([sheet(), gone]))
    assert found.method.value == "PUBLISH"
    assert [each.status.value for each in found.vevent_list] == ["CONFIRMED", "CANCELLED"]
    assert len({each.uid.value for each in found.vevent_list}) == 2


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=200))
def test_whatever_people_are_called_stays_inside_its_field(name: str) -> None:
    made = calendar([sheet(attendee_name=name, seat_label=None)])
    entry = read(made).vevent
    wanted = " · ".join(filter(None, (name, "STALLS", "7QK-M2X9")))
    assert entry.description.value == wanted
    assert made.count(b"BEGIN:VEVENT") == 1 + name.count("BEGIN:VEVENT")
    assert all(len(line) <= 75 for line in made.split(b"\r\n"))
    assert entry.dtstart.value.astimezone(WARSAW).hour == 22
