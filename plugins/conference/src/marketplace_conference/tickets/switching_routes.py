"""HTTP of what changes for people who have tickets: another session, an event that is moved."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import Body, FromPath

from marketplace.api import Host, Principal, Role, Routes, Scope, access
from marketplace_conference.door.devices import own_event
from marketplace_conference.schemas import Move, MoveProgress, Sku, SwitchOption
from marketplace_conference.tickets import moving, switching
from marketplace_conference.tickets.changing_routes import ORGANISERS, Change, Days
from marketplace_conference.tickets.routes import TAGS

HOLDERS = access(roles=[Role.PARTICIPANT, Role.FIRM_MANAGER], scope=Scope.BURNS_WRITE)


class Switch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the ticket becomes."""

    sku: Sku
    seat: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    """Label of a numbered seat; without it the best that is free."""


class SwitchPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Until when tickets that are sold from now on may be changed."""

    days_before: Days


def make_routes(host: Host) -> Routes:
    """The handlers over a host."""
    return [*_of_holders(host), *_of_organisers(host)]


def _of_holders(host: Host) -> Routes:
    @get(
        "/tickets/{order:uuid}/{position:int}/session",
        opt=HOLDERS,
        sync_to_thread=True,
        summary="What a ticket may be changed to",
        tags=TAGS,
    )
    def read_options(
        order: FromPath[UUID], position: FromPath[int], principal: NamedDependency[Principal]
    ) -> list[SwitchOption]:
        """Other sessions and categories of its event, and why some cannot be had."""
        return switching.options(host, principal, str(order), position)

    @put(
        "/tickets/{order:uuid}/{position:int}/session",
        opt=HOLDERS,
        status_code=204,
        sync_to_thread=True,
        summary="Change a ticket to another session",
        tags=TAGS,
    )
    def switch(
        order: FromPath[UUID],
        position: FromPath[int],
        data: Annotated[Switch, Body()],
        principal: NamedDependency[Principal],
    ) -> None:
        """At the same price. Its code changes: the one before admits nobody any more."""
        switching.change(host, principal, str(order), position, sku=data.sku, label=data.seat)

    return [read_options, switch]


def _of_organisers(host: Host) -> Routes:
    @put(
        "/events/{slug:str}/switch-policy",
        opt=ORGANISERS,
        status_code=204,
        sync_to_thread=True,
        summary="Say until when tickets may be changed to another session",
        tags=TAGS,
    )
    def set_policy(
        slug: FromPath[str],
        data: Annotated[SwitchPolicy, Body()],
        principal: NamedDependency[Principal],
    ) -> None:
        """For what is sold from now on."""
        with host.transaction() as session:
            event = own_event(session, principal, slug)
            switching.set_policy(host, session, event, data.days_before, actor=principal.actor)

    @post(
        "/events/{slug:str}/move",
        opt=ORGANISERS,
        status_code=202,
        sync_to_thread=True,
        summary="Move an event to another time or place",
        tags=TAGS,
    )
    def move(
        slug: FromPath[str], data: Annotated[Move, Body()], principal: NamedDependency[Principal]
    ) -> Change:
        """Everybody who has a ticket is told, in the background."""
        with host.transaction() as session:
            event = own_event(session, principal, slug)
        return Change(moving.move(host, event, data, actor=principal.actor))

    @get(
        "/events/{slug:str}/move",
        opt=ORGANISERS,
        sync_to_thread=True,
        summary="How far telling of a move has come",
        tags=TAGS,
    )
    def read_move(slug: FromPath[str], principal: NamedDependency[Principal]) -> MoveProgress:
        """Done when all tickets were seen to."""
        with host.transaction() as session:
            return moving.progress(session, own_event(session, principal, slug))

    return [set_policy, move, read_move]
