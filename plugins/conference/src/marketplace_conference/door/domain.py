"""What a door finds out about a scan. Pure.

Two things are kept apart. A **finding** is about the ticket: good, or why not. Whether a good one
lets somebody in is the **admission**: the earliest good scan of a ticket, by the time of the
database, and of two at the same moment the one that was written first. A door without a network
cannot know what another one scanned, so both may let the same ticket in; when both have sent what
they scanned, the earlier one counts and the later is a **double**, whichever was sent first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from marketplace_conference.tickets import codes
from marketplace_conference.tickets.codes import Stub
from marketplace_conference.tickets.domain import Ticket

LONGEST_AGE: Final = timedelta(days=7)
"""A scan that claims to be older is taken for one of then."""
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


class Result(StrEnum):
    """What a door shows: a finding, or for a good ticket whether it was the first."""

    ADMITTED = "admitted"
    DOUBLE = "double"
    FORGED = "forged"
    VOID = "void"
    OTHER_SESSION = "other_session"
    UNKNOWN = "unknown"


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A phone or scanner at a door of one event."""

    id: UUID
    event_id: UUID
    name: str


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A scan as it came in: a code, or a ticket that the door found by name."""

    nonce: UUID
    stub: Stub | None
    """What a genuine code says; None where none was scanned, or a forged one."""
    ticket_id: int | None
    """As found by name."""
    scanned_at: datetime

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


def judge(seen: Seen, ticket: Ticket | None, session_id: UUID | None) -> Finding:
    """What is found at a door of this session, or of every session (None)."""
    if seen.number is None:
        return Finding.FORGED
    if ticket is None:
        return Finding.UNKNOWN
    if ticket.cancelled_at is not None and ticket.cancelled_at <= seen.scanned_at:
        return Finding.VOID
    if seen.stub is not None and seen.stub != ticket.stub:
        return Finding.VOID
    if session_id is not None and ticket.session_id != session_id:
        return Finding.OTHER_SESSION
    return Finding.GOOD
