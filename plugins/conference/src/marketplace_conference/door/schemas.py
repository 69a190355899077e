"""What doors send and get."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec

from marketplace_conference.door.domain import MOST_SCANS, Finding, Result

LONGEST_CODE: Final = 8_000
"""More than any QR code holds."""
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]


class NewDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/conference/events/{slug}/doors`."""

    name: Name


class DeviceMade(msgspec.Struct, frozen=True, kw_only=True):
    """A new device; its key is told this once."""

    id: UUID
    name: str
    key: str


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """A device of an event."""

    id: UUID
    name: str
    made_at: datetime
    revoked_at: datetime | None
    last_scan_at: datetime | None
    """When something it scanned came in last."""


class NewScan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One scan: a `code`, or the `ticket` that was found by name."""

    nonce: UUID
    """The device's own; the same again is counted once."""
    code: Annotated[str, msgspec.Meta(max_length=LONGEST_CODE)] | None = None
    """Whatever was scanned: what is no ticket of ours is `forged`, and harms no other scan."""
    ticket: Annotated[int, msgspec.Meta(ge=1, le=2**62)] | None = None
    age_ms: Annotated[int, msgspec.Meta(ge=-(10**12), le=10**12)] = 0
    """How long ago it was scanned, by the device's own clock. Below zero, where that clock was set
    back meanwhile, is taken for now."""
    anyway: bool = False
    """Somebody at the door lets in although it is `too_early` or `closed`; of nothing else."""


class NewScans(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/conference/door/scans`."""

    scans: Annotated[list[NewScan], msgspec.Meta(min_length=1, max_length=MOST_SCANS)]
    session: UUID | None = None
    """The session the door leads to; every session of the event where it is left out."""


class ScanView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a scan."""

    nonce: UUID
    result: Result
    ticket: int | None = None
    name: str | None = None
    category: str | None = None
    seat: str | None = None
    session: UUID | None = None
    admitted_at: datetime | None = None
    """Of the scan that counts."""
    admitted_by: str | None = None
    """The device that made it."""
    opens_at: datetime | None = None
    """When the door of the ticket's session opens, with `closes_at` in the event's time zone."""
    closes_at: datetime | None = None
    overrode: Finding | None = None
    """`too_early` or `closed`, where this scan let in anyway."""


class ScanViews(msgspec.Struct, frozen=True, kw_only=True):
    """Answers in the order of the scans sent."""

    scans: list[ScanView]


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A session as a door offers it to choose."""

    id: UUID
    name: str
    starts_at: datetime
    opens_at: datetime
    """From then on its tickets are let in, until `closes_at`, which is its end."""
    closes_at: datetime
    room: str


class ListedTicket(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket as a door keeps it for when there is no network."""

    id: int
    session: UUID
    edition: int
    tail: str
    """The last characters of its code: who has another code has another's."""
    locator: str
    name: str
    category: str
    seat: str | None
    void: bool
    admitted_at: datetime | None


class DoorList(msgspec.Struct, frozen=True, kw_only=True):
    """All that a door needs to work alone."""

    event: UUID
    name: str
    device: str
    time_zone: str
    as_of: datetime
    sessions: list[SessionView]
    keys: dict[str, str]
    """Public Ed25519 keys, base64, by their number: for tickets sold since this list was made."""
    tickets: list[ListedTicket]


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many have come to a session."""

    session: UUID
    name: str
    sold: int
    admitted: int
    doubles: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many have come."""

    as_of: datetime
    """The time of the marketplace, from which a device learns how wrong its own clock is."""
    sessions: list[Count]
