"""What counts against caps though its window is settled, because nobody has paid it.

Lines that a settlement leaves out count until one that takes them in is settled. Payments of a
settled settlement that came back count until they are paid again. What others pay for a member in a
default counts until it has paid them. A payment counts up to what its settlement settled of the
member's burns, and of earlier defaults: what else it pays for never counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.exposure import Carried
from marketplace.coalition.models import CarriedExposure, Contract
from marketplace.ledger.domain import ObligationKind
from marketplace.ledger.models import MemberDebt, Obligation
from marketplace.ledger.totals import totals
from settlement.clearing import repository
from settlement.clearing.domain import LegStatus, SettlementKind, SettlementStatus
from settlement.clearing.models import CoveredWindow, Settlement, SettlementLeg
from settlement.clearing.rounding import unit_micros
from settlement.disputes.domain import NO_WALLET, LineAction, LineId
from settlement.disputes.models import DisputedLineSettled

COUNTED: Final = (ObligationKind.CAPTURE, ObligationKind.REFUND)
"""Obligations that count against an issuer's cap."""
PLUGIN: Final = "settlement"
"""Who books what a debtor owes those who covered for it."""
OF_DEFAULT: Final = "default:"
"""References of these debts begin so; then the reference of their settlement follows."""
PAID: Final = (LegStatus.BOOKED, LegStatus.RETURNED)
"""Of a leg that paid another again; where its money came back it counts by itself."""
DEBTS_LOCK: Final = 7_219_004_534
"""Advisory lock of whoever says whether debts of defaults are carried: the settlement that lacked
the payment and the one that pays the debts each look at what the other did."""


async def at_settling(session: AsyncSession, settlement_id: UUID) -> list[Carried]:
    """What begins or ceases to be carried because a settlement is settled now."""
    return [
        *await _lines(session, settlement_id),
        *await _debts_paid(session, settlement_id),
        *await of_payments(session, settlement_id),
    ]


async def of_payments(session: AsyncSession, settlement_id: UUID) -> list[Carried]:
    """What is still to be carried, or carried no more, of debits of a settlement that is settled:
    some came back, were paid again, or are covered by others."""
    legs = await repository.legs(session, settlement_id)
    debits = {leg.id: leg for leg in legs if leg.net_micros < 0}
    covering = await _covering(session, debits)
    returned = [leg for leg in debits.values() if leg.status is LegStatus.RETURNED]
    if not returned and not covering:
        return []
    stake = await _at_stake(session, settlement_id)
    defaults = [each for each in covering.values() if each.recover]
    return [
        *await _come_back(session, returned, debits, covering, stake),
        *await _debts_owed(session, defaults, stake),
    ]


async def _lines(session: AsyncSession, settlement_id: UUID) -> list[Carried]:
    """Disputed lines: those left out, and below zero those of other windows that are taken in.

    A line may be taken in by a settlement that is done before the one that left it out: it is below
    zero for a while, and both come to nothing.
    """
    same = sa.and_(
        Obligation.wallet_id == DisputedLineSettled.wallet_id,
        Obligation.id == DisputedLineSettled.line_id,
    )
    rows = await session.execute(
        sa.select(DisputedLineSettled.action, Obligation)
        .join(Obligation, same)
        .where(DisputedLineSettled.settlement_id == settlement_id, Obligation.kind.in_(COUNTED))
        .order_by(Obligation.id, Obligation.wallet_id)
    )
    return [
        Carried(
            origin=str(LineId(row.wallet_id, row.id)),
            cause_id=settlement_id,
            member_id=row.issuer_id,
            currency=row.currency,
            micros=row.funded_micros if action is LineAction.FROZEN else -row.funded_micros,
        )
        for action, row in rows
        if row.funded_micros
    ]


