"""HTTP of changes to tickets: another attendee, giving one up, refund policies, calling off."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import Body, FromPath

from marketplace.api import Host, InvalidRequest, Principal, Role, Routes, Scope, access
from marketplace_conference.door.devices import own_event
from marketplace_conference.tickets import cancelling
from marketplace_conference.tickets.routes import TAGS

HOLDERS = access(roles=[Role.PARTICIPANT], scope=Scope.BURNS_WRITE)
ORGANISERS = access(roles=[Role.PARTNER, Role.OPERATOR], scope=Scope.STOCK_WRITE)
LONGEST_REASON = 200

Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Days = Annotated[int, msgspec.Meta(ge=0, le=3650)]


class Attendee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who comes."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]


class Quote(msgspec.Struct, frozen=True):
    """What comes back if the ticket is given up now."""

    percent: int
    points: int


class GivenUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The points that the holder was told of."""

    points: Annotated[int, msgspec.Meta(ge=0, le=10**12)]


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many percent, so many days before or earlier."""

    days_before: Days
    percent: Percent


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What comes back for what is sold from now on."""

    terms: Annotated[list[Term], msgspec.Meta(min_length=1, max_length=20)]


class CallingOff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why; whoever gets points back reads it."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_REASON)]


class Change(msgspec.Struct, frozen=True):
    """What has begun."""

    id: UUID


def make_routes(host: Host) -> Routes:
    """The handlers over a host."""
    return [*_of_holders(host), *_of_organisers(host)]


def _of_holders(host: Host) -> Routes:
    @put(
        "/tickets/{order:uuid}/{position:int}/attendee",
        opt=HOLDERS,
        status_code=204,
        sync_to_thread=True,
        summary="Somebody else comes",
        tags=TAGS,
    )
    def rename(
        order: FromPath[UUID],
        position: FromPath[int],
        data: Annotated[Attendee, Body()],
        principal: NamedDependency[Principal],
    ) -> None:
        """The ticket keeps its code."""
        name = " ".join(data.name.split())
        if not name or not name.isprintable():
            raise InvalidRequest("Say who comes.")
        cancelling.rename(host, principal, str(order), position, name=name)

    @get(
        "/tickets/{order:uuid}/{position:int}/refund",
        opt=HOLDERS,
        sync_to_thread=True,
        summary="What would come back for a ticket",
        tags=TAGS,
    )
    def read_quote(
        order: FromPath[UUID], position: FromPath[int], principal: NamedDependency[Principal]
    ) -> Quote:
        """By the policy that was in force when it was sold."""
        return Quote(*cancelling.quote(host, principal, str(order), position))

    @post(
        "/tickets/{order:uuid}/{position:int}/refund",
        opt=HOLDERS,
        status_code=200,
        sync_to_thread=True,
        summary="Give a ticket up",
        tags=TAGS,
    )
    def give_up(
        order: FromPath[UUID],
        position: FromPath[int],
        data: Annotated[GivenUp, Body()],
        principal: NamedDependency[Principal],
    ) -> GivenUp:
        """For as many points as were told; again changes nothing."""
        paid = cancelling.give_up(host, principal, str(order), position, points=data.points)
        return GivenUp(paid)

    return [rename, read_quote, give_up]


def _of_organisers(host: Host) -> Routes:
    @put(
        "/events/{slug:str}/refund-policy",
        opt=ORGANISERS,
        status_code=204,
        sync_to_thread=True,
        summary="Say what comes back for tickets that are given up",
        tags=TAGS,
    )
    def set_policy(
        slug: FromPath[str],
        data: Annotated[Policy, Body()],
        principal: NamedDependency[Principal],
    ) -> None:
        """For what is sold from now on; what was sold keeps what was promised."""
        terms = {each.days_before: each.percent for each in data.terms}
        with host.transaction() as session:
            event = own_event(session, principal, slug)
            cancelling.set_policy(host, session, event, terms, actor=principal.actor)

    @post(
        "/events/{slug:str}/call-off",
        opt=ORGANISERS,
        status_code=202,
        sync_to_thread=True,
        summary="Call an event off",
        tags=TAGS,
    )
    def call_off(
        slug: FromPath[str],
        data: Annotated[CallingOff, Body()],
        principal: NamedDependency[Principal],
    ) -> Change:
        """Everybody gets all points back, in the background."""
        with host.transaction() as session:
            event = own_event(session, principal, slug)
        return Change(cancelling.call_off(host, event, data.reason, actor=principal.actor))

    @get(
        "/events/{slug:str}/call-off",
        opt=ORGANISERS,
        sync_to_thread=True,
        summary="How far calling an event off has come",
        tags=TAGS,
    )
    def read_call_off(
        slug: FromPath[str], principal: NamedDependency[Principal]
    ) -> cancelling.Progress:
        """Done when all tickets are cancelled and nothing is owed."""
        with host.transaction() as session:
            return cancelling.progress(session, own_event(session, principal, slug))

    return [set_policy, call_off, read_call_off]
