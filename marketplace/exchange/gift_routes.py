"""Gifts to colleagues over HTTP: for people, not for API keys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.exchange import gifts
from marketplace.exchange.domain import BurnStatus
from marketplace.exchange.gift_queries import GiftRow
from marketplace.exchange.gifts import LONGEST_MESSAGE, SHORTEST_SEARCH, Colleague
from marketplace.identity.domain import Principal, Role
from marketplace.web.access import access

PARTICIPANTS = access(roles=[Role.PARTICIPANT])


class GiftBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/burns/{id}/gift`."""

    colleague_id: UUID
    message: Annotated[str, msgspec.Meta(max_length=LONGEST_MESSAGE)] = ""


class GiftView(msgspec.Struct, frozen=True, kw_only=True):
    """A gift in force."""

    id: UUID
    burn_id: UUID
    offer: str
    """Name of what is given."""
    quantity: int
    status: BurnStatus
    """Of the burn: held is not delivered yet."""
    giver: str
    colleague: str
    message: str
    given_at: datetime
    accepted_at: datetime | None
    """When it was accepted or first revealed; null: it may still be taken back."""


class GiftList(msgspec.Struct, frozen=True):
    """Gifts in force, newest first, the last 100 of each."""

    received: list[GiftView]
    given: list[GiftView]


class ColleagueList(msgspec.Struct, frozen=True):
    """Colleagues that were found, at most eight."""

    items: list[Colleague]


def _view(row: GiftRow) -> GiftView:
    return GiftView(
        id=row.id,
        burn_id=row.burn_id,
        offer=row.offer,
        quantity=row.quantity,
        status=row.status,
        giver=row.giver,
        colleague=row.colleague,
        message=row.message,
        given_at=row.given_at,
        accepted_at=row.accepted_at,
    )


@get("/v1/colleagues", opt=PARTICIPANTS, tags=["gifts"], summary="Find a colleague")
async def get_colleagues(
    *,
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    q: Annotated[
        str,
        QueryParameter(
            min_length=SHORTEST_SEARCH, max_length=200, description="Part of a name, or an e-mail."
        ),
    ],
) -> ColleagueList:
    """People of the caller's own firm who can sign in; nobody else is ever found."""
    return ColleagueList(await gifts.search(session, principal, q))


@post(
    "/v1/burns/{burn_id:uuid}/gift",
    opt=PARTICIPANTS,
    tags=["gifts"],
    summary="Give a reward to a colleague",
)
async def post_gift(
    *,
    burn_id: FromPath[UUID],
    data: JSONBody[GiftBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> GiftView:
    """The colleague is told and alone can reveal it; to the same one again changes nothing."""
    return _view(await gifts.give(session, principal, burn_id, data.colleague_id, data.message))


@delete(
    "/v1/burns/{burn_id:uuid}/gift", opt=PARTICIPANTS, tags=["gifts"], summary="Take a gift back"
)
async def delete_gift(
    *,
    burn_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> None:
    """While the colleague has neither accepted nor revealed it."""
    await gifts.undo(session, principal, burn_id)


@get("/v1/gifts", opt=PARTICIPANTS, tags=["gifts"], summary="List gifts")
async def get_gifts(
    *, principal: NamedDependency[Principal], session: NamedDependency[AsyncSession]
) -> GiftList:
    """Gifts the caller has received and given."""
    received, given = await gifts.gifts_of(session, principal)
    return GiftList([_view(row) for row in received], [_view(row) for row in given])


@post(
    "/v1/gifts/{gift_id:uuid}/accept",
    opt=PARTICIPANTS,
    tags=["gifts"],
    summary="Accept a gift",
    status_code=204,
)
async def post_accept(
    *,
    gift_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> None:
    """It cannot be taken back any more; revealing it accepts it too."""
    await gifts.accept(session, principal, gift_id)


@post(
    "/v1/gifts/{gift_id:uuid}/decline",
    opt=PARTICIPANTS,
    tags=["gifts"],
    summary="Decline a gift",
    status_code=204,
)
async def post_decline(
    *,
    gift_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> None:
    """It goes back to whoever gave it, while it was neither accepted nor revealed."""
    await gifts.decline(session, principal, gift_id)


routes = [get_colleagues, post_gift, delete_gift, get_gifts, post_accept, post_decline]
"""Routes of gifts."""
