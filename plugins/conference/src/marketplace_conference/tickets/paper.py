"""Tickets on paper: a page for each attendee, in the reader's language, hours as at the event."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import segno
from babel import dates

from marketplace.api import Lazy, lazy, typeset
from marketplace_conference.places import Session
from marketplace_conference.tickets.domain import Sheet

TEMPLATE: Final = Path(__file__).parent.parent / "templates" / "conference" / "ticket.typ"
QUIET_MODULES: Final = 4
"""Around a QR code, for readers to find it."""
REGIONS: Final = {"en": "en_GB"}
"""Whose days and hours a language is given, as on the pages."""

Say = Callable[[str | Lazy], str]
"""Puts words into the reader's language: `Page._`."""


async def pages(sheets: Sequence[Sheet], say: Say, locale: str) -> bytes:
    """A PDF with a page for each ticket; the same bytes for the same tickets."""
    return await typeset(TEMPLATE, tell(sheets, say, locale))


def tell(sheets: Sequence[Sheet], say: Say, locale: str) -> dict[str, object]:
    """What the pages say, all of it text in the reader's language."""
    return {
        "language": locale,
        "title": say(lazy("Tickets")),
        "sheets": [_sheet(each, say, locale) for each in sheets],
    }


def _sheet(sheet: Sheet, say: Say, locale: str) -> dict[str, object]:
    ticket, event, session = sheet.ticket, sheet.event, sheet.session
    called, part, category = sheet.called(locale)
    rows = [
        (say(lazy("When")), when(session.starts_at, session.ends_at, event.time_zone, locale)),
        (say(lazy("Doors open")), opening(session, event.time_zone, locale)),
        (say(lazy("Where")), ", ".join(filter(None, (event.venue, event.address)))),
        (say(lazy("Room")), session.room),
        (say(lazy("Category")), category.text),
        (say(lazy("Seat number")), ticket.seat_label or ""),
    ]
    return {
        "position": ticket.position,
        "event": called.text,
        "event_language": called.language,
        "session": part.text if part.text != called.text else "",
        "session_language": part.language,
        "attendee": ticket.attendee_name or say(lazy("Name not given yet")),
        "rows": [row for row in rows if row[1]],
        "locator": ticket.locator,
        "locator_label": say(lazy("Ticket number")),
        "qr": qr_svg(sheet.code),
        "void": say(lazy("Cancelled: this ticket admits nobody")) if sheet.is_cancelled else "",
        "note": say(
            lazy(
                "Show this page at the door, on paper or on a screen. It admits one person, once: "
                "whoever copies it comes in your place."
            )
        ),
    }


def qr_svg(code: str) -> str:
    """A ticket's code as a drawing."""
    drawn = io.BytesIO()
    segno.make(code, error="m", micro=False).save(drawn, kind="svg", border=QUIET_MODULES)
    return drawn.getvalue().decode()


def when(starts_at: datetime, ends_at: datetime, time_zone: str, locale: str) -> str:
    """From when to when; the day is said once where it is one."""
    zone = ZoneInfo(time_zone)
    start, end = starts_at.astimezone(zone), ends_at.astimezone(zone)
    last = _hour(end, locale) if start.date() == end.date() else _moment(end, locale)
    # In the night that the clocks change, the two hours are of two zones.
    first = "" if start.tzname() == end.tzname() else f" ({start.tzname()})"
    return f"{_moment(start, locale)}{first} \N{EN DASH} {last} ({end.tzname()})"


def opening(session: Session, time_zone: str, locale: str) -> str:
    """When the door opens; the day is said where it is another than the session's."""
    zone = ZoneInfo(time_zone)
    opens, start = session.opens_at.astimezone(zone), session.starts_at.astimezone(zone)
    shown = _hour(opens, locale) if opens.date() == start.date() else _moment(opens, locale)
    return f"{shown} ({opens.tzname()})"


def _moment(at: datetime, locale: str) -> str:
    day = dates.format_date(at, "full", locale=REGIONS.get(locale, locale))
    return f"{day}, {_hour(at, locale)}"


def _hour(at: datetime, locale: str) -> str:
    # Of the aware moment, Babel would show the hour in UTC.
    plain, region = at.replace(tzinfo=None), REGIONS.get(locale, locale)
    return str(dates.format_time(plain, "short", locale=region))
