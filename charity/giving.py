"""Giving: a gift is written down with its match, then burnt; taken back while there is time.

The burn goes through the ordinary engine, under an id that the gift has beforehand. Whatever
happens in between, `following` brings the gift to what became of its burn.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from charity import matching, registry
from charity.domain import LONGEST_DEDICATION, SLUG, Donor, GiftStatus, Origin
from charity.errors import CampaignOver, GiftFinal, UnknownCause
from charity.models import Campaign, Charity, Gift
from charity.notes import note, now_of
from marketplace.coalition.models import Participant
from marketplace.db import Database
from marketplace.errors import IdempotencyKeyReused, InvalidRequest
from marketplace.exchange.answering import Answer
from marketplace.exchange.burn_endpoint import burn_request
from marketplace.exchange.decide import MAX_AMOUNT, BurnRequest
from marketplace.exchange.models import Burn
from marketplace.exchange.schemas import BurnBody
from marketplace.host import PluginHost
from marketplace.identity.domain import Principal, Role
from marketplace.identity.models import Person
from marketplace.ids import uuid7
from marketplace.ledger.models import Wallet
from marketplace.letters import shown
from marketplace.runtime import Runtime

CANCELLED = "cancelled"


class Engine(Protocol):
    """What holds the points of burns."""

    async def submit(self, request: BurnRequest) -> Answer: ...


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A gift as it is asked for."""

    campaign: str
    wallet_id: UUID
    points: int
    key: str
    """New for each gift, the same when it is tried again."""
    anonymous: bool = False
    dedication: str = ""
    locale: str = "en"
    origin: Origin = Origin.GIVEN


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A gift as it stands, for whoever made it."""

    burn_id: UUID
    status: GiftStatus
    points: int
    matched_points: int
    error: Exception | None = None
    """Why it was refused."""


async def give(database: Database, engine: Engine, principal: Principal, wish: Wish) -> Given:
    """Give once per key: the gift and its match are durable before its points are held.

    A participant gives from their own wallet, a firm's manager from the firm's pool. Raises
    UnknownCause, CharityNotVerified, CampaignOver, InvalidRequest, IdempotencyKeyReused. What the
    exchange refuses is in `error`.
    """
    async with database.begin() as session:
        gift = await session.run_sync(write_down, principal, wish)
        campaign = await session.get_one(Campaign, gift.campaign_id)
    answer = await engine.submit(_burn(principal, gift, campaign.offer_id))
    if answer.held is None and not _is_final(answer):
        raise answer.error or RuntimeError("the engine said nothing")
    async with database.begin() as session:
        return await session.run_sync(note_answer, gift.burn_id, answer)


def _is_final(answer: Answer) -> bool:
    """Whether the engine's refusal is this burn's outcome for ever, not a moment's trouble."""
    return answer.error is not None and "burn_id" in answer.error.extra


def _burn(principal: Principal, gift: Gift, offer_id: UUID) -> BurnRequest:
    who = principal
    if gift.donor is Donor.FIRM or principal.standing:
        # That the pool is theirs was looked at when the gift was written down.
        who = msgspec.structs.replace(principal, standing=True, is_operator=True)
    body = BurnBody(gift.wallet_id, offer_id, gift.points)
    request = burn_request(who, f"gift:{gift.key}", body)
    # A gift is of so many points, whatever somebody makes of the offer's price.
    return msgspec.structs.replace(request, burn_id=gift.burn_id, expected_points=gift.points)


def write_down(session: Session, principal: Principal, wish: Wish) -> Gift:
    """The gift, its match reserved; the one made before for the same key. Raises as `give`."""
    campaign = session.scalar(sa.select(Campaign).where(Campaign.slug == wish.campaign))
    if campaign is None:
        raise UnknownCause(f"There is no campaign {wish.campaign!r}.")
    wallet = own_wallet(session, principal, wish.wallet_id)
    if not 0 < wish.points <= MAX_AMOUNT:
        raise InvalidRequest("A gift is a whole number of points.", field="points")
    if len(wish.dedication) > LONGEST_DEDICATION:
        most = f"A dedication has {LONGEST_DEDICATION} characters at most."
        raise InvalidRequest(most, field="dedication")
    known = _known(session, principal.caller_id, wish.key)
    if known is None:
        require_open(session, campaign)
        made = _insert(session, principal, wish, campaign, wallet)
        known = made or _known(session, principal.caller_id, wish.key)
    if known is None or (known.wallet_id, known.campaign_id, known.points) != (
        wish.wallet_id,
        campaign.id,
        wish.points,
    ):
        raise IdempotencyKeyReused
    return known


