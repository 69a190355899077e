"""Stores a new settlement: its flows, positions and legs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.ids import uuid7
from marketplace.ledger.totals import Total, totals
from settlement import history
from settlement.clearing import netting, repository
from settlement.clearing.domain import LegStatus, Mode, SettlementKind, SettlementStatus
from settlement.clearing.models import SettledFlow, SettledPosition, Settlement, SettlementLeg
from settlement.clearing.netting import Flow, PlannedLeg, Position


async def store(
    session: AsyncSession,
    *,
    reference: str,
    kind: SettlementKind,
    mode: Mode,
    due_on: date,
    actor: str,
    note: str,
    origin_id: UUID | None = None,
    recover: bool = False,
) -> Settlement:
    """A pending settlement with nothing in it yet."""
    made = Settlement(
        id=uuid7(),
        reference=reference,
        kind=kind,
        mode=mode,
        status=SettlementStatus.PENDING,
        origin_id=origin_id,
        due_on=due_on,
        made_at=NOW,
        made_by=actor,
        recorded_by=None,
        approved_by=None,
        recover=recover,
    )
    session.add(made)
    await session.flush()
    await session.refresh(made)
    change = history.Change(
        subject=history.Subject.SETTLEMENT,
        id=made.id,
        before=None,
        after=SettlementStatus.PENDING,
        actor=actor,
        note=note,
    )
    await history.record(session, change)
    return made


class Netted(msgspec.Struct, frozen=True):
    """What netting windows comes to."""

    flows: Sequence[Flow]
    positions: Sequence[Position]


async def netted(
    session: AsyncSession,
    window_ids: Sequence[UUID],
    *,
    held: Sequence[Total] = (),
    member_id: UUID | None = None,
) -> Netted:
    """Windows netted by what their totals count now, without `held`; nothing is written.

    With `member_id` only what this member pays or is paid: of the positions its own alone is right.
    """
    found = [
        each
        for each in await totals(session, window_ids)
        if member_id in (None, each.issuer_id, each.acceptor_id)
    ]
    everything = [*found, *held]
    contracts = {each.contract_id for each in everything}
    contracts |= {each.acceptor_contract_id for each in everything}
    operator_id = await repository.operator_id(session)
    fee_bps = await repository.fee_bps(session, [each for each in contracts if each is not None])
    flows = netting.flows(found, fee_bps, operator_id, frozen=held)
    return Netted(flows, netting.positions(flows, everything, operator_id))


async def store_netted(
    session: AsyncSession,
    settlement: Settlement,
    found: Netted,
    legs: Sequence[PlannedLeg],
    actor: str,
    *,
    replaces: dict[UUID, UUID] | None = None,
) -> None:
    """What netting came to. `replaces`: by member, the leg of an earlier settlement that its leg
    stands for."""
    # Rows apart from the statement: one of thousands of rows takes longer to write than to run.
    if found.flows:
        rows = [_flow(settlement.id, each) for each in found.flows]
        await session.execute(sa.insert(SettledFlow), rows)
    if found.positions:
        rows = [_position(settlement.id, each) for each in found.positions]
        await session.execute(sa.insert(SettledPosition), rows)
    names = await repository.names(session, {each.member_id for each in legs})
    numbers: dict[str, int] = {}
    ordered = sorted(legs, key=lambda leg: (leg.currency, names[leg.member_id].slug))
    for leg in ordered:
        number = numbers[leg.currency] = numbers.get(leg.currency, 0) + 1
        reference = f"{settlement.reference}-{leg.currency}-{number:04d}"
        await _store_leg(session, settlement, leg, reference, (replaces or {}).get(leg.member_id))
    await session.flush()
    for row in await repository.legs(session, settlement.id):
        change = history.Change(
            subject=history.Subject.LEG, id=row.id, before=None, after=row.status, actor=actor
        )
        await history.record(session, change)


def _flow(settlement_id: UUID, flow: Flow) -> dict[str, object]:
    return {
        "settlement_id": settlement_id,
        "currency": flow.currency,
        "payer": flow.payer.kind,
        "payer_id": flow.payer.member_id,
        "payee": flow.payee.kind,
        "payee_id": flow.payee.member_id,
        "what": flow.what,
        "amount_micros": flow.amount_micros,
    }


def _position(settlement_id: UUID, position: Position) -> dict[str, object]:
    return {
        "settlement_id": settlement_id,
        "currency": position.currency,
        "party": position.party.kind,
        "member_id": position.party.member_id,
        "debit_micros": position.debit_micros,
        "credit_micros": position.credit_micros,
        "fee_micros": position.fee_micros,
        "net_micros": position.net_micros,
    }


async def _store_leg(
    session: AsyncSession,
    settlement: Settlement,
    leg: PlannedLeg,
    reference: str,
    replaces_id: UUID | None,
) -> None:
    """A leg of nothing is booked from the start."""
    nothing = leg.amount.amount_minor == 0
    session.add(
        SettlementLeg(
            id=uuid7(),
            settlement_id=settlement.id,
            reference=reference,
            member_id=leg.member_id,
            counterparty_id=leg.counterparty_id,
            currency=leg.currency,
            direction=leg.direction,
            net_micros=leg.net_micros,
            amount_minor=leg.amount.amount_minor,
            remainder_micros=leg.amount.remainder_micros,
            status=LegStatus.BOOKED if nothing else LegStatus.PLANNED,
            rail=None,
            account=None,
            rail_reference="",
            due_on=settlement.due_on,
            booked_on=None,
            replaces_id=replaces_id,
            reason="",
        )
    )
