"""Devices at the doors of an event, and what each of them knows."""

from __future__ import annotations

import base64
import secrets
from typing import Final
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session as Transaction

from marketplace.api import Host, NotFound, Principal
from marketplace_conference.door import repository
from marketplace_conference.door.checking import authenticate
from marketplace_conference.door.schemas import (
    Count,
    Counts,
    DeviceMade,
    DeviceView,
    DoorList,
    ListedTicket,
    NewDevice,
    SessionView,
)
from marketplace_conference.door.tables import device
from marketplace_conference.places import Event
from marketplace_conference.tickets import keys
from marketplace_conference.tickets import repository as tickets

KEY_BYTES: Final = 24
NO_EVENT: Final = "There is no such event, or it is not yours to run."
MOST_FOUND: Final = 20
LONGEST_NAME: Final = 80


def own_event(session: Transaction, principal: Principal, slug: str) -> Event:
    """An event that the caller runs: the organiser's people and keys, and the operator."""
    found = tickets.event_named(session, slug)
    if found is None:
        raise NotFound(NO_EVENT)
    if not principal.is_operator and principal.member_id != found.organiser_member_id:
        raise NotFound(NO_EVENT)
    return found


def add(host: Host, principal: Principal, slug: str, new: NewDevice) -> DeviceMade:
    """A device for the doors of an event; its key is in this answer and nowhere else."""
    key = secrets.token_urlsafe(KEY_BYTES)
    made = DeviceMade(id=uuid4(), name=new.name, key=key)
    with host.transaction() as session:
        event = own_event(session, principal, slug)
        session.execute(
            sa.insert(device).values(
                id=made.id,
                event_id=event.id,
                name=new.name,
                fingerprint=host.fingerprint(f"door:{key}"),
                made_by=principal.actor,
                made_at=host.now(session),
            )
        )
        host.audit(
            session,
            actor=principal.actor,
            action="door.added",
            subject=str(made.id),
            event=event.slug,
            name=new.name,
        )
    return made


def renew(host: Host, principal: Principal, slug: str, device_id: UUID) -> DeviceMade:
    """Another key for the same device: the one it had is refused from now on.

    What the phone scanned and has not sent yet is sent with the new key, and counted once. Raises
    NotFound where the event has no such device in use: a withdrawn one stays withdrawn.
    """
    key = secrets.token_urlsafe(KEY_BYTES)
    with host.transaction() as session:
        event = own_event(session, principal, slug)
        print_of = host.fingerprint(f"door:{key}")
        name = repository.renew(session, event.id, device_id, print_of)
        if name is None:
            raise NotFound("There is no such device in use at this event.")
        host.audit(
            session,
            actor=principal.actor,
            action="door.renewed",
            subject=str(device_id),
            event=event.slug,
        )
    return DeviceMade(id=device_id, name=name, key=key)


def page_of(made: DeviceMade) -> str:
    """What the device opens, once: a path of the marketplace."""
    return f"/conference/door#key={made.key}"


def revoke(host: Host, principal: Principal, slug: str, device_id: UUID) -> None:
    """Withdraw a device's key; again changes nothing."""
    with host.transaction() as session:
        event = own_event(session, principal, slug)
        if repository.revoke(session, event.id, device_id, host.now(session)):
            host.audit(
                session,
                actor=principal.actor,
                action="door.withdrawn",
                subject=str(device_id),
                event=event.slug,
            )


def devices(session: Transaction, event: Event) -> list[DeviceView]:
    """The devices of an event."""
    return [DeviceView(**row) for row in repository.devices_of(session, event.id)]


def counts_of(host: Host, session: Transaction, event_id: UUID) -> Counts:
    """How many have come to each session of an event."""
    found = [Count(**row) for row in repository.counts(session, event_id)]
    return Counts(as_of=host.now(session), sessions=found)


def counts(host: Host, key: str) -> Counts:
    """The same for a door."""
    with host.transaction() as session:
        return counts_of(host, session, authenticate(host, session, key).event_id)


def everything(host: Host, key: str) -> DoorList:
    """What a door keeps for when there is no network."""
    with host.transaction() as session:
        door = authenticate(host, session, key)
        event = tickets.events(session, [door.event_id])[door.event_id]
        return DoorList(
            event=event.id,
            name=event.name,
            device=door.name,
            time_zone=event.time_zone,
            as_of=host.now(session),
            sessions=[
                SessionView(
                    id=each.id,
                    name=each.name,
                    starts_at=each.starts_at,
                    opens_at=each.opens_at,
                    closes_at=each.ends_at,
                    room=each.room,
                )
                for each in tickets.sessions_of(session, event.id)
            ],
            keys={
                str(number): base64.b64encode(public).decode()
                for number, public in keys.public_keys(session, event.id).items()
            },
            tickets=[ListedTicket(**row) for row in repository.listed(session, event.id)],
        )


def find(host: Host, key: str, words: str) -> list[ListedTicket]:
    """Tickets whose locator is `words`, or whose attendee's name holds all of them."""
    with host.transaction() as session:
        door = authenticate(host, session, key)
        rows = repository.found(session, door.event_id, words, MOST_FOUND)
        return [ListedTicket(**row) for row in rows]
