"""The cascade over lines that wait: certain matches are applied, others suggested, the rest are
breaks with their money on the suspense account. Running it again changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.models import Member
from marketplace.money import decimal_from_micros
from settlement.bank import breaking, cascade, lines, suggesting, together, transit
from settlement.bank.cascade import Named, Step, Verdict
from settlement.bank.domain import BreakKind, LineStatus, Rule, prefunding_member
from settlement.bank.lines import Found
from settlement.bank.models import BankLine, Break, LineState
from settlement.bank.together import Case
from settlement.clearing import books, prefunding, repository
from settlement.clearing.domain import LegStatus
from settlement.errors import StatusChanged

LOCK: Final = 7_219_004_531
"""Advisory lock of whoever matches: one at a time."""
CHUNK: Final = 1_000
LOOK_BACK_DAYS: Final = 400
"""Open lines and hints older than this are left to people."""
SYSTEM: Final = "system"


class Matched(msgspec.Struct, kw_only=True):
    """What one pass did."""

    matched: int = 0
    """Lines."""
    legs: int = 0
    """Booked or shown."""
    returned: int = 0
    prefunded: int = 0
    opened: int = 0
    """Lines that became breaks."""
    suggested: int = 0
    missing: int = 0
    """Legs that are due and on no statement, now."""


async def lock(session: AsyncSession) -> None:
    """Whoever matches, or decides of a line, is alone with it until its transaction ends."""
    await session.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))


async def match(
    session: AsyncSession, *, late_days: int = 3, near_days: int = 10, actor: str = SYSTEM
) -> Matched:
    """Look at every line that waits. Idempotent; two at once work one after the other.

    `late_days`: after so many days past its due date a leg on no statement is a break.
    `near_days`: how far from its due date a line may be to be suggested for a leg by its amount.
    """
    await lock(session)
    run = _Pass(session, actor, late_days)
    await run.prepare()
    for status in (LineStatus.NEW, LineStatus.OPEN, LineStatus.HINT):
        await run.all_of(status)
    await run.splits()
    run.done.suggested = await suggesting.suggest(session, near_days)
    run.done.missing = await transit.watch(session, late_days=late_days)
    return run.done


class _Pass:
    def __init__(self, session: AsyncSession, actor: str, late_days: int) -> None:
        self._session, self._actor, self._late_days = session, actor, late_days
        self.done = Matched()
        self._operator: UUID
        self._members: dict[str, UUID] = {}

    async def prepare(self) -> None:
        """What every line needs."""
        self._operator = await repository.operator_id(self._session)
        rows = await self._session.execute(sa.select(Member.slug, Member.id))
        self._members = {row.slug: row.id for row in rows}

    async def all_of(self, status: LineStatus) -> None:
        """Every line of this status, in the order of import."""
        after = -1
        while True:
            rows = await self._chunk(status, after)
            if not rows:
                return
            after = rows[-1][1]
            await self._lines([row[0] for row in rows], status)
            self._session.expunge_all()

    async def _chunk(self, status: LineStatus, after: int) -> Sequence[Any]:
        query = (
            sa.select(BankLine, LineState.place)
            .join(LineState, LineState.entry_id == BankLine.id)
            .where(LineState.status == status, LineState.place > after)
            .order_by(LineState.place)
            .limit(CHUNK)
        )
        if status is not LineStatus.NEW:
            query = query.where(
                BankLine.booked_on > sa.func.current_date() - sa.literal(LOOK_BACK_DAYS)
            )
        return (await self._session.execute(query)).all()

    async def _lines(self, rows: Sequence[BankLine], status: LineStatus) -> None:
        known = await cascade.known(self._session, rows)
        named = {line.id: by for line in rows if (by := cascade.named(line, known)) is not None}
        done = await self._at_once(await together.judged(self._session, rows, named), status)
        plain: list[BankLine] = []
        for line in rows:
            if line.id in done:
                continue
            if (by := named.get(line.id)) is not None:
                await self._named(line, by, status)
            elif status is LineStatus.HINT:
                continue
            elif not await self._prefund(line, status):
                plain.append(line)
        if status is LineStatus.NEW:
            await self._unknown(plain)

    async def _at_once(self, cases: Sequence[Case], status: LineStatus) -> set[UUID]:
        """What can be done with many lines in a few statements, or needs nothing; which they are.

        The others, and all where something goes on meanwhile, are looked at one by one.
        """
        if status is LineStatus.HINT:
            return {case.line.id for case in cases if not together.announces(case)}
        session = self._session
        done = await together.standing(session, cases) if status is LineStatus.OPEN else set()
        cases = together.alone(cases)
        if status is LineStatus.NEW:
            wrong = [case for case in cases if case.verdict.step is Step.BREAK]
            await together.open_(session, wrong, self._operator)
            self.done.opened += len(wrong)
            done = {case.line.id for case in wrong}
        if not (ready := together.bookable(cases)):
            return done
        try:
            async with session.begin_nested():
                await together.book(session, ready, status, self._operator, actor=self._actor)
                await self._matched([case.line for case in ready], status)
        except StatusChanged:
            return done
        self.done.legs += sum(len(case.verdict.legs) for case in ready)
        return done | {case.line.id for case in ready}

    async def _named(self, line: BankLine, by: Named, status: LineStatus) -> None:
        """A line that names legs."""
        for leg in by.legs:
            await self._session.refresh(leg)
        verdict = cascade.judge(line, by, await lines.unseen(self._session, by.legs))
        if status is LineStatus.HINT:
            await self._hint(line, verdict)
            return
        if verdict.step is not Step.BREAK:
            try:
                async with self._session.begin_nested():
                    await self._apply(line, verdict, status)
                return
            except StatusChanged as error:
                kind = BreakKind.UNKNOWN_PAYER
                verdict = Verdict(step=Step.BREAK, legs=by.legs, kind=kind, reason=error.detail)
        await self._open(line, verdict, status)

    async def _apply(self, line: BankLine, verdict: Verdict, status: LineStatus) -> None:
        if verdict.found is None:
            raise ValueError("a verdict to apply says why")
        session, found = self._session, verdict.found
        await lines.release(session, [line], {line.id: status}, self._operator)
        if verdict.step is Step.BOOK:
            await lines.book(session, line, verdict.legs, found, actor=self._actor)
        elif verdict.step is Step.SHOW:
            await lines.show(session, line, verdict.legs[0], found, actor=self._actor)
        else:
            for leg in verdict.legs:
                await lines.return_(session, line, leg, found, hint=False, actor=self._actor)
        await self._matched([line], status)
        if verdict.step is Step.RETURN:
            self.done.returned += len(verdict.legs)
        else:
            self.done.legs += len(verdict.legs)

    async def _matched(self, rows: Sequence[BankLine], status: LineStatus) -> None:
        ids = [each.id for each in rows]
        await lines.set_status(self._session, ids, [status], LineStatus.MATCHED)
        await breaking.let_go(self._session, None, ids, "it was matched")
        await suggesting.overtake(self._session, entry_ids=ids)
        self.done.matched += len(rows)

    async def _hint(self, line: BankLine, verdict: Verdict) -> None:
        """A notification: only that money came back is acted on before the statement says it."""
        statuses = {leg.status for leg in verdict.legs}
        if verdict.step is Step.RETURN and verdict.found is not None:
            for leg in verdict.legs:
                await lines.return_(
                    self._session, line, leg, verdict.found, hint=True, actor=self._actor
                )
                self.done.returned += 1
            await lines.set_status(self._session, [line.id], [LineStatus.HINT], LineStatus.MATCHED)
        elif statuses == {LegStatus.RETURNED}:
            await lines.set_status(
                self._session, [line.id], [LineStatus.HINT], LineStatus.EXPLAINED
            )

    async def _prefund(self, line: BankLine, status: LineStatus) -> bool:
        """Whether the line is money that a member says it pays ahead."""
        if line.amount_micros < 0:
            return False
        slug = prefunding_member(line.remittance, line.text, line.structured_reference)
        member_id = self._members.get(slug or "")
        if member_id is None:
            return False
        reason = f"its text says PREFUND {slug}"
        found = Found(rule=Rule.PREFUND, confidence=100, reason=reason)
        await lines.release(self._session, [line], {line.id: status}, self._operator)
        await pay_ahead(self._session, line, member_id, found, actor=self._actor)
        await self._matched([line], status)
        self.done.prefunded += 1
        return True

    async def _open(self, line: BankLine, verdict: Verdict, status: LineStatus) -> None:
        """A line that names legs, and is not their money: its break."""
        if status is LineStatus.NEW:
            await books.post(self._session, [lines.suspended(line, self._operator)])
            await lines.set_status(self._session, [line.id], [status], LineStatus.OPEN)
            self.done.opened += 1
        others = {BreakKind.DUPLICATE, BreakKind.AMOUNT_DIFFERS, BreakKind.UNKNOWN_PAYER}
        for other in others - {verdict.kind}:
            await breaking.let_go(self._session, other, [line.id], "it is another break now")
        row = together.break_of(line, verdict)
        await breaking.open_(self._session, kind=verdict.kind, **row)

    async def _unknown(self, rows: Sequence[BankLine]) -> None:
        """Lines that name nothing of ours, set-wise."""
        if not rows:
            return
        await books.post(self._session, [lines.suspended(each, self._operator) for each in rows])
        ids = [each.id for each in rows]
        await lines.set_status(self._session, ids, [LineStatus.NEW], LineStatus.OPEN)
        await breaking.open_many(self._session, [unknown_break(each) for each in rows])
        self.done.opened += len(rows)

    async def splits(self) -> None:
        """Open lines that name one leg and come to its amount together."""
        rows = await self._session.execute(
            sa.select(Break.leg_id, sa.func.array_agg(Break.entry_id))
            .where(
                Break.kind == BreakKind.AMOUNT_DIFFERS,
                Break.status.in_(breaking.UNRESOLVED),
                Break.leg_id.is_not(None),
            )
            .group_by(Break.leg_id, Break.account_id)
            .having(sa.func.count() > 1)
        )
        for leg_id, entry_ids in rows.all():
            await self._split(leg_id, entry_ids)

    async def _split(self, leg_id: Any, entry_ids: Any) -> None:
        leg = await repository.leg(self._session, leg_id)
        parts = await lines.rows_of(self._session, entry_ids)
        if leg.status not in lines.AWAITED or leg.counterparty_id is not None:
            return
        if sum(each.amount_micros for each in parts) != lines.expected(leg):
            return
        reason = f"{len(parts)} lines with the reference {leg.reference} come to its amount"
        found = Found(rule=Rule.SPLIT, confidence=95, reason=reason)
        try:
            async with self._session.begin_nested():
                status = {each.id: LineStatus.OPEN for each in parts}
                await lines.release(self._session, parts, status, self._operator)
                await lines.book_split(self._session, parts, leg, found, actor=self._actor)
                await self._matched(parts, LineStatus.OPEN)
        except StatusChanged:
            return
        self.done.legs += 1


async def pay_ahead(
    session: AsyncSession, line: BankLine, member_id: UUID, found: Found, *, actor: str
) -> None:
    """A line is money that a member paid ahead."""
    await prefunding.prefund(
        session,
        member_id,
        line.currency,
        line.amount_micros,
        entry_id=line.id,
        bank_account_id=line.account_id,
        actor=actor,
        note=found.reason,
    )
    await lines.note_match(
        session, line, found, line.amount_micros, member_id=member_id, actor=actor
    )


def unknown_break(line: BankLine) -> dict[str, Any]:
    """The break of a line that belongs to nothing."""
    who = line.counterparty_name or line.counterparty_account or "somebody who is not named"
    moved = "paid us" if line.amount_micros > 0 else "got from us"
    amount = decimal_from_micros(abs(line.amount_micros))
    return {
        "kind": BreakKind.UNKNOWN_PAYER,
        "subject_id": line.id,
        "entry_id": line.id,
        "account_id": line.account_id,
        "currency": line.currency,
        "amount_micros": line.amount_micros,
        "opened_on": line.booked_on,
        "reason": f"{who} {moved} {amount} {line.currency}, with no reference of ours.",
    }
