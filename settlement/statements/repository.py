"""SQL of statements: lines from a server-side cursor, and what they are told with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.domain import Funding
from marketplace.coalition.models import Contract, Member
from marketplace.db import raw_connection
from marketplace.ids import uuid7
from marketplace.ledger import totals
from marketplace.ledger.domain import ObligationKind, WindowStatus
from marketplace.ledger.models import SettlementWindow
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import (
    CoveredWindow,
    Posting,
    SettledPosition,
    Settlement,
    SettlementLeg,
)
from settlement.statements.domain import ContractTerms, Indebted, Obligated, Reader
from settlement.statements.models import MemberStatement
from settlement.statements.records import Issue, Sealed

PREFETCH: Final = 5_000
"""Rows that are in memory at once."""

OBLIGATIONS: Final = """
select o.wallet_id, o.id, o.window_id, o.kind::text, o.funding::text, issuer.slug, acceptor.slug,
       c.reference || ':' || c.version, own.reference || ':' || own.version, o.burn_id, o.lot_id,
       l.reference, o.points,
       case o.funding when 'redemption' then l.price_micros - l.pooled_price_micros
            else l.pooled_price_micros end,
       o.currency, o.funded_micros, o.cost_micros, o.effective_at,
       c.funding = 'mixed' and o.funding = 'issuance' and o.kind in ('capture', 'refund')
from obligation o
join lot l on l.wallet_id = o.wallet_id and l.id = o.lot_id
join member issuer on issuer.id = o.issuer_id
left join member acceptor on acceptor.id = o.acceptor_id
join contract c on c.id = o.contract_id
left join contract own on own.id = o.acceptor_contract_id
where {where}
order by o.id, o.wallet_id
"""
# Between the transactions of the windows' totals, for a window itself is in no index.
OF_WINDOWS: Final = """
o.txid between $4 and $5 and o.window_id = any($1) and ($2 or $3 in (o.issuer_id, o.acceptor_id))
"""

DEBTS: Final = """
select d.id, d.window_id, d.plugin, d.reference, origin.reference, debtor.slug, creditor.slug,
       d.currency, d.amount_micros, d.reason, d.effective_at
from member_debt d
join member debtor on debtor.id = d.debtor_id
join member creditor on creditor.id = d.creditor_id
left join member_debt origin on origin.id = d.undoes_id
where {where}
order by d.id
"""
DEBTS_OF_WINDOWS: Final = """
d.txid between $3 and $4 and d.window_id = any($1) and $2 in (d.debtor_id, d.creditor_id)
"""


class Extent(msgspec.Struct, frozen=True):
    """Where the lines of a reader are, and how many, by the windows' totals."""

    first_txid: int
    last_txid: int
    obligations: int
    debts: int


async def extent(session: AsyncSession, window_ids: Sequence[UUID], reader: Reader) -> Extent:
    """The extent of a reader's lines in closed windows."""
    found = [
        total
        for total in await totals.totals(session, window_ids)
        if reader.id in (total.issuer_id, total.acceptor_id)
        or (reader.is_operator and total.kind != totals.DEBT)
    ]
    return Extent(
        min((total.first_txid for total in found), default=0),
        max((total.last_txid for total in found), default=-1),
        sum(total.count for total in found if total.kind != totals.DEBT),
        sum(total.count for total in found if total.kind == totals.DEBT),
    )


def _obligated(row: Any) -> Obligated:
    return Obligated(
        wallet_id=row[0],
        id=row[1],
        window_id=row[2],
        kind=ObligationKind(row[3]),
        funding=Funding(row[4]),
        issuer=row[5],
        acceptor=row[6],
        contract=row[7],
        acceptor_contract=row[8],
        burn_id=row[9],
        lot_id=row[10],
        issuance=row[11],
        points=row[12],
        price_micros=row[13],
        currency=row[14],
        funded_micros=row[15],
        cost_micros=row[16],
        at=row[17],
        shared=row[18],
    )


def _indebted(row: Any) -> Indebted:
    return Indebted(**dict(zip(Indebted.__struct_fields__, row, strict=True)))


async def obligations(
    session: AsyncSession, window_ids: Sequence[UUID], reader: Reader, within: Extent
) -> AsyncIterator[Obligated]:
    """Obligations of these windows that the reader is on (the operator: all), in order of id."""
    connection = await raw_connection(session)
    query = OBLIGATIONS.format(where=OF_WINDOWS)
    bounds = (within.first_txid, within.last_txid)
    given = (list(window_ids), reader.is_operator, reader.id, *bounds)
    async for row in connection.cursor(query, *given, prefetch=PREFETCH):
        yield _obligated(row)


