"""Why this figure: from a line to its burn, lot, issuance, contract, window, leg, bank entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.models import Contract, Member
from marketplace.errors import NotFound
from marketplace.exchange.models import Burn, Offer
from marketplace.fulfilment.models import SupplierConfirmation
from marketplace.ledger.models import Lot
from settlement.clearing.models import Settlement, SettlementLeg
from settlement.disputes.domain import LineId, line_id
from settlement.disputes.repository import adjusting
from settlement.statements import frozen, repository, shared
from settlement.statements.domain import (
    Indebted,
    Line,
    LineKind,
    Obligated,
    Reader,
    seen_debt,
)

NOTHING: Final = "There is no such line or burn, or it is not yours to see."
UNDISPUTED: Final = frozen.Fate()


class BurnTraced(msgspec.Struct, frozen=True, kw_only=True):
    """The burn that a line comes from."""

    id: UUID
    status: str
    offer: str
    """Reference of the offer."""
    points: int
    refunded_points: int
    effective_at: datetime
    supplier_reference: str | None


class LotTraced(msgspec.Struct, frozen=True, kw_only=True):
    """The lot whose points were drawn."""

    id: str
    issuer: str
    issuance: str
    """The issuer's reference of the issuance."""
    contract: str
    points: int
    effective_at: datetime


class LegTraced(msgspec.Struct, frozen=True, kw_only=True):
    """A leg that settles the line, with others."""

    reference: str
    member: str
    counterparty: str | None
    direction: str
    currency: str
    amount_minor: int
    status: str
    rail: str | None
    rail_reference: str
    booked_on: date | None
    replaces: str | None
    """Reference of the leg that this one pays again."""
    bank_entries: list[UUID]
    """What bank statements show of it: the money, and its return."""


class SettlementTraced(msgspec.Struct, frozen=True, kw_only=True):
    """The settlement that a line is in: of its window, or a later one that took it in."""

    reference: str
    status: str
    due_on: date
    legs: list[LegTraced]
    """Of the members on the line."""


class LineTraced(msgspec.Struct, frozen=True, kw_only=True):
    """One line with what it comes from and what it went into."""

    line: str
    kind: LineKind
    at: datetime
    currency: str
    points: int
    refunded_points: int
    """Of a capture: those of `points` that were refunded since."""
    own_points: int
    """Of `points`: those that this line brings, in proportion to its cost where the issuer and its
    pool each pay a part of every point; over the lines of a burn they add up to its points."""
    own_refunded_points: int
    """Of a capture: those of `own_points` that were refunded since."""
    funded_micros: int | None
    """What leaves the issuer or its pool; None: not the caller's to see, or a debt."""
    cost_micros: int | None
    """What goes to the acceptor; None: not the caller's to see, or a debt."""
    amount_micros: int | None
    """Of a debt."""
    payer: str
    payee: str | None
    burn: BurnTraced | None
    lot: LotTraced | None
    """None: not the caller's to see, or a debt."""
    contract: str | None
    acceptor_contract: str | None
    reference: str | None
    undoes: str | None
    """Of a debt: the reference of the one it undoes; of an adjustment: the line."""
    reason: str | None
    window: UUID
    window_status: str
    settlement: SettlementTraced | None
    disputed: bool = False
    """Under dispute now: settlements leave it out."""
    left_out_of: str | None = None
    """Reference of the settlement of its window, which was made without it because of a dispute;
    `settlement` is the later one that took it in, once there is one."""


class Trace(msgspec.Struct, frozen=True):
    """All lines of a burn, with what undid them after disputes, or the one that was asked for."""

    lines: list[LineTraced]


class _Seer(msgspec.Struct, frozen=True):
    """Who looks: a member, which sees its own side, or (None) somebody who sees all."""

    reader: Reader | None

    def of(self, slug: str | None) -> bool:
        return self.reader is None or self.reader.is_operator or self.reader.slug == slug


