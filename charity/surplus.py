"""What a campaign has beyond its goal is designated elsewhere once it is over (decision 40).

The money itself is paid to the charity with every gift and match; what moves is what it is for.
Rows name where it was raised and where it goes, and are never changed: a refund that makes a
surplus smaller writes one below zero. Campaigns are settled under their own lock, oldest first, so
that what one passes on can be part of what the next one has.

The clock reckons only what can have changed: campaigns with receipts beyond the mark of their
charity, those that something was passed on to, and those that wait for a next campaign which is
there now.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from charity import campaigns
from charity.domain import SLUG, Surplus
from charity.models import (
    Campaign,
    CampaignText,
    Gift,
    Receipt,
    ReceiptCounter,
    SurplusMark,
    SurplusMove,
)
from charity.notes import SYSTEM
from marketplace.clock import now
from marketplace.identity.audit import audit
from marketplace.ids import uuid7


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """What came to a campaign from others, and went from it. Micros of its currency."""

    came_micros: int = 0
    went_micros: int = 0


async def settle(session: AsyncSession, campaign: Campaign, *, actor: str = SYSTEM) -> int:
    """Bring what a closed campaign has passed on to what it has beyond its goal; the difference.

    The campaign must be locked. Nothing happens while it is open, or where the next campaign it
    waits for has not been started.
    """
    if campaign.closed_at is None:
        return 0
    raised = (await campaigns.raised(session, [campaign]))[campaign.id]
    flow = (await flows(session, [campaign.id]))[campaign.id]
    beyond = max(0, raised.total_micros + flow.came_micros - campaign.goal_micros)
    difference = beyond - flow.went_micros
    target = None
    if difference and campaign.surplus is Surplus.NEXT_CAMPAIGN:
        target = await _target(session, campaign)
    waits = bool(difference) and campaign.surplus is Surplus.NEXT_CAMPAIGN and target is None
    if campaign.surplus_waits is not waits:
        campaign.surplus_waits = waits
        await session.flush()
    if waits or difference == 0:
        return 0
    session.add(
        SurplusMove(
            id=uuid7(),
            campaign_id=campaign.id,
            to_campaign_id=target,
            amount_micros=difference,
            moved_at=await now(session),
        )
    )
    await session.flush()
    details = {"to": str(target) if target else "general_fund", "amount_micros": difference}
    await audit(session, actor, "charity.surplus_moved", SLUG, campaign.id, **details)
    return difference


async def _target(session: AsyncSession, campaign: Campaign) -> UUID | None:
    """Where its surplus went before; else the first campaign of its charity started after it.

    It must still be open then, and collect in the same currency.
    """
    before = sa.select(SurplusMove.to_campaign_id).where(SurplusMove.campaign_id == campaign.id)
    known = await session.scalar(before.order_by(SurplusMove.id).limit(1))
    if known is not None:
        return known
    following = _following(campaign.charity_id, campaign.currency, campaign.starts_at, campaign.id)
    return await session.scalar(following)


def _following(charity_id: Any, currency: Any, starts_at: Any, campaign_id: Any) -> sa.Select[UUID]:
    """The open campaign that comes next after one that began then, by value or by column."""
    nexts = aliased(Campaign)
    return (
        sa.select(nexts.id)
        .where(
            nexts.charity_id == charity_id,
            nexts.currency == currency,
            sa.tuple_(nexts.starts_at, nexts.id) > sa.tuple_(starts_at, campaign_id),
            nexts.closed_at.is_(None),
        )
        .order_by(nexts.starts_at, nexts.id)
        .limit(1)
    )


async def settle_all(session: AsyncSession, ended: Iterable[UUID] = ()) -> int:
    """Settle the closed campaigns that something may have changed for, and `ended`, which have
    just been closed; how many changed.

    Oldest first, each with what came to it before. Marks are taken before campaigns, and not
    waited for: whoever has one settles what there is.
    """
    due = {*ended, *await _touched(session), *await _can_go_on(session)}
    changed = 0
    while due:
        campaign = await session.scalar(
            sa.select(Campaign)
            .where(Campaign.id.in_(due))
            .order_by(Campaign.starts_at, Campaign.id)
            .limit(1)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        if campaign is None:
            break
        due.discard(campaign.id)
        if await settle(session, campaign):
            changed += 1
            if campaign.surplus is Surplus.NEXT_CAMPAIGN:
                due |= {each for each in (await _target(session, campaign),) if each is not None}
    return changed


async def _touched(session: AsyncSession) -> set[UUID]:
    """Campaigns with receipts beyond the marks of their charities; the marks go with them."""
    new = (
        sa.select(ReceiptCounter.charity_id, ReceiptCounter.year, sa.literal(0))
        .outerjoin(SurplusMark, _same_numbers())
        .where(SurplusMark.charity_id.is_(None))
    )
    names = ["charity_id", "year", "number"]
    await session.execute(insert(SurplusMark).from_select(names, new).on_conflict_do_nothing())
    behind = (
        sa.select(SurplusMark, ReceiptCounter.last)
        .join(ReceiptCounter, _same_numbers())
        .where(ReceiptCounter.last > SurplusMark.number)
        .with_for_update(of=SurplusMark, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    found: set[UUID] = set()
    for mark, last in (await session.execute(behind)).all():
        query = (
            sa.select(Gift.campaign_id)
            .join(Receipt, Receipt.burn_id == Gift.burn_id)
            .where(
                Receipt.charity_id == mark.charity_id,
                Receipt.year == mark.year,
                Receipt.number.between(mark.number + 1, last),
            )
            .distinct()
        )
        found |= set(await session.scalars(query))
        mark.number = last
    await session.flush()
    return found


def _same_numbers() -> sa.ColumnElement[bool]:
    return sa.and_(
        SurplusMark.charity_id == ReceiptCounter.charity_id,
        SurplusMark.year == ReceiptCounter.year,
    )


async def _can_go_on(session: AsyncSession) -> set[UUID]:
    """Campaigns that waited for a next one, which is there now."""
    following = _following(
        Campaign.charity_id, Campaign.currency, Campaign.starts_at, Campaign.id
    ).correlate(Campaign)
    query = sa.select(Campaign.id).where(Campaign.surplus_waits, following.exists())
    return set(await session.scalars(query))


async def flows(session: AsyncSession, wanted: Iterable[UUID]) -> dict[UUID, Flow]:
    """What came to campaigns and went from them, by id."""
    ids = list(wanted)

    async def sums(column: sa.ColumnElement[UUID]) -> dict[UUID, int]:
        query = (
            sa.select(column, sa.func.sum(SurplusMove.amount_micros))
            .where(column.in_(ids))
            .group_by(column)
        )
        return {row[0]: int(row[1]) for row in await session.execute(query)}

    came = await sums(SurplusMove.__table__.c.to_campaign_id)
    went = await sums(SurplusMove.__table__.c.campaign_id)
    return {
        each: Flow(came_micros=came.get(each, 0), went_micros=went.get(each, 0)) for each in ids
    }


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """Money that was designated elsewhere: of this campaign, or to it."""

    slug: str | None
    """Of the other campaign; None: the charity's general fund."""
    title: str
    amount_micros: int


