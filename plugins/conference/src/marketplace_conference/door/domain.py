"""What a door finds out about a scan. Pure.

Two things are kept apart. A **finding** is about the ticket: good, or why not. Whether a good one
lets somebody in is the **admission**: the earliest good scan of a ticket, by the time of the
database, and of two at the same moment the one that was written first. A door without a network
cannot know what another one scanned, so both may let the same ticket in; when both have sent what
they scanned, the earlier one counts and the later is a **double**, whichever was sent first.

A door opens some time before its session and closes as that ends; what it scanned is judged by the
hour at which it did. Doors are run by people, who may let in anyway: that is written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from marketplace_conference.places import Session
from marketplace_conference.tickets import codes
from marketplace_conference.tickets.codes import Stub
from marketplace_conference.tickets.domain import Ticket

LONGEST_AGE: Final = timedelta(days=90)
"""So long after it was made a scan may still come in, from a door without a network, also for a
certificate. One that claims to be older is taken for one of then."""
MOST_SCANS: Final = 500
"""Sent together."""


class Finding(StrEnum):
    """What a scan says of the ticket."""

    GOOD = "good"
    FORGED = "forged"
    """No code of this event: of something else, or signed by nobody we believe."""
    VOID = "void"
    """Cancelled, or moved to another session since: an older edition of the code."""
    OTHER_SESSION = "other_session"
    UNKNOWN = "unknown"
    """Genuine by its signature, and yet no ticket that we know."""
    TOO_EARLY = "too_early"
    """Good, and the door of its session was not open yet."""
    CLOSED = "closed"
    """Good, and its session was over."""


class Result(StrEnum):
    """What a door shows: a finding, or for a good ticket whether it was the first."""

    ADMITTED = "admitted"
    DOUBLE = "double"
    FORGED = "forged"
    VOID = "void"
    OTHER_SESSION = "other_session"
    UNKNOWN = "unknown"
    TOO_EARLY = "too_early"
    CLOSED = "closed"


class Verdict(msgspec.Struct, frozen=True):
    """What is found, and which finding somebody at the door put aside to let in anyway."""

    finding: Finding
    overrode: Finding | None = None


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A phone or scanner at a door of one event."""

    id: UUID
    event_id: UUID
    name: str
    time_zone: str
    """Of the event."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A scan as it came in: a code, or a ticket that the door found by name."""

    nonce: UUID
    stub: Stub | None
    """What a genuine code says; None where none was scanned, or a forged one."""
    ticket_id: int | None
    """As found by name."""
    scanned_at: datetime
    anyway: bool = False
    """Somebody at the door lets in whatever the hour."""

    @property
    def number(self) -> int | None:
        """The ticket in question."""
        return self.stub.ticket if self.stub is not None else self.ticket_id


def believed(code: str, event_id: UUID, public: Mapping[int, bytes]) -> Stub | None:
    """What a code says, where it is genuine and of this event."""
    found = codes.read(code)
    if found is None or found.stub.event_id != event_id or not codes.is_genuine(found, public):
        return None
    return found.stub


def when_scanned(now: datetime, age_ms: int) -> datetime:
    """The time of the database at which something so old was scanned.

    A device says how long ago, not when: its clock may be wrong, its sense of time is not.
    """
    return now - min(max(timedelta(milliseconds=age_ms), timedelta(0)), LONGEST_AGE)


def judge(
    seen: Seen, ticket: Ticket | None, part: Session | None, session_id: UUID | None
) -> Verdict:
    """What is found at a door of this session, or of every session (None); `part`: the ticket's."""
    if ticket is None or part is None:
        return Verdict(Finding.FORGED if seen.number is None else Finding.UNKNOWN)
    finding = _about_ticket(seen, ticket, session_id)
    if finding is not Finding.GOOD:
        return Verdict(finding)
    hour = _about_hour(seen.scanned_at, part)
    if hour is Finding.GOOD or not seen.anyway:
        return Verdict(hour)
    return Verdict(Finding.GOOD, overrode=hour)


def _about_ticket(seen: Seen, ticket: Ticket, session_id: UUID | None) -> Finding:
    if ticket.cancelled_at is not None and ticket.cancelled_at <= seen.scanned_at:
        return Finding.VOID
    if seen.stub is not None and seen.stub != ticket.stub:
        return Finding.VOID
    if session_id is not None and ticket.session_id != session_id:
        return Finding.OTHER_SESSION
    return Finding.GOOD


def _about_hour(scanned_at: datetime, part: Session) -> Finding:
    if scanned_at < part.opens_at:
        return Finding.TOO_EARLY
    return Finding.CLOSED if scanned_at >= part.ends_at else Finding.GOOD
