"""Giving a reward to a colleague of the same firm, and taking it back while nobody has seen it.

The ledger is untouched: the points were the giver's, and come back to the giver if they do.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import now
from marketplace.coalition.models import Participant
from marketplace.errors import NotFound
from marketplace.exchange import gift_queries as queries
from marketplace.exchange.domain import BurnStatus
from marketplace.exchange.errors import AlreadyGiven, GiftAccepted, NotGivable
from marketplace.exchange.gift_queries import GiftRow
from marketplace.exchange.models import Burn, BurnGift, Offer
from marketplace.identity.audit import audit
from marketplace.identity.domain import Principal
from marketplace.ids import uuid7
from marketplace.ledger.models import Wallet
from marketplace.notices.kinds import OFFER_ID
from marketplace.notices.marking import N_
from marketplace.notices.service import notify

SHORTEST_SEARCH: Final = 2
MOST_FOUND: Final = 8
LONGEST_MESSAGE: Final = 280


class Colleague(msgspec.Struct, frozen=True):
    """Somebody of one's own firm: no more than what one knows of them anyhow."""

    id: UUID
    name: str
    initials: str


def initials_of(name: str) -> str:
    """The first letters of the first and the last word of a name."""
    words = name.split()
    chosen = words if len(words) < 2 else (words[0], words[-1])
    return "".join(word[0].upper() for word in chosen)


async def search(session: AsyncSession, principal: Principal, text: str) -> list[Colleague]:
    """Colleagues whose name holds `text`, or whose e-mail it is; nobody for less than 2 letters."""
    text = text.strip()
    if principal.participant_id is None or len(text) < SHORTEST_SEARCH:
        return []
    found = await queries.find_colleagues(session, principal.participant_id, text, limit=MOST_FOUND)
    return [Colleague(id_, name, initials_of(name)) for id_, name in found]


async def find_colleague(
    session: AsyncSession, principal: Principal, colleague_id: UUID
) -> Colleague:
    """One colleague; NotFound for anybody who is not of the same firm, or cannot sign in."""
    found = None
    if principal.participant_id is not None:
        found = await queries.colleague(session, principal.participant_id, colleague_id)
    if found is None:
        raise NotFound("There is no such colleague in your firm.")
    return Colleague(found[0], found[1], initials_of(found[1]))


async def give(
    session: AsyncSession, principal: Principal, burn_id: UUID, colleague_id: UUID, message: str
) -> GiftRow:
    """Give a reward of one's own, held or delivered, to a colleague, who is told.

    To the same colleague again changes nothing. Raises NotFound (burn or colleague), AlreadyGiven,
    NotGivable (looked at already, refunded, or never delivered); details of the last two are
    msgids, for pages show them.
    """
    burn = await _own_burn(session, principal, burn_id)
    colleague = await find_colleague(session, principal, colleague_id)
    known = await queries.lock_gift_of(session, burn_id)
    if known is not None and known.to_participant_id != colleague.id:
        raise AlreadyGiven(N_("You gave this reward to another colleague; take it back first."))
    if known is None:
        await _check_givable(session, burn)
        await _give(session, principal, burn, colleague, message)
    (row,) = await queries.gifts(session, burn_id=burn_id, limit=1)
    return row


async def _check_givable(session: AsyncSession, burn: Burn) -> None:
    if burn.status is BurnStatus.VOIDED:
        raise NotGivable(N_("It could not be delivered; your points are back."))
    if burn.status is BurnStatus.CAPTURED and burn.refunded_points == burn.points:
        raise NotGivable(N_("It was refunded; your points are back."))
    if await queries.first_revealed_at(session, burn.id) is not None:
        raise NotGivable(N_("You have looked at it already, so it stays yours."))


async def _give(
    session: AsyncSession, principal: Principal, burn: Burn, colleague: Colleague, message: str
) -> None:
    wallet = await session.get_one(Wallet, burn.wallet_id)
    gift = BurnGift(
        id=uuid7(),
        wallet_id=burn.wallet_id,
        burn_id=burn.id,
        from_participant_id=wallet.participant_id,
        to_participant_id=colleague.id,
        message=" ".join(message.split())[:LONGEST_MESSAGE],
        given_at=await now(session),
    )
    session.add(gift)
    await session.flush()
    await _audit(session, principal, "gift.given", gift)
    offer = await session.get_one(Offer, burn.offer_id)
    giver = await session.get_one(Participant, gift.from_participant_id)
    await notify(
        session,
        kind="gift_received",
        once_key=f"gift:{gift.id}",
        participant_id=colleague.id,
        context={
            "sender": giver.name,
            "offer": offer.name,
            OFFER_ID: str(offer.id),
            "path": f"/rewards/{burn.id}",
        },
    )


async def undo(session: AsyncSession, principal: Principal, burn_id: UUID) -> None:
    """Take a gift back; NotFound where there is none, GiftAccepted where it is too late."""
    await _own_burn(session, principal, burn_id)
    gift = await queries.lock_gift_of(session, burn_id)
    if gift is None:
        raise NotFound("This reward is not given to anybody.")
    await _end(session, principal, gift, "gift.taken_back")


async def accept(session: AsyncSession, principal: Principal, gift_id: UUID) -> BurnGift:
    """Accept a gift, so that it cannot be taken back; again changes nothing."""
    gift = await _received(session, principal, gift_id)
    if gift.accepted_at is None:
        gift.accepted_at = await now(session)
        await _audit(session, principal, "gift.accepted", gift)
    return gift


async def decline(session: AsyncSession, principal: Principal, gift_id: UUID) -> None:
    """Give a gift back to its giver; GiftAccepted where it was accepted or looked at."""
    await _end(session, principal, await _received(session, principal, gift_id), "gift.declined")


async def gifts_of(session: AsyncSession, principal: Principal) -> tuple[list[GiftRow], ...]:
    """(received, given): gifts in force, newest first, the last 100 of each."""
    mine = principal.participant_id
    if mine is None:
        return [], []
    received = await queries.gifts(session, to_participant_id=mine, limit=100)
    given = await queries.gifts(session, from_participant_id=mine, limit=100)
    return received, given


async def _end(session: AsyncSession, principal: Principal, gift: BurnGift, action: str) -> None:
    if gift.accepted_at is not None:
        raise GiftAccepted("It is accepted, so it stays with your colleague.")
    gift.undone_at = await now(session)
    await _audit(session, principal, action, gift)


async def _own_burn(session: AsyncSession, principal: Principal, burn_id: UUID) -> Burn:
    burn = None
    if principal.participant_id is not None:
        burn = await queries.lock_own_burn(session, principal.participant_id, burn_id)
    if burn is None:
        raise NotFound(f"There is no burn {burn_id}, or it is not yours to give.")
    return burn


async def _received(session: AsyncSession, principal: Principal, gift_id: UUID) -> BurnGift:
    gift = None
    if principal.participant_id is not None:
        gift = await queries.lock_received(session, principal.participant_id, gift_id)
    if gift is None:
        raise NotFound("There is no such gift, or it was taken back.")
    return gift


async def _audit(session: AsyncSession, principal: Principal, action: str, gift: BurnGift) -> None:
    await session.flush()
    await audit(
        session,
        principal.actor,
        action,
        "burn",
        gift.burn_id,
        gift=str(gift.id),
        to_participant=str(gift.to_participant_id),
    )
