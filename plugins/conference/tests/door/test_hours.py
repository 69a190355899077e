"""Doors open at a time and close with their session; people at them may let in anyway."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec
import pytest
import sqlalchemy as sa
from box import Box
from marketplace_conference import models
from marketplace_conference.certificates import certifying
from marketplace_conference.door import devices, hours, repository
from marketplace_conference.door.domain import Finding, Result
from marketplace_conference.door.errors import NonceReused
from marketplace_conference.door.schemas import NewScan, NewScans
from marketplace_conference.tickets import repository as tickets

from marketplace.api import Host
from marketplace.testing import Lab

from .conftest import Door

MINUTE_MS = 60_000
MakeBox = Callable[[timedelta], Box]


@pytest.fixture
def starting(lab: Lab, host: Host) -> MakeBox:
    """`starting(timedelta(hours=4))`: an event that begins then; its doors open 3 h before."""

    def make(after: timedelta) -> Box:
        with host.transaction() as session:
            now = host.now(session)
        return Box(host, lab.member("shop"), starts_at=now + after)

    return make


def move(box: Box, **values: Any) -> None:
    """The first session is at another time, or otherwise."""
    of = models.session.c.id == box.sessions[0]
    with box.host.transaction() as session:
        session.execute(sa.update(models.session).where(of).values(values))


def now(box: Box) -> datetime:
    """Business time."""
    with box.host.transaction() as session:
        return box.host.now(session)


def counts(box: Box) -> tuple[int, int]:
    """Let in, and scanned again, on the first day."""
    with box.host.transaction() as session:
        day = devices.counts_of(box.host, session, box.event_id).sessions[0]
    return day.admitted, day.doubles


def test_who_comes_before_the_door_opens_is_told_when_it_does(starting: MakeBox) -> None:
    box = starting(timedelta(hours=4))
    _, (artefact,) = box.sell("Ilse Alder")
    north = Door(box.host, box, "north")
    early = north.scan(artefact.secret)
    assert (early.result, early.name) == (Result.TOO_EARLY, "Ilse Alder")
    with box.host.transaction() as session:
        day = tickets.sessions_of(session, box.event_id)[0]
    assert early.opens_at == day.starts_at - timedelta(hours=3)
    assert (
        early.opens_at.utcoffset()
        == early.opens_at.astimezone(ZoneInfo("Europe/Warsaw")).utcoffset()
    )
    assert (early.closes_at, early.admitted_at) == (day.ends_at, None)
    assert counts(box) == (0, 0)
    with box.host.transaction() as session:
        event = tickets.events(session, [box.event_id])[box.event_id]
        hours.set_opening(box.host, session, event, 300, actor="cli:test")
    assert north.scan(artefact.secret).result is Result.ADMITTED
    assert counts(box) == (1, 0)


def test_who_comes_after_the_end_is_told_so(starting: MakeBox) -> None:
    box = starting(timedelta(hours=-8, minutes=-5))
    _, (artefact,) = box.sell("Ilse Alder")
    north = Door(box.host, box, "north")
    assert north.scan(artefact.secret).result is Result.CLOSED
    assert north.scan(artefact.secret, session=box.sessions[1]).result is Result.OTHER_SESSION
    assert counts(box) == (0, 0)


def test_a_person_lets_in_anyway_and_that_is_kept(lab: Lab, starting: MakeBox) -> None:
    box = starting(timedelta(days=2))
    _, (first, second) = box.sell("Ilse Alder", "Otto Alder")
    north, south = Door(box.host, box, "north"), Door(box.host, box, "south")
    assert north.scan(first.secret).result is Result.TOO_EARLY
    let_in = north.scan(first.secret, anyway=True)
    assert (let_in.result, let_in.overrode) == (Result.ADMITTED, Finding.TOO_EARLY)
    # Whoever shows a copy of it is told the hour, and that somebody is inside with it.
    again = south.scan(first.secret)
    assert (again.result, again.admitted_by) == (Result.TOO_EARLY, "north")
    assert south.scan(first.secret, anyway=True).result is Result.DOUBLE
    assert counts(box) == (1, 1)
    with box.host.transaction() as session:
        rows = repository.let_in_anyway(session, box.event_id, 10)
    assert [(row["name"], row["device"], row["overrode"]) for row in rows] == [
        ("Ilse Alder", "south", "too_early"),
        ("Ilse Alder", "north", "too_early"),
    ]
    # Nothing but the hour is put aside.
    with box.host.transaction() as session:
        session.execute(
            sa.update(models.place)
            .where(models.place.c.attendee_name == "Otto Alder")
            .values(cancelled_at=box.host.now(session))
        )
    assert south.scan(second.secret, anyway=True).result is Result.VOID
    assert south.scan("CT1NONSENSE", anyway=True).result is Result.FORGED


def test_what_was_scanned_within_the_hours_is_good_whenever_it_is_sent(starting: MakeBox) -> None:
    box = starting(timedelta(hours=-8, minutes=-5))
    _, made = box.sell("Ilse Alder", "Otto Alder", "Uwe Alder", "Ada Alder")
    north = Door(box.host, box, "north")
    ages = {
        4: Result.CLOSED,  # after the end, five minutes ago
        6: Result.ADMITTED,
        11 * 60 + 4: Result.ADMITTED,  # three hours before the start
        11 * 60 + 6: Result.TOO_EARLY,
    }
    sent = [
        NewScan(nonce=uuid4(), code=each.secret, age_ms=minutes * MINUTE_MS)
        for each, minutes in zip(made, ages, strict=True)
    ]
    assert [each.result for each in north.send(sent)] == list(ages.values())
    assert counts(box) == (2, 0)
    # Sent once more, also after the event was moved, they are what they were.
    move(box, starts_at=now(box) + timedelta(days=1), ends_at=now(box) + timedelta(days=2))
    assert [each.result for each in north.send(sent)] == list(ages.values())


def test_a_clock_of_another_year_neither_opens_a_door_nor_closes_it(starting: MakeBox) -> None:
    box = starting(timedelta(minutes=5))
    _, (first, second) = box.sell("Ilse Alder", "Otto Alder")
    north = Door(box.host, box, "north")
    ahead = {"nonce": str(uuid4()), "code": first.secret, "age_ms": -365 * 24 * 60 * MINUTE_MS}
    sent = msgspec.convert({"scans": [ahead]}, NewScans)
    assert north.send(sent.scans)[0].result is Result.ADMITTED
    behind = NewScan(nonce=uuid4(), code=second.secret, age_ms=10**12)
    assert north.send([behind])[0].result is Result.TOO_EARLY
    assert counts(box) == (1, 0)


def test_a_door_of_every_session_judges_each_ticket_by_its_own(starting: MakeBox) -> None:
    box = starting(timedelta(hours=1))
    _, (today,) = box.sell("Ilse Alder")
    _, (tomorrow,) = box.sell("Otto Alder", day=2)
    north = Door(box.host, box, "north")
    scans = [NewScan(nonce=uuid4(), code=each.secret) for each in (today, tomorrow)]
    assert [each.result for each in north.send(scans)] == [Result.ADMITTED, Result.TOO_EARLY]


def test_the_list_for_a_phone_without_network_has_the_hours_of_each_door(starting: MakeBox) -> None:
    box = starting(timedelta(hours=4))
    north = Door(box.host, box, "north")
    kept = devices.everything(box.host, north.made.key)
    for each in kept.sessions:
        assert each.opens_at == each.starts_at - timedelta(hours=3)
        assert each.closes_at == each.starts_at + timedelta(hours=8)
    assert kept.time_zone == "Europe/Warsaw"
    assert abs(devices.counts(box.host, north.made.key).as_of - kept.as_of) < timedelta(minutes=1)


def test_only_who_was_let_in_has_a_certificate_also_outside_of_the_hours(
    host: Host, starting: MakeBox
) -> None:
    box = starting(timedelta(hours=8))
    order, (waits, early, late) = box.sell("Wanda Elm", "Ilse Alder", "Otto Alder")
    move(box, certified=True)
    north = Door(box.host, box, "north")
    assert north.scan(waits.secret).result is Result.TOO_EARLY
    assert north.scan(early.secret, anyway=True).result is Result.ADMITTED
    move(box, starts_at=now(box) - timedelta(hours=2), ends_at=now(box) - timedelta(minutes=1))
    assert north.scan(late.secret).result is Result.CLOSED
    assert north.scan(late.secret, anyway=True).overrode is Finding.CLOSED
    certifying.certify_all(host)
    with host.transaction() as session:
        places = tickets.of_orders(session, [order])
    named = {each.attendee_name for each in places if certifying.is_certified(host, [each.id])}
    assert named == {"Ilse Alder", "Otto Alder"}


def test_a_scan_that_is_sent_again_with_anyway_stays_what_it_was(starting: MakeBox) -> None:
    box = starting(timedelta(days=1))
    _, (first, second) = box.sell("Ilse Alder", "Otto Alder")
    north = Door(box.host, box, "north")
    nonce = uuid4()
    assert north.send([NewScan(nonce=nonce, code=first.secret)])[0].result is Result.TOO_EARLY
    again = NewScan(nonce=nonce, code=first.secret, anyway=True)
    assert north.send([again])[0].result is Result.TOO_EARLY
    with pytest.raises(NonceReused):
        north.send([NewScan(nonce=nonce, code=second.secret, anyway=True)])
