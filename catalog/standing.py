"""How listings stand to one participant: what the burn engine would say, in words that help.

The engine's own decision comes first; what else is in the way is added to it, never taken off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from catalog.domain import Why
from catalog.entries import Entry, closed_in_words
from catalog.schemas import ChoiceMine, DenominationView, Mine, Obstacle
from catalog.viewer import Viewer
from marketplace.api import EligibilityRule, Who
from marketplace.exchange.errors import (
    BurnRejected,
    ExposureCap,
    InsufficientPoints,
    LimitReached,
    NotEligible,
    OfferNotOnSale,
    PluginClosed,
    SoldOut,
    UnknownWallet,
)
from marketplace.exchange.foresight import Ask, Outlook, foresee

OF_NO_STATUS: Final = frozenset(
    {Why.SOLD_OUT, Why.CLOSED, Why.CLOSED_BECAUSE, Why.NOT_READY, Why.BREAKDOWN}
)
"""What may keep everybody from an offer besides its status and dates."""
ORDER: Final = {why: place for place, why in enumerate(Why)}


async def outlooks(
    connection: Any,
    viewer: Viewer,
    entries: Sequence[Entry],
    rules: Mapping[str, EligibilityRule],
) -> dict[Ask, Outlook]:
    """What the engine would say to the smallest burn of every choice of these entries."""
    asks = [(d.offer_id, d.least) for entry in entries for d in entry.denominations]
    return await foresee(connection, viewer.principal, viewer.wallet_id, asks, rules)


def choice_of(denomination: DenominationView, outlook: Outlook) -> ChoiceMine:
    """How one choice stands."""
    need = outlook.offer.points * denomination.least
    most = 0 if outlook.refusal is not None else _most(denomination, outlook)
    return ChoiceMine(
        offer=denomination.offer,
        can_burn=outlook.refusal is None,
        have=outlook.have,
        need=need,
        short=max(need - outlook.have, 0),
        most=most,
        obstacles=_obstacles(denomination, outlook, need),
    )


def mine_of(
    entry: Entry, found: Mapping[Ask, Outlook], *, wished: bool
) -> tuple[Mine | None, tuple[ChoiceMine, ...]]:
    """How an entry stands, by its most reachable choice, and how each choice does."""
    choices = tuple(
        choice_of(d, found[d.offer_id, d.least])
        for d in entry.denominations
        if (d.offer_id, d.least) in found
    )
    if not choices:
        return None, ()
    best = min(choices, key=_reach)
    mine = Mine(
        can_burn=best.can_burn,
        offer=best.offer,
        have=best.have,
        need=best.need,
        short=best.short,
        obstacles=best.obstacles,
        wished=wished,
    )
    return mine, choices


def _reach(choice: ChoiceMine) -> tuple[bool, int, int]:
    """Burnable ones first, then those where least is in the way, then the cheapest."""
    blocks = [each.why for each in choice.obstacles if each.blocks and each.why is not Why.SHORT]
    return (not choice.can_burn, len(blocks), choice.need)


def _most(denomination: DenominationView, outlook: Outlook) -> int:
    """The largest quantity that points, limit and stock allow."""
    most = min(denomination.most, outlook.have // outlook.offer.points)
    if outlook.offer.limit_per_wallet is not None:
        most = min(most, outlook.offer.limit_per_wallet - outlook.used)
    if outlook.stock is not None:
        most = min(most, outlook.stock)
    return most - (most - denomination.least) % denomination.step


def _obstacles(denomination: DenominationView, outlook: Outlook, need: int) -> tuple[Obstacle, ...]:
    """The engine's refusal in the catalog's words, and what else is known to be in the way."""
    found = {each.why: each for each in denomination.obstacles}
    refusal = outlook.refusal
    if refusal is not None:
        told = _told(refusal, denomination, outlook, need)
        found[told.why] = told
    if outlook.have < need:
        found[Why.SHORT] = Obstacle(why=Why.SHORT, points=need - outlook.have)
    if refusal is None:
        # The shelf may be a moment older than what the engine sees: its word counts.
        found = {why: each for why, each in found.items() if not each.blocks}
    return tuple(sorted(found.values(), key=lambda each: ORDER[each.why]))


def _told(
    refusal: BurnRejected, denomination: DenominationView, outlook: Outlook, need: int
) -> Obstacle:
    offer = outlook.offer
    match refusal:
        case OfferNotOnSale():
            for each in denomination.obstacles:
                if each.blocks and each.why not in OF_NO_STATUS:
                    return each
            return Obstacle(why=Why.PAUSED)
        case PluginClosed() if offer.closed is not None:
            return closed_in_words(offer.closed)
        case NotEligible():
            return _ineligible(outlook.who, outlook, refusal)
        case LimitReached():
            return Obstacle(why=Why.LIMIT_REACHED, units=offer.limit_per_wallet)
        case SoldOut():
            return Obstacle(why=Why.SOLD_OUT, units=outlook.stock)
        case InsufficientPoints():
            return Obstacle(why=Why.SHORT, points=max(need - outlook.have, 1))
        case ExposureCap():
            return Obstacle(why=Why.EXPOSURE)
        case UnknownWallet():
            return Obstacle(why=Why.NO_WALLET)
    return Obstacle(why=Why.PAUSED, detail=refusal.detail)


def _ineligible(who: Who | None, outlook: Outlook, refusal: BurnRejected) -> Obstacle:
    """Which part of the eligibility refuses, in the engine's order."""
    terms = outlook.offer.eligibility
    if who is None:
        return Obstacle(why=Why.FIRM)
    if terms.roles and who.role not in terms.roles:
        return Obstacle(why=Why.ROLE, among=terms.roles)
    if terms.countries and who.country not in terms.countries:
        return Obstacle(why=Why.COUNTRY, among=terms.countries)
    if terms.firms and who.firm_reference not in terms.firms:
        return Obstacle(why=Why.FIRM)
    return Obstacle(why=Why.RULE, detail=refusal.detail)
