"""A training for who attended another: said beforehand, asked for again when it is burnt for."""

from __future__ import annotations

from uuid import uuid4

import pytest
import sqlalchemy as sa
from marketplace_conference import events, reserving
from marketplace_conference.door.tables import admission, device, scan
from marketplace_conference.errors import BadAttendees
from marketplace_conference.models import place
from marketplace_conference.prerequisites import NOT_ATTENDED
from marketplace_conference.schemas import Attendee, NewReservation
from marketplace_conference.tickets.tables import ticket
from msgspec.structs import replace

from marketplace.api import Fulfilled, Host, InvalidRequest, Rejected
from marketplace.testing import Lab

from .conftest import Hall


@pytest.fixture
def basics(lab: Lab, host: Host) -> Hall:
    """What has to be attended first."""
    return Hall(lab, host)


@pytest.fixture
def advanced(lab: Lab, host: Host, basics: Hall) -> Hall:
    """A training for those who attended the basics."""
    made = Hall(lab, host)
    (day,) = made.new.sessions
    made.put(sessions=[replace(day, requires=[f"{basics.slug}/day"])], questions=[])
    return made


def attend(hall: Hall, email: str) -> None:
    """Somebody with this address bought a place and was let in."""
    held = hall.reserve(hall.row, quantity=1)
    hall.fulfil(hall.order(hall.row, 1, held.selection))
    with hall.host.transaction() as session:
        bought = sa.select(ticket.c.id, ticket.c.event_id, ticket.c.session_id).order_by(
            ticket.c.id.desc()
        )
        row = session.execute(bought.limit(1)).one()
        session.execute(sa.update(place).where(place.c.id == row.id).values(attendee_email=email))
        now, device_id = hall.host.now(session), uuid4()
        session.execute(
            sa.insert(device).values(
                id=device_id,
                event_id=row.event_id,
                name="north",
                fingerprint=device_id.bytes,
                made_by="test",
                made_at=now,
            )
        )
        scan_id = session.execute(
            sa.insert(scan)
            .values(
                device_id=device_id,
                nonce=uuid4(),
                ticket_id=row.id,
                session_id=None,
                finding="good",
                scanned_at=now,
                received_at=now,
            )
            .returning(scan.c.id)
        ).scalar_one()
        session.execute(
            sa.insert(admission).values(
                ticket_id=row.id, session_id=row.session_id, scan_id=scan_id, scanned_at=now
            )
        )


def named(*emails: str) -> list[Attendee]:
    return [Attendee(name=f"Guest {number}", email=each) for number, each in enumerate(emails)]


def test_it_is_said_beforehand_and_nobody_else_reserves(basics: Hall, advanced: Hall) -> None:
    (part,) = events.read(advanced.host, advanced.slug).sessions
    assert part.requires == ["Forum: Day"]
    attend(basics, "ann@acme.example")
    ann = advanced.person()
    asked = NewReservation(sku=advanced.row, quantity=2)
    for people, reason in (
        (named("ann@acme.example", "bob@acme.example"), "nobody with this e-mail address attended"),
        (named("ANN@acme.example", ""), "the e-mail address is missing"),
    ):
        with pytest.raises(BadAttendees) as refused:
            reserving.reserve(advanced.host, ann, replace(asked, attendees=people))
        (error,) = refused.value.extra["errors"]
        assert (error["position"], error["field"]) == (2, "email")
        assert error["reason"].startswith(reason)
    attend(basics, "bob@acme.example")
    held = advanced.reserve(advanced.row, quantity=2, who=ann)
    people = named("Ann@acme.example ".strip(), "bob@acme.example")
    reserving.name_attendees(advanced.host, ann, held.selection, people, complete=True)
    (sold,) = advanced.fulfil(advanced.order(advanced.row, 2, held.selection))
    assert isinstance(sold, Fulfilled)


def test_it_is_asked_for_again_when_it_is_burnt_for(basics: Hall, advanced: Hall) -> None:
    held = advanced.reserve(advanced.row, quantity=1)
    answers = advanced.fulfil(
        advanced.order(advanced.row, 1, held.selection), advanced.order(advanced.row)
    )
    for each in answers:
        assert isinstance(each, Rejected)
        assert each.reason == NOT_ATTENDED
    (free,) = basics.fulfil(basics.order(basics.row))
    assert isinstance(free, Fulfilled)


@pytest.mark.parametrize("named", ["no-such/day", "{slug}/day"])
def test_a_session_requires_another_that_there_is(basics: Hall, named: str) -> None:
    (day,) = basics.new.sessions
    with pytest.raises(InvalidRequest):
        basics.put(sessions=[replace(day, requires=[named.format(slug=basics.slug)])])
