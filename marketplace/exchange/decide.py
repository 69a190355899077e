"""The decision on a batch of burns: pure Python, in order, no I/O.

`decide` plays the requests one after the other against the state that was read, so the second burn
of a wallet in one batch sees the first. The state is a scratch copy: decide changes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import msgspec

from marketplace.api import EligibilityRule, Who, Words
from marketplace.exchange.domain import Eligibility, OfferStatus, OfferTerms
from marketplace.exchange.errors import (
    BurnRejected,
    ExposureCap,
    InsufficientPoints,
    LimitReached,
    NotEligible,
    OfferNotOnSale,
    PluginClosed,
    PriceChanged,
    SoldOut,
    UnknownOffer,
    UnknownWallet,
)
from marketplace.identity.domain import Principal
from marketplace.web.i18n import SOURCE

MAX_QUANTITY = 1_000
"""Units of one burn: pieces, each of which may have a code of its own."""
MAX_AMOUNT = 1_000_000_000
"""The same of an offer whose unit is a single point, where a room of ours asks: an amount, as of a
donation. Requests of others have `MAX_QUANTITY`."""


class BurnRequest(msgspec.Struct, frozen=True):
    """One burn as asked for; `burn_id` is ours already, made before anything is known."""

    burn_id: UUID
    principal: Principal
    key: str
    request_hash: bytes
    wallet_id: UUID
    offer_id: UUID
    quantity: int
    expected_points: int | None = None
    """What the caller was told it costs; another price by now refuses the burn."""
    selection: str | None = None
    """What was chosen beforehand with the supplier."""


RowPlace: TypeAlias = tuple[int, int] | None
"""Where the version of a row that was read lies in its table: writing it needs no look-up then."""


class LotState(msgspec.Struct):
    """A lot with points left that have not expired."""

    id: int
    issuer_id: UUID
    remaining: int
    price_micros: int
    currency: str
    at: RowPlace = None


class WalletState(msgspec.Struct):
    """A wallet and its lots in draw order; `all_lots` tells whether more were left unread."""

    id: UUID
    participant_id: UUID | None
    sponsor_id: UUID | None
    version: int
    lots: list[LotState]
    all_lots: bool = True
    at: RowPlace = None
    last_hold_id: int = 0
    """The transfer of its latest burn; 0: none is known."""


class ExposureState(msgspec.Struct):
    """What a capped issuer owes, and the cap of its contract in force (None: no cap now)."""

    used_micros: int
    cap_micros: int | None


class Promised(msgspec.Struct, frozen=True):
    """What one unit costs who chose beforehand, until the promise ends."""

    points: int
    cost_micros: int


class Earlier(msgspec.Struct, frozen=True):
    """The outcome a key had before."""

    burn_id: UUID
    wallet_id: UUID
    request_hash: bytes


class State(msgspec.Struct):
    """Everything the decision needs, as read in one round trip."""

    now: datetime
    live_credentials: set[UUID]
    earlier: dict[tuple[UUID, str], Earlier]
    wallets: dict[UUID, WalletState]
    offers: dict[UUID, OfferTerms]
    stock: dict[UUID, int]
    """Units left, only of offers with limited stock."""
    used: dict[tuple[UUID, UUID], int]
    """Units a wallet has of an offer with a limit."""
    exposures: dict[UUID, ExposureState]
    who: dict[UUID, Who]
    """By wallet; only for restricted offers."""
    rules: dict[str, EligibilityRule]
    promises: dict[tuple[UUID, str], Promised] = {}
    """Prices promised for a selection of an offer, for requests that name one."""


class DrawPart(msgspec.Struct, frozen=True):
    """Points taken from one lot, numbered from `position` within the burn."""

    lot: LotState
    position: int
    points: int


class Accepted(msgspec.Struct, frozen=True):
    """The burn is held."""

    request: BurnRequest
    offer: OfferTerms
    points: int
    draws: list[DrawPart]

    @property
    def cost_micros(self) -> int:
        return self.offer.cost_micros * self.request.quantity


class Refused(msgspec.Struct, frozen=True):
    """The burn is rejected; the row that says so burns the key."""

    request: BurnRequest
    error: BurnRejected


class Replayed(msgspec.Struct, frozen=True):
    """The key had an outcome before."""

    request: BurnRequest
    earlier: Earlier


class CredentialGone(msgspec.Struct, frozen=True):
    """The key was revoked or the session ended since the caller was identified."""

    request: BurnRequest


class MoreLots(msgspec.Struct, frozen=True):
    """Not decided: more of the wallet's lots must be read."""

    request: BurnRequest


