"""What burns on many offers from one wallet would meet now: the engine's own read and decision.

Each is decided by itself, as if it were the only one; nothing is written. `previewing` says more
about one burn, this says the same about a shelf of them in two round trips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from marketplace.api import EligibilityRule, Who
from marketplace.exchange import repository
from marketplace.exchange.decide import (
    BurnRequest,
    Decision,
    LotState,
    Refused,
    State,
    WalletState,
    decide,
)
from marketplace.exchange.domain import OfferTerms
from marketplace.exchange.errors import BurnRejected
from marketplace.identity.domain import Principal
from marketplace.ids import uuid7

Ask = tuple[UUID, int]
"""An offer and how many units of it."""


class Outlook(msgspec.Struct, frozen=True):
    """What a burn would meet, and what that was seen from."""

    offer: OfferTerms
    quantity: int
    refusal: BurnRejected | None
    have: int
    """Points of the wallet that can be burnt in the offer's currency."""
    used: int
    """Units of it that the wallet has had, where the offer has a limit."""
    stock: int | None
    """Units left; None is without end."""
    who: Who | None
    """The owner of the wallet, where the offer is restricted."""


async def foresee(
    connection: Any,
    principal: Principal,
    wallet_id: UUID,
    asks: Sequence[Ask],
    rules: Mapping[str, EligibilityRule],
) -> dict[Ask, Outlook]:
    """The outlook of each ask; offers that are not there are left out.

    `connection` is a raw one, in a transaction or not. The principal must be one that may burn from
    the wallet; whether its credential is still live is not asked.
    """
    offers = {
        terms.id: terms
        for terms in await repository.load_offers(connection, {offer_id for offer_id, _ in asks})
    }
    requests = {
        (offer_id, quantity): BurnRequest(
            uuid7(), principal, "", b"", wallet_id, offer_id, quantity
        )
        for offer_id, quantity in asks
        if offer_id in offers
    }
    if not requests:
        return {}
    limited = [
        (wallet_id, each.id) for each in offers.values() if each.limit_per_wallet is not None
    ]
    who: dict[UUID, Who] = {}
    if not all(each.eligibility.open_to_all for each in offers.values()):
        who = await repository.load_who(connection, [wallet_id])
    lots = repository.FIRST_LOTS
    while True:
        state, _ = await repository.read(
            connection, list(requests.values()), lots, limited, keys=False
        )
        state.live_credentials = {principal.credential_id}
        state.offers, state.rules, state.who = offers, dict(rules), who
        decided = {ask: _decide_alone(request, state) for ask, request in requests.items()}
        wallet = state.wallets.get(wallet_id)
        if wallet is None or wallet.all_lots:
            break
        lots *= 8
    return {ask: _outlook(ask, decision, state, wallet) for ask, decision in decided.items()}


def _decide_alone(request: BurnRequest, state: State) -> Decision:
    """Decide one request on a copy of what it can change."""
    wallet = state.wallets.get(request.wallet_id)
    alone = msgspec.structs.replace(
        state,
        earlier={},
        wallets={} if wallet is None else {wallet.id: _copied(wallet)},
        stock=dict(state.stock),
        used=dict(state.used),
        exposures={
            member_id: msgspec.structs.replace(each) for member_id, each in state.exposures.items()
        },
    )
    (decision,) = decide([request], alone)
    return decision


def _copied(wallet: WalletState) -> WalletState:
    lots = [
        LotState(lot.id, lot.issuer_id, lot.remaining, lot.price_micros, lot.currency)
        for lot in wallet.lots
    ]
    return msgspec.structs.replace(wallet, lots=lots)


def _outlook(ask: Ask, decision: Decision, state: State, wallet: WalletState | None) -> Outlook:
    offer_id, quantity = ask
    offer = state.offers[offer_id]
    lots = wallet.lots if wallet is not None else []
    return Outlook(
        offer=offer,
        quantity=quantity,
        refusal=decision.error if isinstance(decision, Refused) else None,
        have=sum(lot.remaining for lot in lots if lot.currency == offer.currency),
        used=0 if wallet is None else state.used.get((wallet.id, offer_id), 0),
        stock=state.stock.get(offer_id),
        who=None if wallet is None else state.who.get(wallet.id),
    )
