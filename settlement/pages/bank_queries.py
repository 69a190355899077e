"""What the pages of the bank read: statements, open lines, matches, and what stands beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.models import Member
from settlement.bank import suggesting, transit
from settlement.bank.domain import BreakStatus, LineStatus, Rule
from settlement.bank.models import (
    BankLine,
    Break,
    LineState,
    Match,
    Move,
    Suggestion,
)
from settlement.bank.reading import Place
from settlement.clearing import repository
from settlement.clearing.models import Settlement, SettlementLeg
from settlement.pages.frame import member_names


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a statement and the leg beside it."""

    line: BankLine
    leg: SettlementLeg | None
    member: str
    """Name of the member of the leg, or of the one that paid ahead."""
    suggestion: Suggestion | None = None
    match: Match | None = None
    move: str = ""
    """Name of the move between accounts of the house."""

    @property
    def id(self) -> UUID:
        """Of the suggestion or the match."""
        made = self.match or self.suggestion
        return self.line.id if made is None else made.id


async def suggested(session: AsyncSession) -> list[Pair]:
    """Pairs that wait for a decision, surest first."""
    rows = await suggesting.suggestions(session)
    lines = await _lines(session, {row.entry_id for row in rows})
    legs = await _legs(session, {row.leg_id for row in rows})
    names = await member_names(session, {leg.member_id for leg in legs.values()})
    return [
        Pair(
            line=lines[row.entry_id],
            leg=legs[row.leg_id],
            member=names[legs[row.leg_id].member_id],
            suggestion=row,
        )
        for row in rows
    ]


async def matched(session: AsyncSession, *, before: Place | None, most: int) -> list[Pair]:
    """Matches that are not undone, newest first."""
    contra = sa.orm.aliased(Match)
    query = (
        sa.select(Match)
        .where(Match.undoes_id.is_(None), ~sa.exists().where(contra.undoes_id == Match.id))
        .order_by(Match.id.desc())
        .limit(most)
    )
    if before is not None:
        query = query.where(Match.id < before.id)
    rows = list(await session.scalars(query))
    lines = await _lines(session, {row.entry_id for row in rows})
    legs = await _legs(session, {row.leg_id for row in rows if row.leg_id})
    found = []
    for row in rows:
        leg = legs.get(row.leg_id) if row.leg_id else None
        found.append((row, leg, leg.member_id if leg else row.member_id))
    names = await member_names(session, {member_id for _, _, member_id in found if member_id})
    moves = await _move_names(session, {row.move_id for row in rows if row.move_id})
    return [
        Pair(
            line=lines[row.entry_id],
            leg=leg,
            member=names[who] if who else "",
            match=row,
            move=moves[row.move_id] if row.move_id else "",
        )
        for row, leg, who in found
    ]


async def _move_names(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, str]:
    rows = await session.execute(sa.select(Move.id, Move.name).where(Move.id.in_(ids)))
    return dict(rows.all())


async def undoing(session: AsyncSession, row: Break) -> Sequence[BankLine]:
    """Lines that may undo the line of a break: open ones with the opposite amount, and those of
    which so much is on its way between accounts of the house."""
    found = await open_lines(session, currency=row.currency, amount_micros=-row.amount_micros)
    begun = [
        each.entry_id
        for each in await transit.own_in_transit(session)
        if (each.amount_micros, each.currency) == (row.amount_micros, row.currency)
    ]
    return [*(line for line, _ in found), *(await _lines(session, begun)).values()]


async def open_lines(
    session: AsyncSession, *, currency: str | None = None, amount_micros: int | None = None
) -> Sequence[tuple[BankLine, UUID | None]]:
    """Lines that nobody has explained, oldest first, each with its break; 200 at most.

    Of one currency and amount where these are given.
    """
    query = (
        sa.select(BankLine, Break.id)
        .join(LineState, LineState.entry_id == BankLine.id)
        .outerjoin(
            Break, sa.and_(Break.entry_id == BankLine.id, Break.status.in_(("open", "proposed")))
        )
        .where(LineState.status == LineStatus.OPEN)
        .order_by(BankLine.booked_on, BankLine.id)
        .limit(200)
    )
    if currency is not None:
        query = query.where(BankLine.currency == currency)
    if amount_micros is not None:
        query = query.where(BankLine.amount_micros == amount_micros)
    found: dict[UUID, tuple[BankLine, UUID | None]] = {}
    for line, break_id in await session.execute(query):
        found.setdefault(line.id, (line, break_id))
    return list(found.values())


class LinePlace(msgspec.Struct, frozen=True):
    """Where a line stands on its statement."""

    position: int
    detail: int


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a statement with what became of it."""

    line: BankLine
    legs: list[tuple[str, str]]
    """References of the legs it is the money of, each with its settlement's."""
    members: list[str]
    """Names of members that paid ahead with it."""
    moves: list[str]
    """Names of moves between accounts of the house that it is a side of."""
    is_charge: bool
    """Booked as a charge of the bank."""
    break_id: UUID | None
    waits: bool
    """Nobody has explained it."""

    @property
    def place(self) -> LinePlace:
        """Where it stands."""
        return LinePlace(self.line.position, self.line.detail)


