"""Making, amending and (un)selling offers, by the member that is paid for them and the operator.

What a burn was made at is in the burn: nothing here changes a burn that was made. Each change is
an audit entry that says what it was before, and a new version that burn engines read at once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.codes import COUNTRIES, CURRENCIES
from marketplace.coalition.domain import ContractRole
from marketplace.coalition.models import Contract, Firm, Member
from marketplace.coalition.service import get_contract
from marketplace.errors import InvalidRequest, NotAllowed, NotFound
from marketplace.exchange.domain import Eligibility, OfferStatus
from marketplace.exchange.errors import (
    OfferChanged,
    OfferRetired,
    OfferTaken,
    PriceNotCovered,
)
from marketplace.exchange.models import Offer, OfferStock
from marketplace.identity.audit import audit
from marketplace.identity.domain import Principal, Role
from marketplace.ids import uuid7
from marketplace.money import MAX_MICROS, MAX_POINTS, decimal_from_micros
from marketplace.registry.activation import admit

IMPORT_LOCK: Final = "import offers"
"""Offers are made one at a time, files included: no two of one reference, no sku of two members."""


class OfferDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An offer to be made."""

    reference: str
    kind: str
    name: str
    plugin: str
    sku: str
    points: int
    cost_micros: int
    currency: str
    stock: int | None = None
    """Units to begin with; None is unlimited, or counted by the plugin."""
    limit_per_wallet: int | None = None
    status: OfferStatus = OfferStatus.ANNOUNCED
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    eligibility: Eligibility = Eligibility()


class OfferChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What may change of an offer. What is UNSET stays as it is.

    Never: reference, kind, acceptor, plugin, sku and currency, by which earlier burns and the
    supplier know it. Points and cost change by `pricing`, stock by burns and by the plugin.
    """

    name: str | UnsetType = UNSET
    limit_per_wallet: int | UnsetType | None = UNSET
    """Counts burns made while there is a limit."""
    starts_at: datetime | UnsetType | None = UNSET
    ends_at: datetime | UnsetType | None = UNSET
    eligibility: Eligibility | UnsetType = UNSET


def may_manage(principal: Principal, acceptor_id: UUID) -> bool:
    """The operator, and whoever acts for the member that is paid."""
    if principal.is_operator:
        return True
    acts = principal.is_key or Role.PARTNER in principal.roles
    return acts and principal.member_id == acceptor_id


def managed_by(principal: Principal) -> sa.ColumnElement[bool]:
    """Offers that this caller manages."""
    if principal.is_operator:
        return sa.true()
    return Offer.acceptor_id == principal.member_id


async def managed_offer(
    session: AsyncSession, principal: Principal, offer_id: UUID, *, lock: bool = False
) -> Offer:
    """The offer, if this caller manages it; NotFound otherwise."""
    query = sa.select(Offer).where(Offer.id == offer_id).execution_options(populate_existing=True)
    offer = await session.scalar(query.with_for_update() if lock else query)
    if offer is None or not may_manage(principal, offer.acceptor_id):
        raise NotFound(f"There is no offer {offer_id} of yours.")
    return offer


async def one_at_a_time(session: AsyncSession) -> None:
    """Wait for others who make offers, until the transaction ends."""
    lock = sa.text("select pg_advisory_xact_lock(hashtextextended(:name, 0))")
    await session.execute(lock, {"name": IMPORT_LOCK})


async def make_offer(
    session: AsyncSession, principal: Principal, member_id: UUID, draft: OfferDraft
) -> Offer:
    """Make an offer of a member.

    Raises NotAllowed for somebody else's member, NoContract where it accepts no points now,
    OfferTaken, PriceNotCovered, InvalidRequest for what no offer can be.
    """
    if not may_manage(principal, member_id):
        raise NotAllowed("You can make offers of your own member only.")
    await _check_accepts(session, member_id)
    check_price(draft.points, draft.cost_micros)
    await _check_terms(session, draft)
    await one_at_a_time(session)
    await _check_free(session, member_id, draft)
    if not principal.is_operator:
        await check_covered(session, draft.points, draft.cost_micros, draft.currency)
    columns = msgspec.structs.asdict(draft) | {"eligibility": as_json(draft.eligibility)}
    stock = columns.pop("stock")
    offer = Offer(id=uuid7(), acceptor_id=member_id, version=1, **columns)
    session.add(offer)
    await session.flush()
    if stock is not None:
        session.add(OfferStock(offer_id=offer.id, remaining=stock))
    details = msgspec.to_builtins(draft)
    await audit(session, principal.actor, "offer.made", "offer", offer.id, **details)
    # Closed from the start where its plugin delivers nothing, or nothing for this member, yet.
    await admit(session, [(offer.plugin, member_id)])
    return offer


async def _check_accepts(session: AsyncSession, member_id: UUID) -> None:
    if await session.get(Member, member_id) is None:
        raise NotFound(f"There is no member {member_id}.")
    contract = await get_contract(session, member_id)
    if contract.role is ContractRole.ISSUER:
        raise InvalidRequest("The member's contract does not let it accept points.")


async def _check_terms(session: AsyncSession, terms: OfferDraft | Offer) -> None:
    """InvalidRequest where dates or eligibility cannot be."""
    if terms.starts_at and terms.ends_at and terms.ends_at <= terms.starts_at:
        raise InvalidRequest("The offer ends before it starts.", field="ends_at")
    if terms.currency not in CURRENCIES:
        raise InvalidRequest(f"There is no currency {terms.currency}.", field="currency")
    stated = terms.eligibility
    wanted = stated if isinstance(stated, Eligibility) else msgspec.convert(stated, Eligibility)
    if strange := set(wanted.countries) - COUNTRIES:
        names = ", ".join(sorted(strange))
        raise InvalidRequest(f"There is no country {names}.", field="eligible_countries")
    found = await session.scalars(sa.select(Firm.reference).where(Firm.reference.in_(wanted.firms)))
    if missing := set(wanted.firms) - set(found):
        names = ", ".join(sorted(missing))
        raise InvalidRequest(f"There is no firm {names}.", field="eligible_firms")


def check_price(points: int, cost_micros: int) -> None:
    """InvalidRequest for a price that no offer can have."""
    if not 0 < points <= MAX_POINTS:
        raise InvalidRequest(f"An offer costs 1 to {MAX_POINTS:,} points.", field="points")
    if not 0 <= cost_micros <= MAX_MICROS:
        raise InvalidRequest("The cost is not below zero, nor beyond all measure.", field="cost")


async def _check_free(session: AsyncSession, member_id: UUID, draft: OfferDraft) -> None:
    """OfferTaken where reference or sku is another's: codes and stock go by plugin and sku."""
    taken = sa.select(Offer.id).where(Offer.reference == draft.reference)
    if await session.scalar(taken):
        raise OfferTaken(f"There is an offer {draft.reference!r} already.", field="reference")
    others = sa.select(Offer.id).where(
        Offer.plugin == draft.plugin, Offer.sku == draft.sku, Offer.acceptor_id != member_id
    )
    if await session.scalar(others.limit(1)):
        raise OfferTaken(f"The sku {draft.sku!r} is another member's.", field="sku")