async def _come_back(
    session: AsyncSession,
    returned: Sequence[SettlementLeg],
    debits: Mapping[UUID, SettlementLeg],
    covering: Mapping[UUID, Settlement],
    stake: Mapping[tuple[UUID, str], int],
) -> list[Carried]:
    """Payments that came back: each counts until it is paid again, or covered."""
    carried = await _outstanding(session, [_of_leg(leg) for leg in returned])
    again = {leg.replaces_id: leg for leg in debits.values()}
    found = []
    for leg in returned:
        cause, wanted = leg.id, min(_amount(leg), stake.get((leg.member_id, leg.currency), 0))
        for each in _chain(leg, again):
            if each is not leg and each.status in PAID:
                cause, wanted = each.id, 0
                break
            if each.id in covering:
                cause, wanted = covering[each.id].id, 0
        micros = max(wanted, 0) - carried[_of_leg(leg)]
        if micros:
            found.append(_carried(_of_leg(leg), cause, leg.member_id, leg.currency, micros))
    return found


def _chain(
    leg: SettlementLeg, again: Mapping[UUID | None, SettlementLeg]
) -> Iterator[SettlementLeg]:
    """A leg, and those that pay it again, one after the other."""
    following: SettlementLeg | None = leg
    while following is not None:
        yield following
        following = again.get(following.id)


def _amount(leg: SettlementLeg) -> int:
    return leg.amount_minor * unit_micros(leg.currency)


def _of_leg(leg: SettlementLeg) -> str:
    return f"leg:{leg.id}"


def _of_debt(debt: MemberDebt) -> str:
    return str(LineId(NO_WALLET, debt.id))


def _carried(origin: str, cause_id: UUID, member_id: UUID, currency: str, micros: int) -> Carried:
    return Carried(
        origin=origin, cause_id=cause_id, member_id=member_id, currency=currency, micros=micros
    )


async def _debts_owed(
    session: AsyncSession,
    defaults: Sequence[Settlement],
    stake: Mapping[tuple[UUID, str], int],
) -> list[Carried]:
    """What debtors owe those who covered for them, once each, unless it is paid already."""
    if defaults:
        await _alone_with_debts(session)
    found = []
    for settlement in defaults:
        starts = MemberDebt.reference.startswith(
            f"{OF_DEFAULT}{settlement.reference}:", autoescape=True
        )
        debts = await _debts(session, starts)
        known = await _known(session, [_of_debt(each) for each in debts])
        paid = await _paid(session, [each.id for each in debts])
        left = {(each.debtor_id, each.currency): 0 for each in debts} | dict(stake)
        for debt in debts:
            key = (debt.debtor_id, debt.currency)
            micros = max(min(debt.amount_micros, left[key]), 0)
            left[key] -= micros
            if micros and debt.id not in paid and _of_debt(debt) not in known:
                found.append(_carried(_of_debt(debt), settlement.id, *key, micros))
    return found


async def _debts_paid(session: AsyncSession, settlement_id: UUID) -> list[Carried]:
    """Debts of defaults that this settlement settles."""
    debts = {_of_debt(each): each for each in await _debts_of(session, settlement_id)}
    if debts:
        await _alone_with_debts(session)
    carried = await _outstanding(session, list(debts))
    return [
        _carried(origin, settlement_id, debt.debtor_id, debt.currency, -carried[origin])
        for origin, debt in debts.items()
        if carried[origin]
    ]


async def _alone_with_debts(session: AsyncSession) -> None:
    """Of two settlements that are settled at once the second waits here, and then sees what the
    first has done. Before exposure rows are locked."""
    lock = sa.func.pg_advisory_xact_lock(sa.cast(DEBTS_LOCK, sa.BigInteger))
    await session.execute(sa.select(lock))


async def _debts_of(session: AsyncSession, settlement_id: UUID) -> Sequence[MemberDebt]:
    """Debts of defaults among what a settlement settles."""

    def disputed(action: LineAction) -> sa.Select[int]:
        return sa.select(DisputedLineSettled.line_id).where(
            DisputedLineSettled.settlement_id == settlement_id,
            DisputedLineSettled.wallet_id == NO_WALLET,
            DisputedLineSettled.action == action,
        )

    windows = sa.select(CoveredWindow.window_id).where(CoveredWindow.settlement_id == settlement_id)
    of_its_windows = sa.and_(
        MemberDebt.window_id.in_(windows), MemberDebt.id.not_in(disputed(LineAction.FROZEN))
    )
    held = sa.or_(of_its_windows, MemberDebt.id.in_(disputed(LineAction.RELEASED)))
    return await _debts(
        session, sa.and_(MemberDebt.reference.startswith(OF_DEFAULT, autoescape=True), held)
    )


