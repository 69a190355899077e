"""Reads of burns and offers, each seen only by those who may."""

from __future__ import annotations

from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.models import Member, Participant
from marketplace.errors import NotFound
from marketplace.exchange.decide import may_burn_from
from marketplace.exchange.domain import (
    BurnStatus,
    Eligibility,
    FulfilmentState,
    OfferStatus,
)
from marketplace.exchange.models import Burn, Offer, OfferStock
from marketplace.exchange.schemas import ArtefactView, BurnView, OfferView
from marketplace.fulfilment.models import Artefact
from marketplace.identity.domain import Principal, Role
from marketplace.ledger.models import Wallet

MESSAGES = {
    FulfilmentState.QUEUED: "Your points are held; the partner will be asked in a moment.",
    FulfilmentState.ORDERING: "The partner is being asked; your points are held, not spent.",
    FulfilmentState.RETRY: "The partner could not take the order yet; we try again.",
    FulfilmentState.PENDING: "The partner took the order and has not delivered yet.",
    FulfilmentState.UNKNOWN: (
        "The partner has not confirmed yet: your points are held, not spent."
    ),
    FulfilmentState.DEAD: "The partner does not answer; our people look into it.",
}


async def find_burn(session: AsyncSession, principal: Principal, burn_id: UUID) -> Burn:
    """The burn, if this caller may see it; NotFound otherwise."""
    burn = await session.scalar(sa.select(Burn).where(Burn.id == burn_id, visible_to(principal)))
    if burn is None:
        raise NotFound(f"There is no burn {burn_id}, or it is not yours to see.")
    return burn


async def find_burnable(session: AsyncSession, principal: Principal, burn_id: UUID) -> Burn:
    """The burn, if this caller could have made it (owner, sponsor, operator)."""
    burn = await find_burn(session, principal, burn_id)
    wallet = await session.get_one(Wallet, burn.wallet_id)
    if not may_burn_from(principal, wallet.participant_id, wallet.sponsor_id):
        raise NotFound(f"There is no burn {burn_id}, or it is not yours to cancel.")
    return burn


async def find_paid_burn(session: AsyncSession, principal: Principal, burn_id: UUID) -> Burn:
    """The burn, if this caller is the operator or works for the member that is paid."""
    burn = await find_burn(session, principal, burn_id)
    if not principal.is_operator and burn.acceptor_id != principal.member_id:
        raise NotFound(f"There is no burn {burn_id}, or it is not yours to refund.")
    return burn


def visible_to(principal: Principal) -> sa.ColumnElement[bool]:
    """Burns of one's own wallet, firm or sponsored wallets, and those one is paid for."""
    if principal.is_operator or Role.FINANCE in principal.roles:
        return sa.true()
    allowed: list[sa.ColumnElement[bool]] = []
    if principal.participant_id is not None:
        allowed.append(Wallet.participant_id == principal.participant_id)
    if Role.FIRM_MANAGER in principal.roles:
        people = sa.select(Participant.id).where(Participant.firm_id == principal.firm_id)
        allowed.append(Wallet.participant_id.in_(people))
        allowed.append(Wallet.firm_id == principal.firm_id)
    if principal.is_key:
        allowed.append(Wallet.sponsor_id == principal.member_id)
    wallets = sa.select(Wallet.id).where(sa.or_(sa.false(), *allowed))
    seen: sa.ColumnElement[bool] = Burn.wallet_id.in_(wallets)
    if principal.member_id is not None:
        seen = sa.or_(seen, Burn.acceptor_id == principal.member_id)
    return seen


async def burn_view(session: AsyncSession, burn: Burn) -> BurnView:
    """A burn as its caller sees it."""
    artefacts = await session.scalars(
        sa.select(Artefact)
        .where(Artefact.burn_id == burn.id, Artefact.wallet_id == burn.wallet_id)
        .order_by(Artefact.position)
    )
    return BurnView(
        id=burn.id,
        wallet_id=burn.wallet_id,
        offer_id=burn.offer_id,
        quantity=burn.quantity,
        selection=burn.selection,
        points=burn.points,
        status=burn.status,
        fulfilment=burn.fulfilment,
        message=_message(burn),
        rejection=burn.rejection,
        refunded_points=burn.refunded_points,
        effective_at=burn.effective_at,
        hold_until=burn.hold_until,
        artefacts=[
            ArtefactView(each.position, each.kind, each.label, each.expires_at)
            for each in artefacts
        ],
    )


def _message(burn: Burn) -> str:
    if burn.status is BurnStatus.REJECTED:
        return burn.detail or ""
    if burn.status is BurnStatus.VOIDED:
        return "The reward could not be delivered; your points are back."
    if burn.status is BurnStatus.HELD:
        return MESSAGES[burn.fulfilment]
    if burn.refunded_points:
        return f"Delivered; {burn.refunded_points} of {burn.points} points were refunded."
    return "Delivered."


def _offers() -> sa.Select[Offer, str, int]:
    return (
        sa.select(Offer, Member.slug, OfferStock.remaining)
        .join(Member, Member.id == Offer.acceptor_id)
        .outerjoin(OfferStock, OfferStock.offer_id == Offer.id)
    )


async def list_offers(
    session: AsyncSession,
    *,
    after: str | None,
    limit: int,
    kind: str | None,
    status: OfferStatus | None,
) -> list[OfferView]:
    """Offers in order of their reference, from after `after`."""
    query = _offers().order_by(Offer.reference).limit(limit)
    if after is not None:
        query = query.where(Offer.reference > after)
    if kind is not None:
        query = query.where(Offer.kind == kind)
    if status is not None:
        query = query.where(Offer.status == status)
    return [_offer_view(*row) for row in await session.execute(query)]


async def get_offer(session: AsyncSession, offer_id: UUID) -> OfferView:
    """One offer; NotFound where there is none."""
    row = (await session.execute(_offers().where(Offer.id == offer_id))).one_or_none()
    if row is None:
        raise NotFound(f"There is no offer {offer_id}.")
    return _offer_view(*row)


def _offer_view(offer: Offer, acceptor: str, stock: int | None) -> OfferView:
    return OfferView(
        id=offer.id,
        reference=offer.reference,
        kind=offer.kind,
        name=offer.name,
        title=offer.name,
        acceptor=acceptor,
        points=offer.points,
        status=offer.status,
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
        stock=stock,
        limit_per_wallet=offer.limit_per_wallet,
        eligibility=msgspec.convert(offer.eligibility, Eligibility),
    )