def own_wallet(session: Session, principal: Principal, wallet_id: UUID) -> Wallet:
    """A wallet that the caller gives from: their own, or the pool of the firm they manage."""
    wallet = session.get(Wallet, wallet_id)
    if wallet is not None:
        own = principal.participant_id is not None
        if own and wallet.participant_id == principal.participant_id:
            return wallet
        if principal.firm_id is not None and wallet.firm_id == principal.firm_id:
            return wallet
    raise UnknownCause("There is no such wallet of yours to give from.")


def wallet_id_of(text: str) -> UUID:
    """The wallet that a form of ours sends back; InvalidRequest where it is none."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidRequest("The form is not as we gave it; open the page again.") from None


def wallets_of(session: Session, principal: Principal) -> list[Wallet]:
    """The wallets that the caller gives from: their own first, then pools of their firm."""
    found: list[Wallet] = []
    if principal.participant_id is not None:
        own = sa.select(Wallet).where(Wallet.participant_id == principal.participant_id)
        found += session.scalars(own)
    if principal.firm_id is not None:
        found += session.scalars(sa.select(Wallet).where(Wallet.firm_id == principal.firm_id))
    return found


def wallet_of_ones_own(session: Session, principal: Principal) -> Wallet:
    """A participant's own wallet, never a pool; UnknownCause where there is none."""
    wallet = None
    if principal.participant_id is not None:
        query = sa.select(Wallet).where(Wallet.participant_id == principal.participant_id)
        wallet = session.scalar(query.order_by(Wallet.id).limit(1))
    if wallet is None:
        raise UnknownCause("You have no points of your own to give.")
    return wallet


def principal_of(person: Person) -> Principal:
    """Who ordered gifts in advance, as they are now: what they may no longer give from is
    refused."""
    manages = Role.FIRM_MANAGER.value in person.roles
    return Principal(
        credential_id=person.id,
        caller_id=person.id,
        actor=f"person:{person.id}",
        standing=True,
        roles=frozenset(person.roles),
        participant_id=person.participant_id,
        firm_id=person.firm_id if manages else None,
    )


def _known(session: Session, caller_id: UUID, key: str) -> Gift | None:
    return session.scalar(sa.select(Gift).where(Gift.caller_id == caller_id, Gift.key == key))


def require_open(session: Session, campaign: Campaign) -> None:
    """CharityNotVerified or CampaignOver where a campaign takes no gifts now."""
    now = now_of(session)
    charity = session.get_one(Charity, campaign.charity_id)
    registry.require_receiving(charity, now.date())
    over = campaign.ends_at is not None and now >= campaign.ends_at
    if over or campaign.closed_at is not None:
        raise CampaignOver("It takes no more gifts.")


def _insert(
    session: Session, principal: Principal, wish: Wish, campaign: Campaign, wallet: Wallet
) -> Gift | None:
    """A new gift with its match; None where another made one for the same key just now."""
    values = {
        "burn_id": uuid7(),
        "caller_id": principal.caller_id,
        "key": wish.key,
        "origin": wish.origin,
        "status": GiftStatus.ASKED,
        "anonymous": wish.anonymous,
        "dedication": shown(wish.dedication, LONGEST_DEDICATION),
        "locale": wish.locale,
        **_terms(session, campaign, wallet, wish.points),
    }
    if wish.origin is Origin.MATCH:
        values["grace_until"] = values["made_at"]  # gifts will count on it
    made = session.scalar(
        insert(Gift).values(values).on_conflict_do_nothing().returning(Gift.burn_id)
    )
    if made is None:
        return None
    gift = session.get_one(Gift, made)
    matching.reserve(session, gift)
    return gift


def _terms(session: Session, campaign: Campaign, wallet: Wallet, points: int) -> dict[str, object]:
    now = now_of(session)
    return {
        "wallet_id": wallet.id,
        "campaign_id": campaign.id,
        "donor": Donor.FIRM if wallet.participant_id is None else Donor.PERSON,
        "participant_id": wallet.participant_id,
        "firm_id": wallet.firm_id,
        "points": points,
        "money_micros": points * campaign.rate_micros,
        "made_at": now,
        "grace_until": now + timedelta(minutes=campaign.grace_minutes),
    }


