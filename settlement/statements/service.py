"""Drawing statements up: one pass over the lines, however many, into one or two files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import IO
from uuid import UUID

import msgspec
from babel.numbers import get_currency_precision
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.models import Member
from marketplace.coalition.service import get_member
from marketplace.contract.rails import Direction
from marketplace.errors import NotFound
from marketplace.house_key import signing_key
from marketplace.ledger.domain import WindowStatus
from marketplace.ledger.models import SettlementWindow
from marketplace.settings import Settings
from settlement.clearing.domain import SettlementStatus
from settlement.clearing.models import Settlement, SettlementLeg
from settlement.statements import frozen, records, repository
from settlement.statements.domain import LegTold, Line, Reader, seen, seen_debt
from settlement.statements.errors import StatementChanged, StatementNotFinal
from settlement.statements.models import MemberStatement
from settlement.statements.reckoning import Reckoning
from settlement.statements.records import Head, Issue, KeptSignature, Sealed, Told, WindowTold
from settlement.statements.tables import LineTable

UNFINISHED = (WindowStatus.OPEN, WindowStatus.CLOSING)
UNVOUCHED = (SettlementStatus.PENDING, SettlementStatus.ABORTED)


OPPOSITE = {Direction.COLLECT: Direction.PAY, Direction.PAY: Direction.COLLECT}


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement is of: one closed window, or the windows of a recorded settlement."""

    windows: list[SettlementWindow]
    settlement: Settlement | None = None

    @property
    def window_ids(self) -> list[UUID]:
        return [each.id for each in self.windows]

    @property
    def reference(self) -> str:
        """The window's id, or the settlement's reference."""
        return self.settlement.reference if self.settlement else str(self.windows[0].id)

    @property
    def key(self) -> dict[str, UUID]:
        """Columns by which the statement is found."""
        if self.settlement is not None:
            return {"settlement_id": self.settlement.id}
        return {"window_id": self.windows[0].id}


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that was drawn up."""

    subject: Subject
    reader: Reader
    issue: Issue
    sealed: Sealed
    head: Head
    reckoning: Reckoning
    disputed: frozenset[str]
    """Lines under dispute now, or when the settlement was made."""


async def of_window(session: AsyncSession, window_id: UUID) -> Subject:
    """A window that is closed; NotFound, StatementNotFinal."""
    windows = await repository.find_windows(session, [window_id])
    if not windows:
        raise NotFound(f"There is no window {window_id}.")
    if windows[0].status in UNFINISHED:
        raise StatementNotFinal("The window is open: its statements can be had once it is closed.")
    return Subject(windows=windows)


async def of_settlement(session: AsyncSession, reference: str) -> Subject:
    """A settlement that somebody vouches for; NotFound, StatementNotFinal."""
    found = await repository.find_settlement(session, reference)
    if found is None:
        raise NotFound(f"There is no settlement {reference!r}.")
    if found.status in UNVOUCHED:
        raise StatementNotFinal(
            f"Settlement {reference} is {found.status}: its statements come once it is recorded."
        )
    window_ids = await repository.covered(session, found.id)
    if not window_ids:
        raise NotFound(
            f"Settlement {reference} settles no window: its lines are those of the settlement that "
            "it mends."
        )
    return Subject(windows=await repository.find_windows(session, window_ids), settlement=found)


async def reader_of(session: AsyncSession, slug: str) -> Reader:
    """The member of this slug, as a reader; NotFound."""
    return _reader(await get_member(session, slug))


def _reader(member: Member) -> Reader:
    return Reader(member.id, member.slug, member.is_operator)


async def lines(
    session: AsyncSession,
    window_ids: Sequence[UUID],
    member_id: UUID,
    *,
    left_out: frozenset[str] = frozenset(),
) -> AsyncIterator[Line]:
    """Every line of these windows that makes the member owe or be owed, or moves its pool.

    From a cursor, so of any number, in the order in which they came: obligations, then debts. The
    windows must be closed. NotFound where there is no such member, StatementChanged where lines
    are missing.
    """
    member = await session.get(Member, member_id)
    if member is None:
        raise NotFound(f"There is no member with the id {member_id}.")
    async for line in _lines(session, window_ids, _reader(member), left_out, []):
        yield line


async def _lines(
    session: AsyncSession,
    window_ids: Sequence[UUID],
    reader: Reader,
    left_out: frozenset[str],
    taken_in: list[Line],
) -> AsyncIterator[Line]:
    within = await repository.extent(session, window_ids, reader)
    count = 0
    async for found in repository.obligations(session, window_ids, reader, within):
        while taken_in and _place(taken_in[0]) < (0, found.id, str(found.wallet_id)):
            yield taken_in.pop(0)
        line = seen(found, reader)
        count += 1
        yield _frozen(line) if line.line in left_out else line
    async for debt in repository.debts(session, window_ids, reader, within):
        while taken_in and _place(taken_in[0]) < (1, debt.id, ""):
            yield taken_in.pop(0)
        line = seen_debt(debt, reader)
        count += 1
        yield _frozen(line) if line.line in left_out else line
    for line in taken_in:
        yield line
    if count != within.obligations + within.debts:
        raise StatementChanged(
            f"The totals of the windows count {within.obligations + within.debts} lines of "
            f"{reader.slug}, and the ledger gives {count}. Run marketplace ledger verify."
        )


def _place(line: Line) -> tuple[int, int, str]:
    """Where a line stands: obligations by id and wallet, then debts by id."""
    first, _, last = line.line.partition(":")
    return (1, int(last), "") if first == "debt" else (0, int(last), first)


async def named(session: AsyncSession, names: Sequence[str], reader: Reader) -> list[Line]:
    """These lines as the reader may see them, in the order given; who is on them all."""
    places = [(UUID(first), int(last)) for first, _, last in map(_parted, names) if first != "debt"]
    debts = [int(last) for first, _, last in map(_parted, names) if first == "debt"]
    found = [seen(each, reader) for each in await repository.obligations_at(session, places)]
    found += [seen_debt(each, reader) for each in await repository.debts_at(session, debts)]
    by_name = {each.line: each for each in found}
    return [by_name[name] for name in names if name in by_name]


def _parted(name: str) -> tuple[str, str, str]:
    return name.partition(":")


async def _taken_in(session: AsyncSession, names: Sequence[str], reader: Reader) -> list[Line]:
    """Lines by their names, as they stand in a statement."""
    return sorted(await named(session, names, reader), key=_place)


def _frozen(line: Line) -> Line:
    return msgspec.structs.replace(line, frozen=True)


async def draw_up(
    session: AsyncSession,
    settings: Settings,
    subject: Subject,
    reader: Reader,
    *,
    actor: str,
    signed: IO[bytes],
    table: IO[bytes] | None = None,
) -> Drawn:
    """Write the signed statement and, if asked, the table of its lines; issue it the first time.

    Made again it is the same to the byte, or StatementChanged: the ledger was tampered with.
    """
    await repository.lock_chain(session, reader.id)
    known = await repository.issued(session, reader.id, **subject.key)
    if known is None:
        head = await _head(session, subject, reader)
        issue = await repository.next_issue(session, reader.id)
        key: records.Signer = signing_key(settings, records.PURPOSE)
    else:
        head = msgspec.convert(known.head, Head)
        issue = Issue(number=known.number, prior_sha256=known.prior_sha256)
        key = KeptSignature(known.public_key, known.signature)
    disputed = frozenset(head.frozen)
    if subject.settlement is None:
        disputed = await frozen.disputed(session, subject.window_ids, reader.id)
    reckoning = Reckoning(reader, head.contracts)
    writer = records.begin(signed, issue, head)
    rows = LineTable(table, head.contracts) if table else None
    taken = await _taken_in(session, head.taken_in, reader)
    left_out = frozenset(head.frozen)
    async for line in _lines(session, subject.window_ids, reader, left_out, taken):
        reckoning.add(line)
        writer.write("line", records.line_content(line))
        if rows:
            rows.write(line, frozen=line.line in disputed)
    if rows:
        rows.close()
    sealed = records.end(
        writer,
        lines=reckoning.lines,
        fees=reckoning.fees(),
        sums=reckoning.sums(),
        legs=head.legs,
        key=key,
    )
    drawn = Drawn(
        subject=subject,
        reader=reader,
        issue=issue,
        sealed=sealed,
        head=head,
        reckoning=reckoning,
        disputed=disputed,
    )
    if known is None:
        await _issue(session, drawn, actor)
    elif known.sha256 != sealed.sha256:
        raise StatementChanged(
            f"Statement {known.number} of {reader.slug} was issued with the digest "
            f"{known.sha256}; the ledger gives {sealed.sha256} now. Run marketplace ledger verify."
        )
    return drawn


async def _issue(session: AsyncSession, drawn: Drawn, actor: str) -> None:
    await repository.keep(
        session,
        drawn.issue,
        drawn.sealed,
        member_id=drawn.reader.id,
        head=msgspec.to_builtins(drawn.head),
        lines=drawn.reckoning.lines,
        sums=msgspec.to_builtins(drawn.reckoning.sums()),
        issued_by=actor,
        **drawn.subject.key,
    )


async def _head(session: AsyncSession, subject: Subject, reader: Reader) -> Head:
    member = await session.get_one(Member, reader.id)
    until = max(each.closed_at for each in subject.windows if each.closed_at is not None)
    legs: list[LegTold] = []
    left_out: frozenset[str] = frozenset()
    taken_in: frozenset[str] = frozenset()
    windows = subject.windows
    if subject.settlement is not None:
        names = await repository.slugs(session)
        found = await repository.legs(session, subject.settlement.id, reader.id)
        legs = [told(each, reader, names) for each in found if each.replaces_id is None]
        left_out = await frozen.left_out(session, subject.settlement.id, reader.id)
        taken_in = await frozen.taken_in(session, subject.settlement.id, reader.id)
        taken = await _taken_in(session, sorted(taken_in), reader)
        window_ids = {*subject.window_ids, *(line.window for line in taken)}
        windows = await repository.find_windows(session, list(window_ids))
    return Head(
        member=Told(member.slug, member.name),
        operator=await repository.operator_slug(session),
        subject="settlement" if subject.settlement else "window",
        reference=subject.reference,
        mode=subject.settlement.mode.value if subject.settlement else None,
        windows=[
            WindowTold(each.id, each.opened_at, each.closed_at)
            for each in windows
            if each.closed_at is not None
        ],
        contracts=await repository.contracts(session, reader, until),
        legs=legs,
        frozen=sorted(left_out),
        taken_in=sorted(taken_in),
    )


def told(leg: SettlementLeg, reader: Reader, names: dict[UUID, str]) -> LegTold:
    """A leg as the reader sees it, who is one of its two sides."""
    own = leg.member_id == reader.id
    other = leg.counterparty_id if own else leg.member_id
    return LegTold(
        reference=leg.reference,
        currency=leg.currency,
        counterparty=None if other is None else names[other],
        direction=(leg.direction if own else OPPOSITE[leg.direction]).value,
        net_micros=leg.net_micros if own else -leg.net_micros,
        amount_minor=leg.amount_minor,
        digits=get_currency_precision(leg.currency),
        remainder_micros=leg.remainder_micros if own else -leg.remainder_micros,
        due_on=leg.due_on,
    )


async def issued(session: AsyncSession, member_id: UUID) -> list[MemberStatement]:
    """All statements that were issued to a member, newest first."""
    return await repository.statements_of(session, member_id)
