"""Offers as those see them who sell them, and as a file that can be sent back."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TextIO
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.models import Member
from marketplace.exchange.domain import Closed, Eligibility, OfferStatus
from marketplace.exchange.models import Offer, OfferStock
from marketplace.exchange.offering import managed_by, managed_offer
from marketplace.exchange.tally import Taken, taken_lately
from marketplace.identity.domain import Principal
from marketplace.identity.models import AuditEntry, Person
from marketplace.money import decimal_from_micros

COLUMNS: Final = (
    "reference", "kind", "name", "acceptor", "plugin", "sku", "points", "cost", "currency", "stock",
    "limit_per_wallet", "status", "starts_at", "ends_at", "eligible_roles", "eligible_countries",
    "eligible_firms",
)  # fmt: skip
"""Of the file, in the order of docs/concepts/imports.md."""
STEPS_SHOWN: Final = 50


class OwnOfferView(msgspec.Struct, frozen=True, kw_only=True):
    """An offer as the member that is paid for it sees it."""

    id: UUID
    reference: str
    kind: str
    name: str
    acceptor: str
    """Slug of the member that is paid."""
    plugin: str
    """Slug of the supplier that delivers it, to which it is `sku`."""
    sku: str
    points: int
    cost_micros: int
    """What the member is paid for one unit, in micros of `currency`."""
    currency: str
    status: OfferStatus
    starts_at: datetime | None
    ends_at: datetime | None
    stock: int | None
    """Units left; null is unlimited."""
    limit_per_wallet: int | None
    eligibility: Eligibility
    version: int
    """Counts its changes: name it when you amend, so that nobody's change is lost."""
    closed: Closed | None
    """What keeps everybody from burning on it, whatever its status: its plugin, or the operator."""
    lately: Taken
    """What was burnt on it in the last 30 days, up to a minute or two ago."""


class Step(msgspec.Struct, frozen=True):
    """One entry of an offer's history."""

    at: datetime
    action: str
    who: str
    """Name of a person, else what the audit trail says."""
    details: dict[str, Any]


def _query() -> sa.Select[Offer, str, int]:
    return (
        sa.select(Offer, Member.slug, OfferStock.remaining)
        .join(Member, Member.id == Offer.acceptor_id)
        .outerjoin(OfferStock, OfferStock.offer_id == Offer.id)
    )


async def own_offers(
    session: AsyncSession,
    principal: Principal,
    *,
    member_id: UUID | None = None,
    after: str | None = None,
    limit: int,
    words: str = "",
    status: OfferStatus | None = None,
) -> list[OwnOfferView]:
    """Offers that the caller manages, by reference; of one member where `member_id` is given."""
    query = _query().where(managed_by(principal)).order_by(Offer.reference).limit(limit)
    if member_id is not None:
        query = query.where(Offer.acceptor_id == member_id)
    if after is not None:
        query = query.where(Offer.reference > after)
    if words:
        found = [each.icontains(words, autoescape=True) for each in (Offer.reference, Offer.name)]
        query = query.where(sa.or_(*found))
    if status is not None:
        query = query.where(Offer.status == status)
    return await _views(session, (await session.execute(query)).all())


async def own_offer(session: AsyncSession, principal: Principal, offer_id: UUID) -> OwnOfferView:
    """One offer that the caller manages; NotFound otherwise."""
    await managed_offer(session, principal, offer_id)
    rows = (await session.execute(_query().where(Offer.id == offer_id))).all()
    (view,) = await _views(session, rows)
    return view


async def _views(session: AsyncSession, rows: Sequence[Any]) -> list[OwnOfferView]:
    lately = await taken_lately(session, [offer.id for offer, _, _ in rows])
    return [
        OwnOfferView(
            id=offer.id,
            reference=offer.reference,
            kind=offer.kind,
            name=offer.name,
            acceptor=acceptor,
            plugin=offer.plugin,
            sku=offer.sku,
            points=offer.points,
            cost_micros=offer.cost_micros,
            currency=offer.currency,
            status=offer.status,
            starts_at=offer.starts_at,
            ends_at=offer.ends_at,
            stock=remaining,
            limit_per_wallet=offer.limit_per_wallet,
            eligibility=msgspec.convert(offer.eligibility, Eligibility),
            version=offer.version,
            closed=None if offer.closed is None else msgspec.convert(offer.closed, Closed),
            lately=lately.get(offer.id, Taken()),
        )
        for offer, acceptor, remaining in rows
    ]


async def history(session: AsyncSession, offer: OwnOfferView) -> list[Step]:
    """What was done to an offer, newest first."""
    # Rooms beside the core name an offer by its reference, which may look like another's id.
    by_reference = sa.and_(
        AuditEntry.subject_id == offer.reference, ~AuditEntry.action.startswith("offer.")
    )
    about = sa.or_(AuditEntry.subject_id == str(offer.id), by_reference)
    rows = await session.execute(
        sa.select(AuditEntry, Person.name)
        .outerjoin(Person, sa.literal("person:") + sa.cast(Person.id, sa.Text) == AuditEntry.actor)
        .where(AuditEntry.subject_kind == "offer", about)
        .order_by(AuditEntry.id.desc())
        .limit(STEPS_SHOWN)
    )
    return [
        Step(entry.at, entry.action, name or entry.actor, entry.details) for entry, name in rows
    ]


async def export_offers(
    session: AsyncSession, principal: Principal, member_id: UUID | None, file: TextIO
) -> int:
    """Write the offers a caller manages in the form that is uploaded; returns how many."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    count, after = 0, None
    while rows := await own_offers(
        session, principal, member_id=member_id, after=after, limit=1_000
    ):
        writer.writerows(map(_cells, rows))
        count, after = count + len(rows), rows[-1].reference
    return count


def _cells(offer: OwnOfferView) -> list[object]:
    eligibility = offer.eligibility
    return [
        offer.reference,
        offer.kind,
        offer.name,
        offer.acceptor,
        offer.plugin,
        offer.sku,
        offer.points,
        decimal_from_micros(offer.cost_micros),
        offer.currency,
        "" if offer.stock is None else offer.stock,
        offer.limit_per_wallet or "",
        offer.status.value,
        offer.starts_at.isoformat() if offer.starts_at else "",
        offer.ends_at.isoformat() if offer.ends_at else "",
        ";".join(eligibility.roles),
        ";".join(eligibility.countries),
        ";".join(eligibility.firms),
    ]