Decision: TypeAlias = Accepted | Refused | Replayed | CredentialGone | MoreLots


def decide(requests: Sequence[BurnRequest], state: State) -> list[Decision]:
    """Decide each request in order; later ones see what earlier ones took."""
    decisions: list[Decision] = []
    for request in requests:
        decision = _decide_one(request, state)
        if isinstance(decision, Accepted | Refused):
            state.earlier[request.principal.caller_id, request.key] = Earlier(
                request.burn_id, request.wallet_id, request.request_hash
            )
        decisions.append(decision)
    return decisions


def foretell(request: BurnRequest, state: State) -> Decision:
    """What `decide` would say to this request alone; the state stays as it is."""
    decision = _decide_one(request, state)
    if isinstance(decision, Accepted):
        _give_back(decision, state)
    return decision


def _decide_one(request: BurnRequest, state: State) -> Decision:
    principal = request.principal
    if principal.credential_id not in state.live_credentials:
        return CredentialGone(request)
    earlier = state.earlier.get((principal.caller_id, request.key))
    if earlier is not None:
        return Replayed(request, earlier)
    wallet = state.wallets.get(request.wallet_id)
    if wallet is None or not may_burn_from(principal, wallet.participant_id, wallet.sponsor_id):
        return Refused(request, UnknownWallet(f"No wallet {request.wallet_id} is open to you."))
    offer = state.offers.get(request.offer_id)
    if offer is None:
        return Refused(request, UnknownOffer(f"No offer has the id {request.offer_id}."))
    offer = as_promised(offer, request.selection, state)
    refusal = _check_offer(request, offer, state)
    if refusal is not None:
        return Refused(request, refusal)
    if request.expected_points not in (None, offer.points * request.quantity):
        price = offer.points * request.quantity
        return Refused(request, PriceChanged(f"It costs {price} points now."))
    return _draw(request, wallet, offer, state)


def as_promised(offer: OfferTerms, selection: str | None, state: State) -> OfferTerms:
    """The offer at the price that was promised for this selection, where one was."""
    promised = None if selection is None else state.promises.get((offer.id, selection))
    if promised is None:
        return offer
    return msgspec.structs.replace(offer, points=promised.points, cost_micros=promised.cost_micros)


def may_burn_from(
    principal: Principal, participant_id: UUID | None, sponsor_id: UUID | None
) -> bool:
    """A person burns from their own wallet; a key from wallets its member sponsors."""
    if principal.is_operator:
        return True
    if not principal.is_key:
        return principal.participant_id is not None and participant_id == principal.participant_id
    return sponsor_id is not None and sponsor_id == principal.member_id


def _check_offer(request: BurnRequest, offer: OfferTerms, state: State) -> BurnRejected | None:
    """What the offer itself says, in order: on sale, closed, eligible, limit, stock."""
    not_on_sale = _not_on_sale(offer, state.now)
    if not_on_sale is not None:
        return OfferNotOnSale(not_on_sale)
    if offer.closed is not None:
        return PluginClosed(offer.closed.detail)
    if not offer.eligibility.open_to_all:
        ineligible = _ineligible(offer, state.who.get(request.wallet_id), state.rules)
        if ineligible is not None:
            return ineligible
    if request.quantity > MAX_QUANTITY and offer.points > 1:
        return LimitReached(f"At most {MAX_QUANTITY:,} units are burnt at once.")
    if offer.limit_per_wallet is not None:
        had = state.used.get((request.wallet_id, offer.id), 0)
        if had + request.quantity > offer.limit_per_wallet:
            return LimitReached(
                f"The limit is {offer.limit_per_wallet} for one participant; "
                f"{had} taken already, {request.quantity} asked for."
            )
    left = state.stock.get(offer.id)
    if left is not None and left < request.quantity:
        return SoldOut(f"{left} left, {request.quantity} asked for.")
    return None


def _not_on_sale(offer: OfferTerms, now: datetime) -> str | None:
    if offer.status is not OfferStatus.ON_SALE:
        return f"The offer is {offer.status.value.replace('_', ' ')}."
    if offer.starts_at is not None and now < offer.starts_at:
        return f"The offer goes on sale at {offer.starts_at.isoformat()}."
    if offer.ends_at is not None and now >= offer.ends_at:
        return f"The offer ended at {offer.ends_at.isoformat()}."
    return None


