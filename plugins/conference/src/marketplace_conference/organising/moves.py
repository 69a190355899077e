"""What a form or a command asks to be moved, and whom that concerns. Hours are as at the event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from marketplace.api import Lazy, lazy
from marketplace_conference.schemas import (
    FIRST_YEAR,
    LAST_YEAR,
    EventView,
    Move,
    NewTime,
    SessionView,
)

HOUR: Final = "%Y-%m-%dT%H:%M"
"""As a browser sends the hour of a day."""
LONGEST: Final = 200
Problems = dict[str, Lazy]


def shown(of: EventView) -> dict[str, str]:
    """What the form has before anybody types: how the event is now."""
    fields = {"venue": of.venue, "address": of.address}
    for each in of.sessions:
        fields |= {
            f"starts-{each.code}": each.starts_at.strftime(HOUR),
            f"ends-{each.code}": each.ends_at.strftime(HOUR),
            f"room-{each.code}": each.room,
        }
    return fields


def changed(of: EventView, typed: Mapping[str, str]) -> dict[str, str]:
    """The fields that are to be otherwise than they are."""
    return {
        name: words
        for name, now in shown(of).items()
        if (words := _plain(typed.get(name, now))) != _plain(now)
    }


def _plain(words: str) -> str:
    return " ".join(words.split())


def read(of: EventView, typed: Mapping[str, str], now: datetime) -> tuple[Move | None, Problems]:
    """The move, or what is wrong with it by field; what is left out, or typed as it is, stays."""
    wanted, problems = changed(of, typed), Problems()
    reason = _plain(typed.get("reason", ""))
    if not 0 < len(reason) <= LONGEST or not reason.isprintable():
        problems["reason"] = lazy("Say why, in 200 characters at most: people read it.")
    for name, words in wanted.items():
        if name in ("venue", "address") and not words:
            problems[name] = lazy("Say where it is.")
        elif len(words) > LONGEST or not words.isprintable():
            problems[name] = lazy("200 characters at most, in one line.")
    until = _end_of(typed.get("refund_until", ""), ZoneInfo(of.time_zone))
    if until is None:
        problems["refund_until"] = lazy("A day, like 2027-03-01.")
    elif until <= now:
        problems["refund_until"] = lazy("A day that is not over yet.")
    times = [_time(each, wanted, of.time_zone, problems) for each in of.sessions]
    if not wanted:
        problems["nothing"] = lazy("Nothing would change: name another time or place.")
    if problems or until is None:
        return None, problems
    move = Move(
        reason=reason,
        refund_until=until,
        venue=wanted.get("venue"),
        address=wanted.get("address"),
        sessions=[each for each in times if each is not None],
    )
    return move, {}


def _end_of(day: str, zone: ZoneInfo) -> datetime | None:
    """When a day ends; None where it is none."""
    try:
        last = date.fromisoformat(day.strip())
        if not FIRST_YEAR <= last.year <= LAST_YEAR:
            return None
        after = last + timedelta(days=1)
        return datetime.combine(after, time(), zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _time(
    of: SessionView, wanted: Mapping[str, str], zone: str, problems: Problems
) -> NewTime | None:
    """When and where a session is instead; None where it stays, or something is wrong."""
    names = [f"{part}-{of.code}" for part in ("starts", "ends", "room")]
    if not any(name in wanted for name in names):
        return None
    moments = [of.starts_at, of.ends_at]
    for place, name in enumerate(names[:2]):
        if name in wanted:
            moment = read_moment(wanted[name], ZoneInfo(zone))
            if moment is None:
                problems[name] = lazy("A day and an hour that there is, like 2027-03-01T09:30.")
            moments[place] = moment or moments[place]
    starts_at, ends_at = (each.astimezone(UTC) for each in moments)
    if ends_at <= starts_at and not any(name in problems for name in names):
        problems[names[1]] = lazy("It has to end after it starts.")
    if any(name in problems for name in names):
        return None
    return NewTime(
        code=of.code, starts_at=starts_at, ends_at=ends_at, room=wanted.get(names[2], of.room)
    )


def read_moment(words: str, zone: ZoneInfo) -> datetime | None:
    """The moment of a field; None where it is none, as in an hour that clocks leave out."""
    try:
        naive = datetime.strptime(words, HOUR)  # noqa: DTZ007 - of the event's zone, next line
        moment = naive.replace(tzinfo=zone).astimezone(UTC)
        there = moment.astimezone(zone).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return moment if there == naive and FIRST_YEAR <= naive.year <= LAST_YEAR else None


def concerned(of: EventView, move: Move) -> list[SessionView]:
    """The sessions whose ticket holders are told: all of them where the place is another."""
    codes = {each.code for each in move.sessions}
    return [each for each in of.sessions if move.venue or move.address or each.code in codes]