async def stated(
    session: AsyncSession, statement_id: UUID, *, after: LinePlace | None, most: int
) -> list[Stated]:
    """Lines of a statement in the bank's order."""
    place = sa.tuple_(BankLine.position, BankLine.detail)
    query = sa.select(BankLine).where(BankLine.statement_id == statement_id).order_by(place)
    if after is not None:
        query = query.where(place > sa.tuple_(after.position, after.detail))
    lines = list(await session.scalars(query.limit(most)))
    ids = [each.id for each in lines]
    legs: dict[UUID, list[tuple[str, str]]] = {}
    members: dict[UUID, list[str]] = {}
    moves: dict[UUID, list[str]] = {}
    charges = set[UUID]()
    for entry_id, rule, leg, settlement, member, move in await session.execute(_matches(ids)):
        if leg:
            legs.setdefault(entry_id, []).append((leg, settlement))
        elif member:
            members.setdefault(entry_id, []).append(member)
        elif move:
            moves.setdefault(entry_id, []).append(move)
        elif rule is Rule.CHARGE:
            charges.add(entry_id)
    breaks = await session.execute(
        sa.select(Break.entry_id, Break.id, Break.status)
        .where(Break.entry_id.in_(ids), Break.status != BreakStatus.GONE)
        .order_by(Break.id)
    )
    found = {entry_id: (break_id, status) for entry_id, break_id, status in breaks}
    return [
        Stated(
            line=each,
            legs=legs.get(each.id, []),
            members=members.get(each.id, []),
            moves=moves.get(each.id, []),
            is_charge=each.id in charges,
            break_id=found[each.id][0] if each.id in found else None,
            waits=each.id in found and found[each.id][1] is not BreakStatus.RESOLVED,
        )
        for each in lines
    ]


def _matches(entry_ids: Collection[UUID]) -> sa.Select[UUID, Rule, str, str, str, str]:
    """Matches of lines that are not undone: line, rule, leg, its settlement, who paid ahead, move
    between accounts of the house."""
    contra = sa.orm.aliased(Match)
    return (
        sa.select(
            Match.entry_id,
            Match.rule,
            SettlementLeg.reference,
            Settlement.reference,
            Member.name,
            Move.name,
        )
        .outerjoin(SettlementLeg, SettlementLeg.id == Match.leg_id)
        .outerjoin(Settlement, Settlement.id == SettlementLeg.settlement_id)
        .outerjoin(Member, Member.id == Match.member_id)
        .outerjoin(Move, Move.id == Match.move_id)
        .where(
            Match.entry_id.in_(entry_ids),
            Match.undoes_id.is_(None),
            ~sa.exists().where(contra.undoes_id == Match.id),
        )
        .order_by(Match.id)
    )


async def shown_on(
    session: AsyncSession, leg_ids: Collection[UUID]
) -> Mapping[UUID, tuple[UUID, UUID]]:
    """The line that a leg is matched with, the first of several: its statement and its id."""
    contra = sa.orm.aliased(Match)
    rows = await session.execute(
        sa.select(Match.leg_id, BankLine.statement_id, BankLine.id)
        .join(BankLine, BankLine.id == Match.entry_id)
        .where(
            Match.leg_id.in_(leg_ids),
            Match.undoes_id.is_(None),
            ~sa.exists().where(contra.undoes_id == Match.id),
        )
        .order_by(Match.id.desc())
    )
    return {leg_id: (statement_id, line_id) for leg_id, statement_id, line_id in rows if leg_id}


async def settlement_references(
    session: AsyncSession, legs: Collection[SettlementLeg]
) -> Mapping[UUID, str]:
    """References of the settlements of legs, by id."""
    ids = {each.settlement_id for each in legs}
    rows = await session.execute(
        sa.select(Settlement.id, Settlement.reference).where(Settlement.id.in_(ids))
    )
    return dict(rows.all())


async def line(session: AsyncSession, entry_id: UUID | None) -> BankLine | None:
    """A line by id."""
    return None if entry_id is None else await session.get(BankLine, entry_id)


async def leg(session: AsyncSession, leg_id: UUID | None) -> SettlementLeg | None:
    """A leg by id."""
    return None if leg_id is None else await repository.leg(session, leg_id)


async def settlement_of(session: AsyncSession, of: SettlementLeg | None) -> str:
    """The reference of the settlement of a leg; empty without one."""
    if of is None:
        return ""
    return (await repository.find(session, of.settlement_id)).reference


async def lines_of(session: AsyncSession, ids: Collection[UUID]) -> Mapping[UUID, BankLine]:
    """Lines by id."""
    return await _lines(session, ids)


async def _lines(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, BankLine]:
    rows = await session.scalars(sa.select(BankLine).where(BankLine.id.in_(ids)))
    return {row.id: row for row in rows}


async def _legs(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, SettlementLeg]:
    rows = await session.scalars(sa.select(SettlementLeg).where(SettlementLeg.id.in_(ids)))
    return {row.id: row for row in rows}