async def debts(
    session: AsyncSession, window_ids: Sequence[UUID], reader: Reader, within: Extent
) -> AsyncIterator[Indebted]:
    """Debts of these windows that the reader owes or is owed, in order of id."""
    connection = await raw_connection(session)
    query = DEBTS.format(where=DEBTS_OF_WINDOWS)
    given = (list(window_ids), reader.id, within.first_txid, within.last_txid)
    async for row in connection.cursor(query, *given, prefetch=PREFETCH):
        yield _indebted(row)


async def find_obligations(
    session: AsyncSession, *, burn_id: UUID | None = None, line: tuple[UUID, int] | None = None
) -> list[Obligated]:
    """The obligations of a burn, or the one obligation (wallet, id)."""
    connection = await raw_connection(session)
    if line is not None:
        where, given = "o.wallet_id = $1 and o.id = $2", line
    else:
        # The wallet as well: past one machine it says where the burn lies.
        where = "o.burn_id = $1 and o.wallet_id = (select wallet_id from burn where id = $1)"
        given = (burn_id,)  # type: ignore[assignment]
    rows = await connection.fetch(OBLIGATIONS.format(where=where), *given)
    return [_obligated(row) for row in rows]


async def obligations_at(
    session: AsyncSession, places: Sequence[tuple[UUID, int]]
) -> list[Obligated]:
    """The obligations at these places (wallet, id), in order of id."""
    connection = await raw_connection(session)
    where = "(o.wallet_id, o.id) in (select * from unnest($1::uuid[], $2::bigint[]))"
    given = [list(each) for each in zip(*places, strict=True)] or [[], []]
    rows = await connection.fetch(OBLIGATIONS.format(where=where), *given)
    return [_obligated(row) for row in rows]


async def debts_at(session: AsyncSession, ids: Sequence[int]) -> list[Indebted]:
    """The debts of these ids, in order of id."""
    connection = await raw_connection(session)
    rows = await connection.fetch(DEBTS.format(where="d.id = any($1)"), list(ids))
    return [_indebted(row) for row in rows]


async def contracts(session: AsyncSession, reader: Reader, until: datetime) -> list[ContractTerms]:
    """Every version of the reader's contract (the operator: everybody's) that began by `until`."""
    query = (
        sa.select(Contract, Member.slug)
        .join(Member, Member.id == Contract.member_id)
        .where(Contract.valid_from <= until)
        .order_by(Member.slug, Contract.valid_from, Contract.reference, Contract.version)
    )
    if not reader.is_operator:
        query = query.where(Contract.member_id == reader.id)
    return [
        ContractTerms(
            contract=f"{row.reference}:{row.version}",
            member=slug,
            role=row.role.value,
            funding=row.funding.value,
            currency=row.currency,
            price_micros=row.price_micros,
            pooled_bps=row.pooled_bps,
            fee_bps=row.fee_bps,
            breakage=row.breakage.value,
            valid_from=row.valid_from,
        )
        for row, slug in await session.execute(query)
    ]


async def operator_slug(session: AsyncSession) -> str:
    """Slug of the operator."""
    return (await session.execute(sa.select(Member.slug).where(Member.is_operator))).scalar_one()


async def slugs(session: AsyncSession) -> dict[UUID, str]:
    """Slugs of all members by id."""
    return {row.id: row.slug for row in await session.execute(sa.select(Member.id, Member.slug))}


async def find_windows(session: AsyncSession, window_ids: Sequence[UUID]) -> list[SettlementWindow]:
    """These windows, oldest first."""
    query = sa.select(SettlementWindow).where(SettlementWindow.id.in_(window_ids))
    return list(await session.scalars(query.order_by(SettlementWindow.opened_at)))


async def closed_windows(session: AsyncSession) -> list[SettlementWindow]:
    """All windows that take no more lines, oldest first."""
    done = (WindowStatus.CLOSED, WindowStatus.IN_SETTLEMENT, WindowStatus.SETTLED)
    query = sa.select(SettlementWindow).where(SettlementWindow.status.in_(done))
    return list(await session.scalars(query.order_by(SettlementWindow.opened_at)))


async def find_settlement(session: AsyncSession, reference: str) -> Settlement | None:
    """The settlement of this reference."""
    query = sa.select(Settlement).where(Settlement.reference == reference)
    return (await session.scalars(query)).one_or_none()


async def covered(session: AsyncSession, settlement_id: UUID) -> list[UUID]:
    """Windows that a settlement settles."""
    query = sa.select(CoveredWindow.window_id).where(CoveredWindow.settlement_id == settlement_id)
    return list(await session.scalars(query))


