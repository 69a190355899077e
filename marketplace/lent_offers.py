"""The offers that a plugin delivers: read in its own transaction, and made for a member.

Making one is asynchronous and in a transaction of its own, by the service behind `POST /v1/offers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.contract.host import NewOffer, PluginOffer
from marketplace.db import Database
from marketplace.exchange.domain import Eligibility, OfferStatus
from marketplace.exchange.models import Offer
from marketplace.letters import require_shown

LONGEST: Final = 200
"""Characters of a reference, a name or a sku."""


def offers(
    session: Session,
    slug: str,
    *,
    member_id: UUID | None = None,
    sku: str | None = None,
    reference: str | None = None,
) -> Sequence[PluginOffer]:
    """See `marketplace.api.Host.offers`."""
    query = sa.select(
        Offer.reference,
        Offer.name,
        Offer.sku,
        Offer.acceptor_id,
        Offer.points,
        Offer.eligibility,
        Offer.limit_per_wallet,
        Offer.status,
    ).where(Offer.plugin == slug, Offer.status != OfferStatus.RETIRED)
    if member_id is not None:
        query = query.where(Offer.acceptor_id == member_id)
    if sku is not None:
        query = query.where(Offer.sku == sku)
    if reference is not None:
        query = query.where(Offer.reference == reference)
    return [
        PluginOffer(
            reference=each.reference,
            name=each.name,
            sku=each.sku,
            member_id=each.acceptor_id,
            points=each.points,
            eligibility=msgspec.convert(each.eligibility, Eligibility),
            limit_per_wallet=each.limit_per_wallet,
            is_on_sale=each.status is OfferStatus.ON_SALE,
        )
        for each in session.execute(query.order_by(Offer.reference))
    ]


async def make(
    database: Database,
    slug: str,
    member_id: UUID,
    new: NewOffer,
    *,
    actor: str,
    dry_run: bool,
) -> PluginOffer:
    """See `marketplace.api.Host.make_offer`."""
    from marketplace.coalition.service import get_contract  # see Host.reveal
    from marketplace.exchange import offering
    from marketplace.lent_orders import caller_of

    member = msgspec.structs.replace(caller_of(slug), actor=actor, member_id=member_id)
    async with database.begin() as session, session.begin_nested() as attempt:
        draft = offering.OfferDraft(
            reference=new.reference,
            kind=new.kind,
            name=new.name,
            plugin=slug,
            sku=new.sku,
            points=new.points,
            cost_micros=new.cost_micros,
            currency=(await get_contract(session, member_id)).currency,
            stock=0,
            status=OfferStatus.ON_SALE,
        )
        for field in ("reference", "name", "sku"):
            require_shown(getattr(draft, field), field, LONGEST)
        await offering.make_offer(session, member, member_id, draft)
        if dry_run:
            await attempt.rollback()
    return PluginOffer(
        reference=new.reference,
        name=new.name,
        sku=new.sku,
        member_id=member_id,
        points=new.points,
    )