async def trace(session: AsyncSession, line: str, *, member_id: UUID | None = None) -> Trace:
    """The chain of a line (`<wallet>:<id>`, `debt:<id>`) or of every line of a burn (its id).

    With `member_id` as that member may see it. NotFound where there is nothing.
    """
    seer = _Seer(None)
    if member_id is not None:
        member = await session.get_one(Member, member_id)
        seer = _Seer(Reader(member.id, member.slug, member.is_operator))
    found: Sequence[Obligated] = []
    burn, place, debt_id = _asked(line)
    asked = [] if debt_id is None else [debt_id]
    if debt_id is None:
        found = await repository.find_obligations(session, burn_id=burn, line=place)
        found = [each for each in found if seer.of(each.issuer) or seer.of(each.acceptor)]
    origins = await adjusting(session, [_line_of(each) for each in found if burn], asked)
    debts = [
        each
        for each in await repository.debts_at(session, sorted({*asked, *origins}))
        if seer.of(each.debtor) or seer.of(each.creditor)
    ]
    lines = [*map(_line_of, found), *map(_line_of, debts)]
    fates = await frozen.fates(session, lines)
    burns = {each.burn_id for each in found} - {None}
    points = [await repository.find_obligations(session, burn_id=each) for each in burns]
    own = shared.points_of([line for each in points for line in each])
    traced = [
        await _obligation(session, each, seer, fates.get(_line_of(each), UNDISPUTED), own)
        for each in found
    ]
    for each in debts:
        told = await _debt(session, each, seer, fates.get(_line_of(each), UNDISPUTED))
        undone = origins.get(each.id)
        traced.append(msgspec.structs.replace(told, undoes=str(undone)) if undone else told)
    if not traced:
        raise NotFound(NOTHING)
    return Trace(traced)


def _line_of(found: Obligated | Indebted) -> LineId:
    if isinstance(found, Indebted):
        return line_id(f"debt:{found.id}")
    return LineId(found.wallet_id, found.id)


def _asked(line: str) -> tuple[UUID | None, tuple[UUID, int] | None, int | None]:
    """(burn, (wallet, id), debt): one of them."""
    first, colon, last = line.partition(":")
    try:
        number = int(last) if colon else 0
        if not 0 <= number < 2**63:
            raise ValueError(line)
        if first == "debt":
            return None, None, number
        return (None, (UUID(first), number), None) if colon else (UUID(first), None, None)
    except ValueError:
        raise NotFound(NOTHING) from None


async def _obligation(
    session: AsyncSession,
    found: Obligated,
    seer: _Seer,
    fate: frozen.Fate,
    shares: Mapping[LineId, shared.Points],
) -> LineTraced:
    points = shares.get(_line_of(found), shared.Points(own=found.points))
    sees_issuer, sees_acceptor = seer.of(found.issuer), seer.of(found.acceptor)
    names = [found.issuer, *([found.acceptor] if found.acceptor else [])]
    status, settlement = await _settled(session, found.window_id, names, seer, fate)
    return LineTraced(
        line=f"{found.wallet_id}:{found.id}",
        kind=LineKind(found.kind.value),
        at=found.at,
        currency=found.currency,
        points=found.points,
        refunded_points=points.refunded,
        own_points=points.own,
        own_refunded_points=points.own_refunded,
        funded_micros=found.funded_micros if sees_issuer else None,
        cost_micros=found.cost_micros if sees_acceptor else None,
        amount_micros=None,
        payer=found.issuer,
        payee=found.acceptor,
        burn=await _burn(session, found) if found.burn_id else None,
        lot=await _lot(session, found) if sees_issuer else None,
        contract=found.contract if sees_issuer else None,
        acceptor_contract=found.acceptor_contract if sees_acceptor else None,
        reference=None,
        undoes=None,
        reason=None,
        window=found.window_id,
        window_status=status,
        settlement=settlement,
        disputed=fate.disputed,
        left_out_of=fate.left_out_of.reference if fate.left_out_of else None,
    )


async def _debt(
    session: AsyncSession, found: Indebted, seer: _Seer, fate: frozen.Fate
) -> LineTraced:
    names = [found.debtor, found.creditor]
    status, settlement = await _settled(session, found.window_id, names, seer, fate)
    line: Line = seen_debt(found, Reader(UUID(int=0), found.debtor, False))
    return LineTraced(
        line=line.line,
        kind=line.kind,
        at=found.at,
        currency=found.currency,
        points=0,
        refunded_points=0,
        own_points=0,
        own_refunded_points=0,
        funded_micros=None,
        cost_micros=None,
        amount_micros=found.amount_micros,
        payer=found.debtor,
        payee=found.creditor,
        burn=None,
        lot=None,
        contract=None,
        acceptor_contract=None,
        reference=found.reference,
        undoes=found.undoes,
        reason=found.reason,
        window=found.window_id,
        window_status=status,
        settlement=settlement,
        disputed=fate.disputed,
        left_out_of=fate.left_out_of.reference if fate.left_out_of else None,
    )