async def settlements_of(session: AsyncSession, window_id: UUID) -> list[Settlement]:
    """Settlements of a window that were not aborted: one, or none yet."""
    query = (
        sa.select(Settlement)
        .join(CoveredWindow, CoveredWindow.settlement_id == Settlement.id)
        .where(CoveredWindow.window_id == window_id, CoveredWindow.live)
    )
    return list(await session.scalars(query))


async def positions(
    session: AsyncSession, settlement_id: UUID, member_id: UUID
) -> list[SettledPosition]:
    """Positions of a member, its pool and (of the operator) the margin in a settlement."""
    query = sa.select(SettledPosition).where(
        SettledPosition.settlement_id == settlement_id, SettledPosition.member_id == member_id
    )
    ordered = query.order_by(SettledPosition.currency, SettledPosition.party)
    return list(await session.scalars(ordered))


async def legs(session: AsyncSession, settlement_id: UUID, member_id: UUID) -> list[SettlementLeg]:
    """Legs of a settlement that a member pays or is paid, those that were paid again too."""
    query = (
        sa.select(SettlementLeg)
        .where(
            SettlementLeg.settlement_id == settlement_id,
            SettlementLeg.status != LegStatus.CANCELLED,
            sa.or_(
                SettlementLeg.member_id == member_id, SettlementLeg.counterparty_id == member_id
            ),
        )
        .order_by(SettlementLeg.currency, SettlementLeg.reference)
    )
    return list(await session.scalars(query))


async def entries_of(session: AsyncSession, leg_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """Bank entries that show the money of legs, by leg."""
    query = (
        sa.select(Posting.leg_id, Posting.entry_id)
        .where(Posting.leg_id.in_(leg_ids), Posting.entry_id.is_not(None))
        .order_by(Posting.id)
    )
    found: dict[UUID, list[UUID]] = {}
    for leg_id, entry_id in await session.execute(query):
        entries = found.setdefault(leg_id, []) if leg_id else []
        if entry_id and entry_id not in entries:
            entries.append(entry_id)
    return found


async def members_with_lines(session: AsyncSession, window_ids: Sequence[UUID]) -> list[str]:
    """Slugs of members that have a line in these windows, and of the operator, in order."""
    found: set[UUID | None] = set()
    for total in await totals.totals(session, window_ids):
        found |= {total.issuer_id, total.acceptor_id}
    query = sa.select(Member.slug).where(
        sa.or_(Member.is_operator, Member.id.in_([each for each in found if each is not None]))
    )
    return list(await session.scalars(query.order_by(Member.slug)))


async def lock_chain(session: AsyncSession, member_id: UUID) -> None:
    """Wait until nobody else issues a statement of this member, and keep others waiting."""
    await session.execute(
        sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"statement {member_id}")))
    )


async def issued(
    session: AsyncSession,
    member_id: UUID,
    *,
    window_id: UUID | None = None,
    settlement_id: UUID | None = None,
) -> MemberStatement | None:
    """The statement of a member for this window or settlement."""
    query = sa.select(MemberStatement).where(
        MemberStatement.member_id == member_id,
        MemberStatement.window_id == window_id
        if window_id is not None
        else MemberStatement.settlement_id == settlement_id,
    )
    return (await session.scalars(query)).one_or_none()


async def statements_of(session: AsyncSession, member_id: UUID) -> list[MemberStatement]:
    """All statements of a member, newest first."""
    query = sa.select(MemberStatement).where(MemberStatement.member_id == member_id)
    return list(await session.scalars(query.order_by(MemberStatement.number.desc())))


async def next_issue(session: AsyncSession, member_id: UUID) -> Issue:
    """The place that the member's next statement takes; `lock_chain` comes first."""
    query = (
        sa.select(MemberStatement.number, MemberStatement.sha256)
        .where(MemberStatement.member_id == member_id)
        .order_by(MemberStatement.number.desc())
        .limit(1)
    )
    last = (await session.execute(query)).first()
    if last is None:
        return Issue(number=1, prior_sha256=None)
    return Issue(number=last.number + 1, prior_sha256=last.sha256)


async def keep(session: AsyncSession, issue: Issue, sealed: Sealed, **values: Any) -> None:
    """Write a statement down as issued; those read by the same session see it."""
    given = {**msgspec.structs.asdict(issue), **msgspec.structs.asdict(sealed), **values}
    await session.execute(sa.insert(MemberStatement).values(id=uuid7(), issued_at=NOW, **given))
