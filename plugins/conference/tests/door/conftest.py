"""Doors of an event of the shop."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from marketplace_conference.door import checking, devices
from marketplace_conference.door.schemas import NewDevice, NewScan, NewScans, ScanView

from marketplace.api import Host, Principal, Role
from marketplace.testing import Lab, lab

sys.path.insert(0, str(Path(__file__).parents[1] / "tickets"))  # for box

from box import Box

__all__ = ["Door", "lab"]

DAY = 24 * 60


def in_an_hour(host: Host) -> datetime:
    """By the clock of the database."""
    with host.transaction() as session:
        return host.now(session) + timedelta(hours=1)


class Door:
    """A device at a door."""

    def __init__(self, host: Host, box: Box, name: str) -> None:
        self.host = host
        who = Principal(
            credential_id=uuid4(),
            caller_id=uuid4(),
            actor="person:organiser",
            member_id=box.organiser_id,
            roles=frozenset({Role.PARTNER.value}),
        )
        self.made = devices.add(host, who, box.slug, NewDevice(name=name))
        self.organiser = who

    def scan(self, code: str, *, session: UUID | None = None, **more: Any) -> ScanView:
        """One scan, now."""
        return self.send([NewScan(nonce=uuid4(), code=code, **more)], session)[0]

    def send(self, scans: Sequence[NewScan], session: UUID | None = None) -> list[ScanView]:
        """Scans as an upload sends them."""
        sent = NewScans(scans=list(scans), session=session)
        return checking.check_in(self.host, self.made.key, sent).scans


@pytest.fixture
def host(lab: Lab) -> Host:
    """What the core lends the conference."""
    return lab.host("conference")


@pytest.fixture
def box(lab: Lab, host: Host) -> Box:
    """The box office of an event of the shop, in two sessions; its doors have been open for a day
    and are for a day."""
    return Box(host, lab.member("shop"), starts_at=in_an_hour(host), doors_open_minutes=2 * DAY)


@pytest.fixture
def door(host: Host, box: Box) -> Callable[[str], Door]:
    """`door("north")`: a device of the event."""
    return lambda name: Door(host, box, name)
