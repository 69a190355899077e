"""A debtor that does not pay: others cover its due, in a settlement of its own.

The settlement it comes from is never edited. Its failed leg counts as done once the exceptional
settlement, whose leg of nothing stands for it, is approved.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import now
from marketplace.errors import Conflict
from marketplace.ledger.debts import Debt, owe
from settlement.clearing import drafting, netting, repository, settling
from settlement.clearing.carrying import OF_DEFAULT, PLUGIN
from settlement.clearing.domain import FlowKind, LegStatus, Mode, SettlementKind
from settlement.clearing.errors import NotUnpaid
from settlement.clearing.models import Settlement, SettlementLeg
from settlement.clearing.rounding import Rounded, unit_micros


class Cover(StrEnum):
    """Who pays in a debtor's stead."""

    OPERATOR = "operator"
    CREDITORS = "creditors"
    """Those that its settlement pays in this currency, by what they get."""


async def default(
    session: AsyncSession,
    leg_id: UUID,
    *,
    cover: Cover,
    actor: str,
    note: str,
    recover: bool = True,
) -> Settlement:
    """Open an exceptional settlement of what a debtor's rejected or returned leg did not pay.

    It is pending: two people vouch for it as for any. With `recover` the debtor owes those who paid
    from its approval on, in the window that is open then. NotUnpaid for any other leg.
    """
    leg = await repository.leg(session, leg_id, lock=True)
    if leg.status not in repository.FAILED or leg.net_micros >= 0 or leg.counterparty_id:
        raise NotUnpaid(f"Leg {leg.reference} is {leg.status} and {leg.direction}s.")
    taken = await session.scalar(
        sa.select(SettlementLeg.reference).where(SettlementLeg.replaces_id == leg.id)
    )
    if taken is not None:
        raise NotUnpaid(f"Leg {leg.reference} is settled by {taken} already.")
    origin = await repository.find(session, leg.settlement_id)
    operator_id = await repository.operator_id(session)
    shares = await _shares(session, leg, cover, operator_id)
    today = (await now(session)).date()
    made = await drafting.store(
        session,
        reference=await repository.next_reference(session, today.year),
        kind=SettlementKind.EXCEPTIONAL,
        mode=Mode.MULTILATERAL,
        due_on=max(today, origin.due_on),
        actor=actor,
        note=note,
        origin_id=origin.origin_id or origin.id,
        recover=recover,
    )
    debtor = netting.member(leg.member_id)
    flows = [
        netting.Flow(leg.currency, netting.member(payer), debtor, FlowKind.DEFAULT, micros)
        for payer, micros in sorted(shares.items(), key=lambda item: str(item[0]))
        if micros
    ]
    found = drafting.Netted(flows, netting.positions(flows, [], operator_id))
    legs = [_stand_in(leg)] + [
        netting.PlannedLeg(
            each.currency,
            each.payer.member_id,
            None,
            -each.amount_micros,
            Rounded(each.amount_micros // unit_micros(each.currency), 0),
        )
        for each in flows
    ]
    await drafting.store_netted(session, made, found, legs, actor, replaces={leg.member_id: leg.id})
    return made


def _stand_in(leg: SettlementLeg) -> netting.PlannedLeg:
    """The debtor's leg of nothing, which stands for the one it did not pay."""
    return netting.PlannedLeg(leg.currency, leg.member_id, None, 0, Rounded(0, 0))


async def _shares(
    session: AsyncSession, leg: SettlementLeg, cover: Cover, operator_id: UUID
) -> dict[UUID, int]:
    """Micros that each of those who cover pays: whole units of money, by the largest remainder."""
    unit = unit_micros(leg.currency)
    if cover is Cover.OPERATOR:
        if leg.member_id == operator_id:
            raise Conflict("The operator cannot cover its own default: let the creditors.")
        return {operator_id: leg.amount_minor * unit}
    weights: dict[UUID, int] = {}
    for each in await repository.legs(session, leg.settlement_id):
        counts = each.currency == leg.currency and each.replaces_id is None
        if counts and each.net_micros > 0 and each.member_id != leg.member_id:
            weights[each.member_id] = weights.get(each.member_id, 0) + each.amount_minor
    if not sum(weights.values()):
        raise Conflict("Nobody is paid by this settlement in this currency: the operator covers.")
    return {
        member_id: minor * unit for member_id, minor in apportion(leg.amount_minor, weights).items()
    }


def apportion(amount: int, weights: dict[UUID, int]) -> dict[UUID, int]:
    """An amount in whole parts by weight, by the largest remainder; equal ones by id."""
    whole = sum(weights.values())
    parts = {each: divmod(amount * weight, whole) for each, weight in weights.items()}
    found = {each: part for each, (part, _) in parts.items()}
    by_rest: Sequence[UUID] = sorted(parts, key=lambda each: (-parts[each][1], str(each)))
    for each in by_rest[: amount - sum(found.values())]:
        found[each] += 1
    return found


async def covered(session: AsyncSession, settlement: Settlement, *, actor: str) -> None:
    """An exceptional settlement was approved: its origin lacks the failed leg no more, and the
    debtor owes those who pay, where it was opened so."""
    if settlement.recover:
        for number, flow in enumerate(await repository.flows(session, settlement.id), start=1):
            debt = Debt(
                plugin=PLUGIN,
                reference=f"{OF_DEFAULT}{settlement.reference}:{number}",
                debtor_id=flow.payee.member_id,
                creditor_id=flow.payer.member_id,
                amount_micros=flow.amount_micros,
                currency=flow.currency,
                reason=f"Covered in {settlement.reference}",
            )
            await session.run_sync(owe, debt)
    for leg in await repository.legs(session, settlement.id):
        if leg.replaces_id is not None and leg.status is LegStatus.BOOKED:
            failed = await repository.leg(session, leg.replaces_id)
            await repository.find(session, failed.settlement_id, lock=True)
            await settling.progress(session, failed.settlement_id, actor=actor)
