"""Gifts as staff see them: who gave what to which campaign, and the same as a file.

Who asked to stay unnamed is not named here either.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from charity.domain import Donor, GiftStatus, Origin
from charity.models import Campaign, Charity, Gift, Receipt, Share
from marketplace.coalition.models import Firm, Participant
from marketplace.money import decimal_from_micros
from marketplace.web.spreadsheets import safe

MOST_EXPORTED: Final = 100_000


class StaffGift(msgspec.Struct, frozen=True, kw_only=True):
    """A gift. Points and money as given; micros of `currency`."""

    id: UUID
    """Of the burn."""
    campaign: str
    charity: str
    donor: Donor
    giver: str
    """Empty where they asked to stay unnamed."""
    points: int
    refunded_points: int
    taken_back_points: int
    """Whose money the charity gave back after disputes; `points` and `money_micros` have them."""
    money_micros: int
    matched_points: int
    currency: str
    status: GiftStatus
    origin: Origin
    made_at: datetime
    captured_at: datetime | None
    receipt: str
    """The number that counts; empty where there is none."""


async def gifts(
    session: AsyncSession,
    *,
    campaign: str = "",
    charity_id: UUID | None = None,
    after: UUID | None = None,
    limit: int,
) -> list[StaffGift]:
    """Gifts, newest first; `after`: the last one of the page before."""
    query = _query().order_by(Gift.burn_id.desc()).limit(limit)
    if campaign:
        query = query.where(Campaign.slug == campaign)
    if charity_id is not None:
        query = query.where(Campaign.charity_id == charity_id)
    if after is not None:
        query = query.where(Gift.burn_id < after)
    return [
        StaffGift(
            id=row.Gift.burn_id,
            campaign=row.campaign,
            charity=row.charity,
            donor=row.Gift.donor,
            giver="" if row.Gift.anonymous else row.giver or "",
            points=row.Gift.points,
            refunded_points=row.Gift.refunded_points,
            taken_back_points=row.Gift.taken_back_points,
            money_micros=row.Gift.money_micros,
            matched_points=int(row.matched),
            currency=row.currency,
            status=row.Gift.status,
            origin=row.Gift.origin,
            made_at=row.Gift.made_at,
            captured_at=row.Gift.captured_at,
            receipt=f"{row.charity}/{row.year}/{row.number:06d}" if row.number else "",
        )
        for row in await session.execute(query)
    ]


def _query() -> sa.Select[tuple[Gift, str, str, str, str, int, int, int]]:
    matched = (
        sa.select(sa.func.coalesce(sa.func.sum(Share.kept_points), 0))
        .where(Share.burn_id == Gift.burn_id)
        .correlate(Gift)
        .scalar_subquery()
    )
    last = (
        sa.select(Receipt.year, Receipt.number)
        .where(Receipt.burn_id == Gift.burn_id)
        .order_by(Receipt.version.desc())
        .limit(1)
        .correlate(Gift)
        .lateral("last")
    )
    return (
        sa.select(
            Gift,
            Campaign.slug.label("campaign"),
            Charity.slug.label("charity"),
            Campaign.currency.label("currency"),
            sa.func.coalesce(Participant.name, Firm.name).label("giver"),
            matched.label("matched"),
            last.c.year.label("year"),
            last.c.number.label("number"),
        )
        .join(Campaign, Campaign.id == Gift.campaign_id)
        .join(Charity, Charity.id == Campaign.charity_id)
        .outerjoin(Participant, Participant.id == Gift.participant_id)
        .outerjoin(Firm, Firm.id == Gift.firm_id)
        .outerjoin(last, sa.true())
    )


COLUMNS: Final = (
    "id",
    "campaign",
    "charity",
    "donor",
    "giver",
    "points",
    "refunded_points",
    "taken_back_points",
    "money",
    "currency",
    "matched_points",
    "status",
    "origin",
    "made_at",
    "captured_at",
    "receipt",
)


def as_csv(found: Iterable[StaffGift]) -> str:
    """The gifts as CSV, money in units of its currency."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for each in found:
        values = msgspec.to_builtins(each) | {
            "money": decimal_from_micros(each.money_micros),
            "giver": safe(each.giver),
        }
        writer.writerow(["" if values[name] is None else values[name] for name in COLUMNS])
    return text.getvalue()
