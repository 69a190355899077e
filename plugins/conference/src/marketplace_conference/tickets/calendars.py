"""Calendar entries of tickets (RFC 5545): a stable UID, a sequence that only grows, cancellations.

Whoever imports the file of a ticket again after it was moved or cancelled gets the old entry
changed, not a second one: what changed comes as a REQUEST (RFC 5546) with a higher sequence. Hours
are written in the zone of the event, with the rules of that zone beside them, so that a calendar in
another country is right on the day the clocks change. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vCalAddress

from marketplace_conference.tickets.domain import Sheet

MADE_BY: Final = "-//Coalition Rewards Marketplace//Conference//EN"
UID_DOMAIN: Final = "conference.marketplace.invalid"
"""Of no host: an entry means the same wherever the marketplace moves to."""
NO_TEXT: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
AROUND: Final = timedelta(days=366)
"""Rules of a zone are written for the time of the sessions and a year around."""


def calendar(sheets: Sequence[Sheet]) -> bytes:
    """The file for these tickets; it takes the entries away where all of them are cancelled."""
    made = Calendar()
    made.add("prodid", MADE_BY)
    made.add("version", "2.0")
    off = bool(sheets) and all(each.is_cancelled for each in sheets)
    changed = any(sequence_of(each) for each in sheets if not each.is_cancelled)
    made.add("method", "CANCEL" if off else "REQUEST" if changed else "PUBLISH")
    for each in sheets:
        made.add_component(_entry(each, changed and not off))
    if sheets:
        first = min(each.session.starts_at for each in sheets)
        last = max(each.session.ends_at for each in sheets)
        made.add_missing_timezones((first - AROUND).date(), (last + AROUND).date())
    return bytes(made.to_ical())


def uid_of(sheet: Sheet) -> str:
    """The same for a place for ever, whatever becomes of its session or its attendee."""
    return f"{sheet.ticket.order_reference}-{sheet.ticket.position}@{UID_DOMAIN}"


def sequence_of(sheet: Sheet) -> int:
    """How often the entry has changed."""
    return sheet.ticket.revision + sheet.moves


def _entry(sheet: Sheet, asks: bool) -> Event:
    ticket, event, session = sheet.ticket, sheet.event, sheet.session
    zone = ZoneInfo(event.time_zone)
    made = Event()
    made.add("uid", uid_of(sheet))
    made.add("dtstamp", ticket.changed_at)
    made.add("sequence", sequence_of(sheet))
    made.add("dtstart", session.starts_at.astimezone(zone))
    made.add("dtend", session.ends_at.astimezone(zone))
    where = ", ".join(filter(None, (session.room, event.venue, event.address)))
    made.add("summary", _plain(title_of(sheet)))
    made.add("location", _plain(where))
    made.add("description", _plain(" · ".join(filter(None, _facts(sheet)))))
    # RFC 5546: each method names who organises it, and REQUEST alone who comes.
    made.add("organizer", _party(event.slug, event.name))
    if asks:
        made.add("attendee", _party(uid_of(sheet).split("@")[0], ticket.attendee_name))
    made.add("status", "CANCELLED" if sheet.is_cancelled else "CONFIRMED")
    made.add("transp", "TRANSPARENT" if sheet.is_cancelled else "OPAQUE")
    return made


def _plain(text: str) -> str:
    """Lines stay lines, which are escaped; other control characters no calendar may hold."""
    return NO_TEXT.sub(" ", text.replace("\r\n", "\n"))


def _party(name: str, called: str) -> vCalAddress:
    """Who invites, who is invited; nobody writes there."""
    made = vCalAddress(f"mailto:{name}@{UID_DOMAIN}")
    if called:
        # A double quote would end the parameter, and control characters the line.
        made.params["CN"] = re.sub(r'["\n]', " ", _plain(called))
    return made


def title_of(sheet: Sheet) -> str:
    """Event and session; once where they are called the same."""
    names = dict.fromkeys((sheet.event.name, sheet.session.name))
    return ": ".join(filter(None, names))


def _facts(sheet: Sheet) -> tuple[str, ...]:
    ticket = sheet.ticket
    return (ticket.attendee_name, ticket.category, ticket.seat_label or "", ticket.locator)
