"""HTTP of the door: for devices with a key, and for the organiser who hands these out."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import Body, FromPath, HeaderParameter, QueryParameter

from marketplace.api import Host, Principal, Role, Routes, Scope, access
from marketplace_conference.door import checking, devices, hours
from marketplace_conference.door.schemas import (
    Counts,
    DeviceMade,
    DeviceView,
    DoorList,
    ListedTicket,
    NewDevice,
    NewScans,
    ScanViews,
)
from marketplace_conference.schemas import Minutes

Key = Annotated[str, HeaderParameter(name="Door-Key", min_length=1, max_length=200)]
DEVICES = access(public=True)
"""Whoever has the key of a device; the handler looks at it."""
ORGANISERS = access(roles=[Role.PARTNER, Role.OPERATOR], scope=Scope.STOCK_WRITE)
TAGS = ["conference"]


class DoorsOpen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `PUT /v1/conference/events/{slug}/doors-open`."""

    minutes: Minutes
    """Before the start of each session."""


def make_routes(host: Host) -> Routes:
    """The handlers over a host."""
    return [*_of_devices(host), *_of_organisers(host)]


def _of_devices(host: Host) -> Routes:
    @post(
        "/door/scans",
        opt=DEVICES,
        status_code=200,
        sync_to_thread=True,
        summary="Check people in",
        tags=TAGS,
    )
    def scan(data: Annotated[NewScans, Body()], door_key: Key) -> ScanViews:
        """Up to 500 scans; a nonce is counted once, the earliest good scan of a ticket lets in."""
        return checking.check_in(host, door_key, data)

    @get(
        "/door/list",
        opt=DEVICES,
        sync_to_thread=True,
        summary="All that a door needs to work offline",
        tags=TAGS,
    )
    def download(door_key: Key) -> DoorList:
        """The tickets of the device's event, and the keys that sign those sold later."""
        return devices.everything(host, door_key)

    @get(
        "/door/tickets",
        opt=DEVICES,
        sync_to_thread=True,
        summary="Find a ticket by name or number",
        tags=TAGS,
    )
    def find(
        door_key: Key, q: Annotated[str, QueryParameter(min_length=2, max_length=80)]
    ) -> list[ListedTicket]:
        """The first twenty, by name."""
        return devices.find(host, door_key, q)

    @get(
        "/door/counts",
        opt=DEVICES,
        sync_to_thread=True,
        summary="How many have come",
        tags=TAGS,
    )
    def count(door_key: Key) -> Counts:
        """By session: sold, let in, scanned again."""
        return devices.counts(host, door_key)

    return [scan, download, find, count]


def _of_organisers(host: Host) -> Routes:
    @get(
        "/events/{slug:str}/doors",
        opt=ORGANISERS,
        sync_to_thread=True,
        summary="Devices at the doors of an event",
        tags=TAGS,
    )
    def list_doors(slug: FromPath[str], principal: NamedDependency[Principal]) -> list[DeviceView]:
        """For the organiser and the operator."""
        with host.transaction() as session:
            return devices.devices(session, devices.own_event(session, principal, slug))

    @post(
        "/events/{slug:str}/doors",
        opt=ORGANISERS,
        sync_to_thread=True,
        summary="Add a device",
        tags=TAGS,
    )
    def add_door(
        slug: FromPath[str],
        data: Annotated[NewDevice, Body()],
        principal: NamedDependency[Principal],
    ) -> DeviceMade:
        """Its key admits people to this one event, and is told this once."""
        return devices.add(host, principal, slug, data)

    @delete(
        "/events/{slug:str}/doors/{device_id:uuid}",
        opt=ORGANISERS,
        sync_to_thread=True,
        summary="Withdraw a device's key",
        tags=TAGS,
    )
    def withdraw_door(
        slug: FromPath[str], device_id: FromPath[UUID], principal: NamedDependency[Principal]
    ) -> None:
        """At once; what it scanned before stays."""
        devices.revoke(host, principal, slug, device_id)

    @post(
        "/events/{slug:str}/doors/{device_id:uuid}/renew",
        opt=ORGANISERS,
        status_code=200,
        sync_to_thread=True,
        summary="Give a device another key",
        tags=TAGS,
    )
    def renew_door(
        slug: FromPath[str], device_id: FromPath[UUID], principal: NamedDependency[Principal]
    ) -> DeviceMade:
        """The one it had is refused at once; what it has not sent yet is sent with the new one."""
        return devices.renew(host, principal, slug, device_id)

    @put(
        "/events/{slug:str}/doors-open",
        opt=ORGANISERS,
        status_code=204,
        sync_to_thread=True,
        summary="Say when doors open",
        tags=TAGS,
    )
    def open_doors(
        slug: FromPath[str],
        data: Annotated[DoorsOpen, Body()],
        principal: NamedDependency[Principal],
    ) -> None:
        """So many minutes before each session; it holds at once, for tickets that are sold too."""
        with host.transaction() as session:
            event = devices.own_event(session, principal, slug)
            hours.set_opening(host, session, event, data.minutes, actor=principal.actor)

    return [list_doors, add_door, withdraw_door, renew_door, open_doors]
