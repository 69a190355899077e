"""Matching by a firm that is no member, with points of its pool that are given ahead.

The firm gives the whole cap at once, as an ordinary gift that cannot be taken back; when it is
captured the match begins. What the match has not added when it ends is refunded, to the lots that
it came from, and so is what comes back to it later (decision 42).
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from charity import following, giving, matching
from charity.domain import GiftStatus, MatchMode, Origin
from charity.errors import UnknownCause
from charity.models import Campaign, Gift, Match, Share
from charity.notes import SYSTEM, note
from marketplace.db import Database
from marketplace.errors import IdempotencyKeyReused, InvalidRequest
from marketplace.exchange import refunds
from marketplace.exchange.decide import MAX_AMOUNT
from marketplace.identity.domain import Principal, Role
from marketplace.ids import uuid7
from marketplace.ledger.models import Wallet
from marketplace.settings import load

log = logging.getLogger(__name__)

MOST_RATIO_BPS: Final = 100_000
MOST: Final = 100
"""Matches shown at once."""
WORDS: Final = "The match has ended; this was not matched."
CLOCK: Final = Principal(
    credential_id=UUID(int=0),
    caller_id=UUID(int=0x6368),
    actor=SYSTEM,
    standing=True,
    is_operator=True,
    roles=frozenset({Role.OPERATOR}),
)


class NewFirmMatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A firm's promise to add to gifts."""

    campaign: str
    wallet_id: UUID
    """The firm's pool."""
    ratio_bps: int
    """10,000: point for point."""
    cap_points: int
    key: str
    """New for each match, the same when it is tried again."""
    locale: str = "en"


async def start(
    database: Database, engine: giving.Engine, principal: Principal, new: NewFirmMatch
) -> tuple[UUID, giving.Given]:
    """Give the cap from the pool, and match with it from when it is captured.

    Once per key. The match is written down with the gift, so that whoever dies in between leaves
    both or neither. Raises as `giving.give`; what the exchange refuses is in `error`, and then
    the match never begins.
    """
    wish = _wish(new)
    async with database.begin() as session:
        match_id = await session.run_sync(_write_down, principal, new, wish)
    given = await giving.give(database, engine, principal, wish)
    if given.status is GiftStatus.REFUSED:
        async with database.begin() as session:
            await session.run_sync(following.follow, given.burn_id)
    return match_id, given


def _wish(new: NewFirmMatch) -> giving.Wish:
    return giving.Wish(
        campaign=new.campaign,
        wallet_id=new.wallet_id,
        points=new.cap_points,
        key=f"match:{new.key}",
        locale=new.locale,
        origin=Origin.MATCH,
    )


def _write_down(
    session: Session, principal: Principal, new: NewFirmMatch, wish: giving.Wish
) -> UUID:
    wallet = session.get(Wallet, new.wallet_id)
    if wallet is None or wallet.firm_id is None or wallet.firm_id != principal.firm_id:
        raise UnknownCause("There is no such pool of yours to match from.")
    if not 0 < new.ratio_bps <= MOST_RATIO_BPS or not 0 < new.cap_points <= MAX_AMOUNT:
        raise InvalidRequest("Ratio and cap are above zero, and the ratio ten at most.")
    gift = giving.write_down(session, principal, wish)
    known = session.scalar(sa.select(Match).where(Match.fund_id == gift.burn_id))
    if known is not None:
        if known.ratio_bps != new.ratio_bps:
            raise IdempotencyKeyReused
        return known.id
    match = Match(
        id=uuid7(),
        campaign_id=gift.campaign_id,
        firm_id=wallet.firm_id,
        ratio_bps=new.ratio_bps,
        cap_points=new.cap_points,
        used_points=0,
        mode=MatchMode.PREFUNDED,
        booked=0,
        booked_micros=0,
        fund_id=gift.burn_id,
    )
    session.add(match)
    session.flush()
    details = {"ratio_bps": new.ratio_bps, "cap_points": new.cap_points, "campaign": new.campaign}
    note(session, principal.actor, "match_started", match.id, **details)
    return match.id