async def passed(
    session: AsyncSession, campaign_id: UUID, language: str
) -> tuple[list[Passed], list[Passed]]:
    """(what came to a campaign by origin, what went from it by destination)."""
    table = SurplusMove.__table__.c
    came = await _by_other(
        session, table.campaign_id, SurplusMove.to_campaign_id == campaign_id, language
    )
    went = await _by_other(
        session, table.to_campaign_id, SurplusMove.campaign_id == campaign_id, language
    )
    return came, went


async def _by_other(
    session: AsyncSession,
    other: sa.ColumnElement[UUID | None],
    which: sa.ColumnElement[bool],
    language: str,
) -> list[Passed]:
    amount = sa.func.sum(SurplusMove.amount_micros).label("amount")
    query = (
        sa.select(other.label("other"), amount)
        .where(which)
        .group_by(other)
        .having(amount != 0)
        .order_by(sa.desc("amount"))
    )
    rows = (await session.execute(query)).all()
    ids = [row.other for row in rows if row.other is not None]
    found = list(await session.scalars(sa.select(Campaign).where(Campaign.id.in_(ids))))
    texts: dict[UUID, CampaignText] = await campaigns.texts_of(session, found, language)
    slugs = {each.id: each.slug for each in found}
    return [
        Passed(
            slug=slugs.get(row.other),
            title=texts[row.other].title if row.other in texts else "",
            amount_micros=int(row.amount),
        )
        for row in rows
    ]