def adopt(session: Session, burn_id: UUID) -> Gift | None:
    """The gift of a burn, locked; one that nobody wrote down is written down now, as its owner's.

    A gift that was given up because its burn seemed never to have been made is taken up again.
    None where the burn is not on a campaign's offer.
    """
    gift = session.get(Gift, burn_id, with_for_update=True, populate_existing=True)
    if gift is None:
        if not _insert_direct(session, burn_id):
            return None
        return adopt(session, burn_id)
    if gift.status is GiftStatus.REFUSED:
        gift.status, gift.reason = GiftStatus.ASKED, ""
        for share, _ in matching.shares_of(session, gift):
            session.delete(share)
        session.flush()
        matching.reserve(session, gift)
    if gift.status is GiftStatus.ASKED:
        gift.status = GiftStatus.HELD
        session.flush()
    return gift


def _insert_direct(session: Session, burn_id: UUID) -> bool:
    """Whether there is now a gift for this burn, which was made without one."""
    found = session.execute(
        sa.select(Burn, Campaign, Wallet)
        .join(Campaign, Campaign.offer_id == Burn.offer_id)
        .join(Wallet, Wallet.id == Burn.wallet_id)
        .where(Burn.id == burn_id)
    ).first()
    if found is None:
        return False
    burn, campaign, wallet = found
    locale = session.scalar(
        sa.select(Participant.locale).where(Participant.id == wallet.participant_id)
    )
    values = {
        "burn_id": burn_id,
        "caller_id": burn.caller_id,
        "key": f"burn:{burn_id}",
        "origin": Origin.DIRECT,
        "status": GiftStatus.ASKED,
        "anonymous": False,
        "locale": locale or campaign.default_locale,
        **_terms(session, campaign, wallet, burn.points),
    }
    made = session.scalar(
        insert(Gift).values(values).on_conflict_do_nothing().returning(Gift.burn_id)
    )
    if made is not None:
        matching.reserve(session, session.get_one(Gift, made))
    return True


def note_answer(session: Session, burn_id: UUID, answer: Answer) -> Given:
    """Write down what the exchange said to a gift; it may be further already."""
    gift = session.get_one(Gift, burn_id, with_for_update=True, populate_existing=True)
    if answer.held is not None:
        if gift.status is GiftStatus.ASKED:
            gift.status = GiftStatus.HELD
    elif gift.status is GiftStatus.ASKED and answer.error is not None:
        gift.status = GiftStatus.REFUSED
        gift.reason = getattr(answer.error, "code", "")
    session.flush()
    total = matching.settle(session, gift)
    return Given(
        burn_id=gift.burn_id,
        status=gift.status,
        points=gift.points,
        matched_points=total,
        error=answer.error,
    )


async def take_back(session: AsyncSession, principal: Principal, burn_id: UUID) -> Gift:
    """Take a gift back within its time of grace: points and match go where they came from.

    The points are back when its worker has looked. Again changes nothing. Raises UnknownCause,
    GiftFinal.
    """
    return await session.run_sync(_take_back, principal, burn_id)


async def wake(runtime: Runtime, burn_id: UUID) -> None:
    """Have the worker look at a gift at once, so that its points are back soon."""

    def work() -> None:
        host = PluginHost(SLUG, lambda: runtime.database, lambda: runtime.vault)
        with host.transaction() as session:
            host.wake(session, [str(burn_id)])

    await asyncio.to_thread(work)


def _take_back(session: Session, principal: Principal, burn_id: UUID) -> Gift:
    gift = own_gift(session, principal, burn_id, lock=True)
    if gift.status in (GiftStatus.CANCELLED, GiftStatus.VOIDED):
        return gift
    if gift.status is not GiftStatus.HELD or now_of(session) >= gift.grace_until:
        raise GiftFinal("It is on its way to the charity.")
    gift.status, gift.reason = GiftStatus.CANCELLED, CANCELLED
    session.flush()
    matching.settle(session, gift)
    note(session, principal.actor, "gift_cancelled", gift.burn_id)
    return gift


def own_gift(session: Session, principal: Principal, burn_id: UUID, *, lock: bool = False) -> Gift:
    """A gift of the caller's: from their wallet, or from the pool of the firm they manage."""
    gift = session.get(Gift, burn_id, with_for_update=lock, populate_existing=True)
    if gift is not None:
        mine = principal.participant_id is not None
        if mine and gift.participant_id == principal.participant_id:
            return gift
        if principal.firm_id is not None and gift.firm_id == principal.firm_id:
            return gift
    raise UnknownCause("There is no such gift of yours.")
