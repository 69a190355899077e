"""What a burn would do if it were made now: the engine's own read and decision, nothing written."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import EligibilityRule, Who
from marketplace.coalition.models import Member
from marketplace.coalition.names import Names, names_of
from marketplace.db import raw_connection
from marketplace.errors import NotFound
from marketplace.exchange import repository
from marketplace.exchange.decide import (
    Accepted,
    BurnRequest,
    Decision,
    DrawPart,
    MoreLots,
    Refused,
    State,
    as_promised,
    decide,
)
from marketplace.exchange.domain import OfferTerms
from marketplace.exchange.errors import BurnRejected, UnknownOffer, UnknownWallet
from marketplace.exchange.models import Offer
from marketplace.exchange.schemas import BurnPreview, DrawPreview, RefusalView
from marketplace.fulfilment.promise import delivery_promise
from marketplace.identity.domain import Principal
from marketplace.ids import uuid7
from marketplace.ledger import repository as ledger
from marketplace.ledger.lots import lots_by_id


class Foreseen(msgspec.Struct, frozen=True):
    """A decision that was not written, and what it was made on."""

    offer: OfferTerms
    state: State
    draws: list[DrawPart]
    refusal: BurnRejected | None
    who: Who | None
    """The owner of the wallet, where the offer is restricted."""
    names: Names = {}
    """What the roles that may have the offer are called, where it is refused."""


async def preview(
    session: AsyncSession,
    principal: Principal,
    rules: dict[str, EligibilityRule],
    *,
    wallet_id: UUID,
    offer_reference: str,
    quantity: int,
    selection: str | None = None,
) -> tuple[BurnPreview, Foreseen]:
    """What `quantity` units of an offer would take from a wallet, or why it would be refused.

    With `selection` at the price that was promised for it, where one was.

    Raises NotFound for an unknown offer, or a wallet that is not the caller's to burn from.
    """
    offer = await session.scalar(sa.select(Offer).where(Offer.reference == offer_reference))
    if offer is None:
        raise NotFound(f"There is no offer {offer_reference!r}.")
    request = BurnRequest(
        uuid7(), principal, "", b"", wallet_id, offer.id, quantity, selection=selection
    )
    foreseen = await _foresee(await raw_connection(session), request, rules)
    if isinstance(foreseen.refusal, UnknownWallet | UnknownOffer):
        raise NotFound(foreseen.refusal.detail)
    if foreseen.refusal is not None and foreseen.offer.eligibility.roles:
        names = await names_of(session, "role", foreseen.offer.eligibility.roles)
        foreseen = msgspec.structs.replace(foreseen, names=names)
    return await _view(session, offer, request, foreseen), foreseen


async def _foresee(
    connection: Any, request: BurnRequest, rules: dict[str, EligibilityRule]
) -> Foreseen:
    (offer,) = await repository.load_offers(connection, [request.offer_id])
    pairs = [] if offer.limit_per_wallet is None else [(request.wallet_id, offer.id)]
    who = {}
    if not offer.eligibility.open_to_all:
        who = await repository.load_who(connection, [request.wallet_id])
    lots = repository.FIRST_LOTS
    while True:
        state, _ = await repository.read(connection, [request], lots, pairs, keys=False)
        state.offers, state.rules, state.who = {offer.id: offer}, rules, who
        (decision,) = decide([request], state)
        if not isinstance(decision, MoreLots):
            break
        lots *= 8
    offer = as_promised(offer, request.selection, state)
    return Foreseen(offer, state, *_outcome(decision), who.get(request.wallet_id))


def _outcome(decision: Decision) -> tuple[list[DrawPart], BurnRejected | None]:
    match decision:
        case Accepted(draws=draws):
            return draws, None
        case Refused(error=error):
            return [], error
    # The session ended between the route's check and this read.
    raise NotFound("Sign in again.")


async def _view(
    session: AsyncSession, offer: Offer, request: BurnRequest, foreseen: Foreseen
) -> BurnPreview:
    balance = await ledger.balance(session, request.wallet_id)
    points = foreseen.offer.points * request.quantity
    refusal = foreseen.refusal
    used = foreseen.state.used.get((request.wallet_id, offer.id), 0)
    return BurnPreview(
        offer_id=offer.id,
        offer=offer.reference,
        name=offer.name,
        title=offer.name,
        kind=offer.kind,
        supplier=(await session.get_one(Member, offer.acceptor_id)).name,
        wallet_id=request.wallet_id,
        quantity=request.quantity,
        points=points,
        available=balance.available,
        available_after=None if refusal else balance.available - points,
        draws=await _draws(session, request.wallet_id, foreseen.draws),
        stock=foreseen.state.stock.get(offer.id),
        limit_per_wallet=offer.limit_per_wallet,
        limit_used=used,
        delivery=await delivery_promise(session, offer.plugin),
        refusal=None if refusal is None else RefusalView(refusal.code, refusal.detail),
    )


async def _draws(
    session: AsyncSession, wallet_id: UUID, parts: list[DrawPart]
) -> list[DrawPreview]:
    lots = await lots_by_id(session, wallet_id, [part.lot.id for part in parts])
    return [
        DrawPreview(
            points=part.points,
            left=part.lot.remaining,
            issuer=lots[part.lot.id].issuer,
            reference=lots[part.lot.id].reference,
            expires_at=lots[part.lot.id].expires_at,
        )
        for part in parts
    ]