async def _debts(session: AsyncSession, where: sa.ColumnElement[bool]) -> Sequence[MemberDebt]:
    query = sa.select(MemberDebt).where(MemberDebt.plugin == PLUGIN, where)
    return (await session.scalars(query.order_by(MemberDebt.id))).all()


async def _paid(session: AsyncSession, debt_ids: Collection[int]) -> set[int]:
    """Which of these debts are in a settlement that is settled."""
    settled = Settlement.status == SettlementStatus.SETTLED
    windows = (
        sa.select(MemberDebt.id, sa.literal(1).label("times"))
        .join(CoveredWindow, CoveredWindow.window_id == MemberDebt.window_id)
        .join(Settlement, Settlement.id == CoveredWindow.settlement_id)
        .where(MemberDebt.id.in_(debt_ids), settled)
    )
    times = sa.case((DisputedLineSettled.action == LineAction.RELEASED, 1), else_=-1)
    disputed = (
        sa.select(DisputedLineSettled.line_id, times)
        .join(Settlement, Settlement.id == DisputedLineSettled.settlement_id)
        .where(
            DisputedLineSettled.wallet_id == NO_WALLET,
            DisputedLineSettled.line_id.in_(debt_ids),
            settled,
        )
    )
    both = windows.union_all(disputed).subquery()
    held = sa.select(both.c.id).group_by(both.c.id).having(sa.func.sum(both.c.times) > 0)
    return set(await session.scalars(held))


async def _at_stake(session: AsyncSession, settlement_id: UUID) -> Counter[tuple[UUID, str]]:
    """What a settlement settles of burns of each issuer's points, and of what earlier defaults
    made members owe in a currency that they have a contract in."""
    stake: Counter[tuple[UUID, str]] = Counter()
    for total in await totals(session, await repository.windows_of(session, settlement_id)):
        if total.kind in COUNTED:
            stake[total.issuer_id, total.currency] += total.funded_micros
    for line in await _lines(session, settlement_id):
        stake[line.member_id, line.currency] -= line.micros
    debts = await _debts_of(session, settlement_id)
    debtors = {debt.debtor_id for debt in debts}
    terms = await session.execute(
        sa.select(Contract.member_id, Contract.currency).where(Contract.member_id.in_(debtors))
    )
    own = {(row.member_id, row.currency) for row in terms}
    for debt in debts:
        if (debt.debtor_id, debt.currency) in own:
            stake[debt.debtor_id, debt.currency] += debt.amount_micros
    return stake


async def _covering(session: AsyncSession, leg_ids: Collection[UUID]) -> dict[UUID, Settlement]:
    """By leg, the approved exceptional settlement in which others cover it."""
    rows = await session.execute(
        sa.select(SettlementLeg.replaces_id, Settlement)
        .join(Settlement, Settlement.id == SettlementLeg.settlement_id)
        .where(
            SettlementLeg.replaces_id.in_(leg_ids),
            Settlement.kind == SettlementKind.EXCEPTIONAL,
            Settlement.status.in_(repository.VOUCHED),
        )
        .order_by(Settlement.id)
    )
    return {leg_id: settlement for leg_id, settlement in rows if leg_id is not None}


async def _known(session: AsyncSession, origins: Collection[str]) -> set[str]:
    """Which of these have been carried ever."""
    query = sa.select(CarriedExposure.origin).where(CarriedExposure.origin.in_(origins))
    return set(await session.scalars(query))


async def _outstanding(session: AsyncSession, origins: Collection[str]) -> Counter[str]:
    """What is carried of each of these."""
    rows = await session.execute(
        sa.select(CarriedExposure.origin, sa.func.sum(CarriedExposure.micros))
        .where(CarriedExposure.origin.in_(origins))
        .group_by(CarriedExposure.origin)
    )
    return Counter({row[0]: int(row[1]) for row in rows})
