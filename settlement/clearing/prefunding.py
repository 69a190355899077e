"""Money that members pay ahead: it covers their legs first, and lets them owe more."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import now
from marketplace.coalition.exposure import hold_openings
from marketplace.contract.rails import Direction
from marketplace.errors import InvalidRequest
from marketplace.identity.audit import audit
from settlement.clearing import books, caps, legs, repository, settling
from settlement.clearing.domain import AccountKind, LegStatus, PostingCode
from settlement.clearing.errors import PrefundTooSmall
from settlement.clearing.models import SettlementLeg
from settlement.clearing.rounding import unit_micros


async def prefund(
    session: AsyncSession,
    member_id: UUID,
    currency: str,
    amount_micros: int,
    *,
    entry_id: UUID | None = None,
    bank_account_id: UUID | None = None,
    from_suspense: bool = False,
    actor: str,
    note: str = "",
) -> None:
    """Book money that a member paid ahead, or, below zero, that it was paid back.

    The other side is the bank account, or the suspense account where the entry was put until
    somebody said what it is. PrefundTooSmall where more is paid back than there is.
    """
    if amount_micros == 0:
        raise InvalidRequest("Nothing was paid.")
    if (bank_account_id is None) != from_suspense:
        raise InvalidRequest("Name the bank account that the money is on, or say it is suspended.")
    await caps.lock(session, [member_id])
    held = await prefunded(session, member_id, currency)
    if held + amount_micros < 0:
        raise PrefundTooSmall("It has paid less ahead than is to be paid back.")
    other: books.Account
    if bank_account_id is not None:
        other = (AccountKind.BANK, bank_account_id)
    else:
        other = (AccountKind.SUSPENSE, await repository.operator_id(session))
    posting = books.PostingRow(
        code=PostingCode.PREFUND,
        debit=other,
        credit=(AccountKind.PREFUND, member_id),
        currency=currency,
        amount_micros=amount_micros,
        entry_id=entry_id,
    )
    await books.post(session, [posting])
    await caps.follow_prefund(session, [member_id])
    await audit(
        session,
        actor,
        "settlement.prefunded",
        "member",
        member_id,
        currency=currency,
        amount_micros=amount_micros,
        note=note,
    )


async def prefunded(session: AsyncSession, member_id: UUID, currency: str) -> int:
    """Micros that a member has paid ahead."""
    return await books.balance(session, AccountKind.PREFUND, member_id, currency)


async def use(session: AsyncSession, planned: Sequence[SettlementLeg], *, actor: str) -> None:
    """Book every planned leg of a debtor that its money paid ahead covers whole.

    A leg is never split, for one leg is one payment: less than the whole is left for the next.
    """
    owing = [
        leg
        for leg in planned
        if leg.status is LegStatus.PLANNED
        and leg.direction is Direction.COLLECT
        and leg.counterparty_id is None
    ]
    members = sorted({leg.member_id for leg in owing}, key=str)
    await caps.lock(session, members)
    today = (await now(session)).date()
    used: list[UUID] = []
    for leg in owing:
        amount = leg.amount_minor * unit_micros(leg.currency)
        if await prefunded(session, leg.member_id, leg.currency) < amount:
            continue
        leg.rail = leg.account = None
        await session.flush()
        await legs.move(
            session, leg, LegStatus.BOOKED, actor=actor, note="paid ahead", booked_on=today
        )
        ahead = (AccountKind.PREFUND, leg.member_id)
        posting = books.of_leg(PostingCode.PREFUND, leg, ahead, books.due(leg))
        await books.post(session, [posting])
        used.append(leg.member_id)
    if used:
        await hold_openings(session)
        await settling.progress(session, owing[0].settlement_id, actor=actor, also=used)
        await caps.follow_prefund(session, used)
