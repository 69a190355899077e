"""Accounts that members pay from and are paid to: proposed by one person, approved by another."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.models import Member
from marketplace.contract.rails import Direction
from marketplace.errors import InvalidRequest, NotFound
from marketplace.ids import uuid7
from settlement import history
from settlement.clearing.domain import PayAccountStatus
from settlement.clearing.models import PayAccount
from settlement.clearing.rails import Rails, ask, rail_of
from settlement.errors import SamePerson, StatusChanged


async def check(rails: Rails, *, rail: str, currency: str, account: dict[str, Any]) -> None:
    """Ask the rail whether money could reach an account. Outside any transaction.

    RailMissing, or InvalidRequest with words for who typed it.
    """
    found = rail_of(rails, rail)
    if found.currencies and currency not in found.currencies:
        raise InvalidRequest(
            f"Rail {rail} moves {', '.join(sorted(found.currencies))}, not {currency}."
        )
    if Direction.PAY not in found.directions:
        raise InvalidRequest(f"Rail {rail} only collects: members must be paid with it too.")
    kind = getattr(found, "account", None)
    if kind is not None:
        try:
            msgspec.convert(account, kind)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"The account does not fit rail {rail}: {error}.") from None
    await ask(found.check_account, account)


async def propose(
    session: AsyncSession,
    *,
    member_id: UUID,
    currency: str,
    rail: str,
    account: dict[str, Any],
    actor: str,
) -> PayAccount:
    """Put an account forward that `check` found well; it is used once somebody else approves it."""
    if await session.get(Member, member_id) is None:
        raise NotFound(f"There is no member {member_id}.")
    made = PayAccount(
        id=uuid7(),
        member_id=member_id,
        currency=currency,
        rail=rail,
        account=account,
        status=PayAccountStatus.PROPOSED,
        made_by=actor,
        made_at=NOW,
        approved_by=None,
    )
    session.add(made)
    await session.flush()
    await session.refresh(made)
    change = history.Change(
        subject=history.Subject.ACCOUNT,
        id=made.id,
        before=None,
        after=PayAccountStatus.PROPOSED,
        actor=actor,
    )
    await history.record(session, change)
    return made


async def approve(
    session: AsyncSession, account_id: UUID, *, actor: str, note: str = ""
) -> PayAccount:
    """A second person approves; the account used so far is replaced. Legs that are with their rail
    keep the account they were submitted with."""
    row = await _get(session, account_id)
    if row.made_by == actor:
        raise SamePerson("You proposed this account: somebody else approves it.")
    if row.status is not PayAccountStatus.PROPOSED:
        raise StatusChanged(f"The account is {row.status}, not proposed. Look again.")
    before = await session.scalar(
        sa.select(PayAccount)
        .where(
            PayAccount.member_id == row.member_id,
            PayAccount.currency == row.currency,
            PayAccount.status == PayAccountStatus.ACTIVE,
        )
        .with_for_update()
    )
    if before is not None:
        await _move(session, before, PayAccountStatus.REPLACED, actor, f"by {row.id}")
    await _move(session, row, PayAccountStatus.ACTIVE, actor, note, approved_by=actor)
    return row


async def refuse(
    session: AsyncSession,
    account_id: UUID,
    *,
    actor: str,
    note: str = "",
    member_id: UUID | None = None,
) -> PayAccount:
    """A proposed account is not to be used; who proposed it may take it back too.

    With `member_id` it is this member's, or there is none (NotFound).
    """
    row = await _get(session, account_id)
    if member_id not in (None, row.member_id):
        raise NotFound(f"There is no account {account_id}.")
    await _move(session, row, PayAccountStatus.REFUSED, actor, note, PayAccountStatus.PROPOSED)
    return row


async def _get(session: AsyncSession, account_id: UUID) -> PayAccount:
    """The account; one change of a member's accounts at a time."""
    member_id = await session.scalar(
        sa.select(PayAccount.member_id).where(PayAccount.id == account_id)
    )
    if member_id is None:
        raise NotFound(f"There is no account {account_id}.")
    await session.execute(
        sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(str(member_id), 30)))
    )
    return await session.get_one(PayAccount, account_id, populate_existing=True)


async def _move(
    session: AsyncSession,
    row: PayAccount,
    after: PayAccountStatus,
    actor: str,
    note: str,
    before: PayAccountStatus | None = None,
    **values: Any,
) -> None:
    change = history.Change(
        subject=history.Subject.ACCOUNT,
        id=row.id,
        before=before or row.status,
        after=after,
        actor=actor,
        note=note,
    )
    await history.move(session, PayAccount, change, **values)
    await session.refresh(row)


async def all_accounts(session: AsyncSession, *, member_id: UUID | None = None) -> list[PayAccount]:
    """Accounts, newest first; of one member."""
    query = sa.select(PayAccount).order_by(PayAccount.made_at.desc(), PayAccount.id)
    if member_id is not None:
        query = query.where(PayAccount.member_id == member_id)
    return list(await session.scalars(query))