def _ineligible(
    offer: OfferTerms, who: Who | None, rules: dict[str, EligibilityRule]
) -> NotEligible | None:
    terms: Eligibility = offer.eligibility
    if who is None:
        return NotEligible("This offer is open to participants of some firms only.")
    if terms.roles and who.role not in terms.roles:
        return NotEligible(f"This offer is for these roles: {', '.join(terms.roles)}.")
    if terms.countries and who.country not in terms.countries:
        return NotEligible(f"This offer is for these countries: {', '.join(terms.countries)}.")
    if terms.firms and who.firm_reference not in terms.firms:
        return NotEligible("This offer is not open to people of your firm.")
    for name in terms.rules:
        refused = _ask_rule(name, rules.get(name), who, offer.reference)
        if refused is not None:
            return refused
    return None


def _ask_rule(
    name: str, rule: EligibilityRule | None, who: Who, offer_reference: str
) -> NotEligible | None:
    """A rule that is missing, raises or talks nonsense refuses: it may not give rewards away."""
    if rule is None:
        return NotEligible(f"The rule {name} of this offer is not installed at present.")
    try:
        reason = rule.refusal(who, offer_reference)
        return None if reason is None else _refused(reason)
    except Exception:
        return NotEligible(f"The rule {name} of this offer could not be checked.")


def _refused(reason: Words) -> NotEligible:
    """A rule's refusal; raises where a mapping is none of texts by language."""
    if not isinstance(reason, Mapping):
        return NotEligible(str(reason), {SOURCE: str(reason)})
    return NotEligible(words={str(code): str(text) for code, text in reason.items()})


def _draw(request: BurnRequest, wallet: WalletState, offer: OfferTerms, state: State) -> Decision:
    """Take the points from the lots in order; only lots settled in the offer's currency count."""
    needed = offer.points * request.quantity
    parts: list[DrawPart] = []
    position = 0
    for lot in wallet.lots:
        if lot.remaining and lot.currency == offer.currency:
            points = min(lot.remaining, needed - position)
            parts.append(DrawPart(lot, position, points))
            position += points
            if position == needed:
                break
    if position < needed and not wallet.all_lots:
        return MoreLots(request)
    capped = _over_cap(parts, state.exposures)
    if capped is not None:
        return Refused(request, capped)
    if position < needed:
        return Refused(
            request,
            InsufficientPoints(f"{needed} points are needed, {position} can be burnt."),
        )
    _take(request, offer, parts, state)
    return Accepted(request, offer, needed, parts)


def _over_cap(parts: list[DrawPart], exposures: dict[UUID, ExposureState]) -> ExposureCap | None:
    if not exposures:
        return None
    more: dict[UUID, int] = {}
    for part in parts:
        issuer_id = part.lot.issuer_id
        exposure = exposures.get(issuer_id)
        if exposure is None or exposure.cap_micros is None:
            continue
        more[issuer_id] = more.get(issuer_id, 0) + part.points * part.lot.price_micros
        if exposure.used_micros + more[issuer_id] > exposure.cap_micros:
            return ExposureCap(
                "An issuer of these points has reached the most it may owe until it settles. "
                "Try a smaller reward, or again after the next settlement."
            )
    return None


def _take(request: BurnRequest, offer: OfferTerms, parts: list[DrawPart], state: State) -> None:
    for part in parts:
        part.lot.remaining -= part.points
        exposure = state.exposures.get(part.lot.issuer_id)
        if exposure is not None:
            exposure.used_micros += part.points * part.lot.price_micros
    if offer.id in state.stock:
        state.stock[offer.id] -= request.quantity
    if offer.limit_per_wallet is not None:
        pair = (request.wallet_id, offer.id)
        state.used[pair] = state.used.get(pair, 0) + request.quantity


def _give_back(accepted: Accepted, state: State) -> None:
    """Undo `_take`."""
    request, offer = accepted.request, accepted.offer
    for part in accepted.draws:
        part.lot.remaining += part.points
        exposure = state.exposures.get(part.lot.issuer_id)
        if exposure is not None:
            exposure.used_micros -= part.points * part.lot.price_micros
    if offer.id in state.stock:
        state.stock[offer.id] += request.quantity
    if offer.limit_per_wallet is not None:
        state.used[request.wallet_id, offer.id] -= request.quantity