async def check_covered(
    session: AsyncSession, points: int, cost_micros: int, currency: str
) -> None:
    """PriceNotCovered where the operator would have to pay a part of what the reward costs.

    The points of the cheapest contract count, for nobody chooses whose points are burnt. Only the
    operator may decide to pay for a reward itself.
    """
    cheapest = await session.scalar(
        sa.select(sa.func.min(Contract.price_micros)).where(
            Contract.role != ContractRole.ACCEPTOR,
            Contract.currency == currency,
            Contract.valid_from <= NOW,
        )
    )
    if cheapest is None:
        raise PriceNotCovered(f"No points settle in {currency}.", field="currency")
    if (brought := points * cheapest) < cost_micros:
        least = decimal_from_micros(brought)
        raise PriceNotCovered(
            f"{points:,} points may bring no more than {least} {currency}; the cost is"
            f" {decimal_from_micros(cost_micros)}. Ask for more points, or the operator.",
            field="cost",
            brought_micros=brought,
        )


async def amend_offer(
    session: AsyncSession,
    principal: Principal,
    offer_id: UUID,
    changes: OfferChanges,
    *,
    version: int | None = None,
) -> Offer:
    """Change what may change; nothing happens where it is just so already.

    Raises NotFound, OfferRetired, OfferChanged where the offer is no longer at `version`,
    InvalidRequest for what no offer can be.
    """
    offer = await managed_offer(session, principal, offer_id, lock=True)
    if version is not None and offer.version != version:
        raise OfferChanged("Look at what changed, then send yours again.", version=offer.version)
    changed = apply_changes(offer, changes)
    if not changed:
        return offer
    if offer.status is OfferStatus.RETIRED:
        raise OfferRetired
    await _check_terms(session, offer)
    await note_changes(session, offer, changed, principal.actor)
    return offer


def apply_changes(offer: Offer, changes: OfferChanges) -> dict[str, tuple[Any, Any]]:
    """Set the attributes that differ; what each was before and is now."""
    changed: dict[str, tuple[Any, Any]] = {}
    for name in OfferChanges.__struct_fields__:
        wanted = getattr(changes, name)
        if wanted is UNSET:
            continue
        wanted = as_json(wanted) if name == "eligibility" else wanted
        before = getattr(offer, name)
        if before != wanted:
            setattr(offer, name, wanted)
            changed[name] = (before, wanted)
    return changed


async def note_changes(
    session: AsyncSession, offer: Offer, changed: dict[str, tuple[Any, Any]], actor: str
) -> None:
    """Count the change and write down what was before."""
    offer.version += 1
    await session.flush()
    details = msgspec.to_builtins(changed, enc_hook=_plain)
    await audit(session, actor, "offer.amended", "offer", offer.id, changes=details)


def _plain(value: Any) -> Any:
    """Values of cells of a file are of kinds of their own."""
    if isinstance(value, datetime):
        return value.isoformat()
    return int(value) if isinstance(value, int) else str(value)


async def set_status(session: AsyncSession, offer: Offer, status: OfferStatus, actor: str) -> None:
    """Put a locked offer on sale, pause, retire or only announce it; OfferRetired once it was.

    Who holds points on it keeps them held: burns that were made are delivered all the same.
    """
    if offer.status is status:
        return
    if offer.status is OfferStatus.RETIRED:
        raise OfferRetired(f"{offer.reference} is retired; make another offer instead.")
    before, offer.status = offer.status, status
    offer.version += 1
    await session.flush()
    details = {"status": status.value, "before": before.value}
    await audit(session, actor, "offer.status", "offer", offer.id, **details)


def as_json(eligibility: Eligibility) -> dict[str, Any]:
    """Eligibility as its column holds it."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(eligibility))
    return found
