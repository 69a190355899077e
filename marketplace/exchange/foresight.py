"""What burns on many offers, from one wallet or from many, would meet now: the engine's own read
and decision.

Each is decided by itself, as if it were the only one; nothing is written. `previewing` says more
about one burn, this says the same about a shelf of them in one round trip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from marketplace.api import EligibilityRule, Who
from marketplace.exchange import repository
from marketplace.exchange.decide import (
    BurnRequest,
    Decision,
    Refused,
    State,
    WalletState,
    foretell,
)
from marketplace.exchange.domain import OfferTerms
from marketplace.exchange.errors import BurnRejected
from marketplace.identity.domain import Principal
from marketplace.ids import FastUUID

NO_BURN: Final[UUID] = FastUUID(bytes(16))
NO_OFFER: Final[UUID] = FastUUID(bytes(16))
"""Asked about for everybody, so that the read has their wallet and credential in any case."""

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


class Looker(msgspec.Struct, frozen=True):
    """A caller who may burn from a wallet, and what they ask about."""

    principal: Principal
    wallet_id: UUID
    asks: Sequence[Ask]


class Sight(msgspec.Struct, frozen=True):
    """What a looker sees."""

    live: bool
    """Their credential is neither revoked nor over."""
    balances: dict[str, int]
    """Points that can be burnt, by the currency they settle in."""
    outlooks: dict[Ask, Outlook]
    """Offers that are not there are left out."""


MOST_KNOWN: Final = 20_000

KnownOffers = dict[UUID, OfferTerms]
"""Terms met before, kept by the caller; those that are not right any more are read again."""


async def foresee(
    connection: Any,
    principal: Principal,
    wallet_id: UUID,
    asks: Sequence[Ask],
    rules: Mapping[str, EligibilityRule],
    known: KnownOffers | None = None,
) -> dict[Ask, Outlook]:
    """The outlook of each ask; offers that are not there are left out.

    `connection` is a raw one, in a transaction or not. The principal must be one that may burn from
    the wallet; whether its credential is still live is not asked.
    """
    looker = Looker(principal, wallet_id, asks)
    (sight,) = await foresee_all(connection, [looker], rules, {} if known is None else known)
    return sight.outlooks


async def foresee_all(
    connection: Any,
    lookers: Sequence[Looker],
    rules: Mapping[str, EligibilityRule],
    known: KnownOffers,
) -> list[Sight]:
    """What each looker sees, all of it read at once."""
    state = await _read(connection, lookers, known)
    state.rules = dict(rules)
    restricted = {
        looker.wallet_id
        for looker in lookers
        for offer_id, _ in looker.asks
        if offer_id in state.offers and not state.offers[offer_id].eligibility.open_to_all
    }
    if restricted:
        state.who = await repository.load_who(connection, restricted)
    live = frozenset(state.live_credentials)
    state.live_credentials = {looker.principal.credential_id for looker in lookers}
    return [_sight(looker, state, live) for looker in lookers]


async def _read(connection: Any, lookers: Sequence[Looker], known: KnownOffers) -> State:
    """The state with all lots and right offers; at least one request for each looker is made."""
    requests = [
        _request(looker, ask) for looker in lookers for ask in (*looker.asks, (NO_OFFER, 1))
    ]
    unmet = {request.offer_id for request in requests} - known.keys() - {NO_OFFER}
    await _load(connection, known, unmet)
    lots = repository.FIRST_LOTS
    while True:
        limited = {
            (request.wallet_id, request.offer_id)
            for request in requests
            if (terms := known.get(request.offer_id)) is not None
            and terms.limit_per_wallet is not None
        }
        state, versions = await repository.read(
            connection, requests, lots, list(limited), keys=False
        )
        stale = {
            offer_id
            for offer_id, version in versions.items()
            if (terms := known.get(offer_id)) is None or terms.version != version
        }
        if stale:
            await _load(connection, known, stale)
        elif all(wallet.all_lots for wallet in state.wallets.values()):
            state.offers = {offer_id: known[offer_id] for offer_id in versions}
            return state
        else:
            lots *= 8


async def _load(connection: Any, known: KnownOffers, offer_ids: set[UUID]) -> None:
    if offer_ids:
        if len(known) > MOST_KNOWN:
            known.clear()  # what is needed now is found missing, and read
        for terms in await repository.load_offers(connection, offer_ids):
            known[terms.id] = terms


def _request(looker: Looker, ask: Ask) -> BurnRequest:
    offer_id, quantity = ask
    return BurnRequest(NO_BURN, looker.principal, "", b"", looker.wallet_id, offer_id, quantity)


def _sight(looker: Looker, state: State, live: frozenset[UUID]) -> Sight:
    wallet = state.wallets.get(looker.wallet_id)
    balances: dict[str, int] = {}
    for lot in wallet.lots if wallet is not None else ():
        balances[lot.currency] = balances.get(lot.currency, 0) + lot.remaining
    outlooks = {
        ask: _outlook(ask, foretell(_request(looker, ask), state), state, wallet, balances)
        for ask in looker.asks
        if ask[0] in state.offers
    }
    return Sight(looker.principal.credential_id in live, balances, outlooks)


def _outlook(
    ask: Ask,
    decision: Decision,
    state: State,
    wallet: WalletState | None,
    balances: Mapping[str, int],
) -> Outlook:
    offer_id, quantity = ask
    offer = state.offers[offer_id]
    return Outlook(
        offer=offer,
        quantity=quantity,
        refusal=decision.error if isinstance(decision, Refused) else None,
        have=balances.get(offer.currency, 0),
        used=0 if wallet is None else state.used.get((wallet.id, offer_id), 0),
        stock=state.stock.get(offer_id),
        who=None if wallet is None else state.who.get(wallet.id),
    )
