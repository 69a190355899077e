"""Calendar entries of tickets (RFC 5545), which a later import changes or takes away. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from icalendar import Calendar, Event

from marketplace_pretix.asking import zone
from marketplace_pretix.showing import When

MADE_BY: Final = "-//Coalition Rewards Marketplace//Pretix//EN"
UID_DOMAIN: Final = "pretix.marketplace.invalid"
"""Of no host: an entry means the same wherever the marketplace moves to."""
NO_TEXT: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
AROUND: Final = timedelta(days=366)


def calendar(entries: Sequence[When], now: datetime) -> bytes:
    """The file for these dates; it takes the entries away where all of them are cancelled."""
    made = Calendar()
    made.add("prodid", MADE_BY)
    made.add("version", "2.0")
    off = bool(entries) and all(each.is_cancelled for each in entries)
    made.add("method", "CANCEL" if off else "PUBLISH")
    for each in entries:
        made.add_component(_entry(each, now))
    if entries:
        first = min(each.begins for each in entries)
        last = max(each.ends or each.begins for each in entries)
        made.add_missing_timezones((first - AROUND).date(), (last + AROUND).date())
    return bytes(made.to_ical())


def _entry(entry: When, now: datetime) -> Event:
    there = zone(entry.time_zone)
    made = Event()
    made.add("uid", f"{entry.uid}@{UID_DOMAIN}")
    made.add("dtstamp", now)
    # What is read later counts: pretix numbers no changes.
    made.add("sequence", int(now.timestamp()))
    made.add("dtstart", entry.begins.astimezone(there))
    if entry.ends is not None and entry.ends > entry.begins:
        made.add("dtend", entry.ends.astimezone(there))
    made.add("summary", _plain(entry.name))
    if entry.place:
        made.add("location", _plain(entry.place.replace("\n", ", ")))
    made.add("status", "CANCELLED" if entry.is_cancelled else "CONFIRMED")
    made.add("transp", "TRANSPARENT" if entry.is_cancelled else "OPAQUE")
    return made


def _plain(text: str) -> str:
    """Other control characters than the end of a line no calendar may hold."""
    return NO_TEXT.sub(" ", text.replace("\r\n", "\n"))