async def give_back(database: Database) -> int:
    """Refund what ended matches of firms have not added; how many were looked at.

    Gift, match, refund and the corrected receipt are one transaction. One that fails holds up no
    other.
    """
    async with database.begin() as session:
        due = await session.run_sync(_due)
    for match_id in due:
        try:
            async with database.begin() as session:
                await _give_back_one(session, match_id)
        except Exception:
            log.exception("what match %s has not added could not be given back", match_id)
    return len(due)


def _due(session: Session) -> list[UUID]:
    query = (
        sa.select(Match.id)
        .join(Gift, Gift.burn_id == Match.fund_id)
        .where(
            Match.ended_at.is_not(None),
            Gift.status == GiftStatus.CAPTURED,
            Gift.points - Gift.refunded_points > Match.used_points,
        )
    )
    return list(session.scalars(query.order_by(Match.id)))


async def _give_back_one(session: AsyncSession, match_id: UUID) -> None:
    fund_id = await session.scalar(sa.select(Match.fund_id).where(Match.id == match_id))
    if fund_id is None:
        raise RuntimeError(f"match {match_id} is of no firm")
    await session.run_sync(following.follow, fund_id)
    gift = await session.get_one(Gift, fund_id)
    match = await session.get_one(Match, match_id, with_for_update=True, populate_existing=True)
    points = gift.points - gift.refunded_points - match.used_points
    if points <= 0:
        return
    key = f"charity:match:{match_id}:{gift.refunded_points}"
    asked = refunds.RefundRequest(
        burn_id=gift.burn_id,
        wallet_id=gift.wallet_id,
        points=points,
        reason=WORDS,
        key=key,
        request_hash=hashlib.blake2b(f"{key}:{points}".encode(), digest_size=16).digest(),
    )
    grace = timedelta(days=load().refund_grace_days)
    await refunds.refund(session, CLOCK, asked, grace=grace)
    session.expire_all()
    await session.run_sync(following.follow, fund_id)


# -- for the firm's manager ------------------------------------------------------------------------


class FirmMatchView(msgspec.Struct, frozen=True, kw_only=True):
    """A match of a firm's."""

    id: UUID
    campaign: str
    ratio_bps: int
    cap_points: int
    used_points: int
    """Added to gifts, or promised."""
    gift_id: UUID
    """The gift of the cap, which has a receipt of the firm's."""
    funded_at: datetime | None
    """From then on it matches."""
    ended_at: datetime | None
    gifts: int
    """Gifts that it adds to now."""

    @property
    def remaining_points(self) -> int:
        """What it can still add."""
        return self.cap_points - self.used_points


class FirmMatches(msgspec.Struct, frozen=True):
    """Matches of a firm."""

    items: list[FirmMatchView]


def views(
    session: Session, principal: Principal, match_id: UUID | None = None
) -> list[FirmMatchView]:
    """Matches of the firm that the caller manages, newest first; UnknownCause where `match_id`
    is none of them."""
    if principal.firm_id is None:
        raise UnknownCause("You manage no firm.")
    gifts = (
        sa.select(sa.func.count())
        .where(Share.match_id == Match.id, Share.kept_points > 0)
        .scalar_subquery()
    )
    query = (
        sa.select(Match, Campaign.slug, gifts.label("gifts"))
        .join(Campaign, Campaign.id == Match.campaign_id)
        .where(Match.firm_id == principal.firm_id)
        .order_by(Match.id.desc())
        .limit(MOST)
    )
    if match_id is not None:
        query = query.where(Match.id == match_id)
    found = session.execute(query).all()
    if match_id is not None and not found:
        raise UnknownCause("There is no such match of your firm.")
    return [_view(*row) for row in found]


def _view(match: Match, slug: str, gifts: int) -> FirmMatchView:
    if match.fund_id is None:
        raise RuntimeError(f"match {match.id} is of no firm")
    return FirmMatchView(
        id=match.id,
        campaign=slug,
        ratio_bps=match.ratio_bps,
        cap_points=match.cap_points,
        used_points=match.used_points,
        gift_id=match.fund_id,
        funded_at=match.funded_at,
        ended_at=match.ended_at,
        gifts=gifts,
    )


def end(session: Session, principal: Principal, match_id: UUID) -> None:
    """End a match of the caller's firm; UnknownCause where it is none. Again changes nothing."""
    views(session, principal, match_id)
    matching.end(session, match_id, principal.actor)