async def _burn(session: AsyncSession, found: Obligated) -> BurnTraced | None:
    confirmed = sa.and_(
        SupplierConfirmation.burn_id == Burn.id, SupplierConfirmation.wallet_id == Burn.wallet_id
    )
    query = (
        sa.select(Burn, Offer.reference, SupplierConfirmation.supplier_reference)
        .join(Offer, Offer.id == Burn.offer_id)
        .outerjoin(SupplierConfirmation, confirmed)
        .where(Burn.id == found.burn_id, Burn.wallet_id == found.wallet_id)
    )
    row = (await session.execute(query)).first()
    if row is None:
        return None
    burn, offer, supplier_reference = row
    return BurnTraced(
        id=burn.id,
        status=burn.status.value,
        offer=offer,
        points=burn.points,
        refunded_points=burn.refunded_points,
        effective_at=burn.effective_at,
        supplier_reference=supplier_reference,
    )


async def _lot(session: AsyncSession, found: Obligated) -> LotTraced | None:
    query = (
        sa.select(Lot, Member.slug, Contract.reference, Contract.version)
        .join(Member, Member.id == Lot.issuer_id)
        .join(Contract, Contract.id == Lot.contract_id)
        .where(Lot.wallet_id == found.wallet_id, Lot.id == found.lot_id)
    )
    row = (await session.execute(query)).first()
    if row is None:
        return None
    lot, issuer, contract, version = row
    return LotTraced(
        id=str(lot.id),
        issuer=issuer,
        issuance=lot.reference,
        contract=f"{contract}:{version}",
        points=lot.points,
        effective_at=lot.effective_at,
    )


async def _settled(
    session: AsyncSession, window_id: UUID, names: Sequence[str], seer: _Seer, fate: frozen.Fate
) -> tuple[str, SettlementTraced | None]:
    """Status of the window, and the line's settlement with the legs of these members that may be
    seen."""
    (window,) = await repository.find_windows(session, [window_id])
    settlement = await _settlement_of(session, window_id, fate)
    if settlement is None:
        return window.status.value, None
    slugs = await repository.slugs(session)
    legs: dict[UUID, SettlementLeg] = {}
    for member_id in [key for key, slug in slugs.items() if slug in names and seer.of(slug)]:
        found = await repository.legs(session, settlement.id, member_id)
        legs |= {leg.id: leg for leg in found}
    entries = await repository.entries_of(session, list(legs))
    return window.status.value, SettlementTraced(
        reference=settlement.reference,
        status=settlement.status.value,
        due_on=settlement.due_on,
        legs=[_leg(leg, slugs, legs, entries.get(leg.id, [])) for leg in legs.values()],
    )


async def _settlement_of(
    session: AsyncSession, window_id: UUID, fate: frozen.Fate
) -> Settlement | None:
    """Its window's, unless that was made without it: then the one that took it in, or none yet."""
    if fate.taken_in_by is not None or fate.left_out_of is not None:
        return fate.taken_in_by
    settlements = await repository.settlements_of(session, window_id)
    return settlements[0] if settlements else None


def _leg(
    leg: SettlementLeg,
    slugs: dict[UUID, str],
    legs: dict[UUID, SettlementLeg],
    entries: list[UUID],
) -> LegTraced:
    before = legs.get(leg.replaces_id) if leg.replaces_id else None
    return LegTraced(
        reference=leg.reference,
        member=slugs[leg.member_id],
        counterparty=slugs[leg.counterparty_id] if leg.counterparty_id else None,
        direction=leg.direction.value,
        currency=leg.currency,
        amount_minor=leg.amount_minor,
        status=leg.status.value,
        rail=leg.rail,
        rail_reference=leg.rail_reference,
        booked_on=leg.booked_on,
        replaces=before.reference if before else None,
        bank_entries=entries,
    )
