"""Calendar files of tickets, read by a parser that did not write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
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


def strictly(made: bytes) -> str:
    """The file as RFC 5545 wants it, unfolded: lines, lengths, letters, zones, stamps."""
    assert made.endswith(b"END:VCALENDAR\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", made)
    for line in made.split(b"\r\n"):
        assert len(line) <= 75
        line.decode()  # no letter is cut in two by the fold
    text = re.sub(rb"\r\n[ \t]", b"", made).decode()
    assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]", text)
    zones = set(re.findall(r"TZID=([^:;]+)[:;]", text))
    assert zones == set(re.findall(r"^TZID:(.*?)\r$", text, re.MULTILINE))
    stamps = re.findall(r"^DTSTAMP(.*?)\r$", text, re.MULTILINE)
    assert stamps
    assert all(re.fullmatch(r":\d{8}T\d{6}Z", each) for each in stamps)
    return text


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Warsaw",
        "Europe/Dublin",  # its winter is what the rules call saved time
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "America/Phoenix",
        "Australia/Lord_Howe",  # half an hour
        "Pacific/Chatham",
        "Africa/Casablanca",
        "Etc/GMT+5",
        "UTC",
    ],
)
@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        (SESSION.starts_at, SESSION.ends_at),  # past midnight, over the night the clocks go back
        (datetime(2027, 3, 27, 22, tzinfo=UTC), datetime(2027, 3, 28, 2, 30, tzinfo=UTC)),
        (datetime(2026, 10, 23, 7, tzinfo=UTC), datetime(2026, 10, 27, 17, tzinfo=UTC)),
        (datetime(2026, 12, 31, 20, tzinfo=UTC), datetime(2027, 1, 1, 1, tzinfo=UTC)),
    ],
)
def test_hours_are_right_in_every_zone(zone: str, begins: datetime, ends: datetime) -> None:
    session = replace(SESSION, starts_at=begins, ends_at=ends)
    made = calendar([sheet(event=replace(EVENT, time_zone=zone), session=session)])
    strictly(made)
    entry = read(made).vevent
    assert entry.dtstart.value.astimezone(UTC) == begins
    assert entry.dtend.value.astimezone(UTC) == ends


def test_no_text_breaks_out_of_its_line() -> None:
    nasty = 'A, b; c\\ "d"\r\nX-EVIL:1\nEND:VEVENT\x00\x07\x85\u2028 🎟️👩‍👩‍👧‍👦' + "ż" * 200
    event = replace(EVENT, name=nasty, venue=nasty, address=nasty)
    made = calendar([sheet(attendee_name=nasty, revision=1, event=event)])
    text = strictly(made)
    assert not re.search("^(X-EVIL|END:VEVENT[^\r])", text, re.MULTILINE)
    entry = read(made).vevent
    said = 'A, b; c\\ "d"\nX-EVIL:1\nEND:VEVENT   \u2028'
    assert entry.summary.value.startswith(said)
    assert "🎟️👩‍👩‍👧‍👦" in entry.location.value


def test_every_method_has_what_it_must_have() -> None:
    gone = datetime(2026, 9, 2, tzinfo=UTC)
    for method, one in (
        ("PUBLISH", sheet()),
        ("REQUEST", sheet(revision=1)),
        ("CANCEL", sheet(revision=2, cancelled_at=gone)),
    ):
        text = strictly(calendar([one]))
        assert f"METHOD:{method}\r" in text
        assert text.count("\nORGANIZER") == 1
        assert text.count("\nATTENDEE") == (method == "REQUEST")
        assert f"\nSEQUENCE:{one.ticket.revision}\r" in text
