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
from settlement.bank import (
    breaking,
    cascade,
    lines,
    meeting,
    moves,
    suggesting,
    together,
    transit,
)
from settlement.bank.cascade import Named, Step, Verdict
from settlement.bank.domain import BreakKind, LineStatus, Rule, prefunding_member
from settlement.bank.lines import Found
from settlement.bank.models import BankLine, Break, LineState
from settlement.bank.moves import Tied
from settlement.bank.together import Case, Split
from settlement.clearing import books, caps, prefunding, repository, settling
from settlement.clearing.domain import LegStatus
from settlement.errors import StatusChanged

CHUNK: Final = 1_000
WORTH: Final = 10
"""Lines that are worth a round for all of them; fewer go one by one."""
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
    charges: int = 0
    """Lines that are the bank's own."""
    moved: int = 0
    """Lines that are money between accounts of the house."""
    opened: int = 0
    """Lines that became breaks."""
    suggested: int = 0
    missing: int = 0
    """Legs that are due and on no statement, now."""


async def match(
    session: AsyncSession, *, late_days: int = 3, near_days: int = 10, actor: str = SYSTEM
) -> Matched:
    """Look at every line that waits. Idempotent; two at once work one after the other.

    `late_days`: after so many days past its due date a leg on no statement is a break.
    `near_days`: how far from its due date a line may be to be suggested for a leg by its amount.
    """
    await repository.lock_matching(session)
    run = _Pass(session, actor, late_days)
    await run.prepare()
    async with settling.together(session, actor=actor) as settled:
        await run.moves()
        for status in (LineStatus.NEW, LineStatus.OPEN, LineStatus.HINT):
            await run.all_of(status)
        await run.splits()
        settled.also |= await run.payers_ahead()
    await run.prefund()
    run.done.suggested = await suggesting.suggest(session, near_days)
    run.done.missing = await transit.watch(session, late_days=late_days)
    return run.done


class _Pass:
    def __init__(self, session: AsyncSession, actor: str, late_days: int) -> None:
        self._session, self._actor, self._late_days = session, actor, late_days
        self.done = Matched()
        self._operator: UUID
        self._members: dict[str, UUID] = {}
        self._ahead: list[tuple[BankLine, LineStatus, UUID]] = []

    async def prepare(self) -> None:
        """What every line needs."""
        self._operator = await repository.operator_id(self._session)
        rows = await self._session.execute(sa.select(Member.slug, Member.id))
        self._members = {row.slug: row.id for row in rows}

    async def moves(self) -> None:
        """Money between accounts of the house: lines that name their move, then other accounts'."""
        while rows := await moves.unseen(self._session, CHUNK):
            found = await moves.named(self._session, rows)
            await self._tie(found, dict.fromkeys((each.id for each in rows), LineStatus.NEW))
            self._session.expunge_all()
        waiting = await moves.open_moves(self._session, elsewhere=True)
        if not waiting:
            return
        status = dict(await meeting.asked(self._session, waiting))
        known = await cascade.known(self._session, list(status))
        free = [
            line
            for line in status
            if cascade.named(line, known) is None and self._pays_ahead(line) is None
        ]
        met = meeting.ties(waiting, free)
        await self._tie(met, {each.line.id: status[each.line] for each in met})
        self._session.expunge_all()

    async def _tie(self, found: Sequence[Tied], status: dict[UUID, LineStatus]) -> None:
        if not found:
            return
        await lines.release(self._session, [each.line for each in found], status, self._operator)
        await moves.tie(self._session, found, actor=self._actor)
        for before in set(status.values()):
            rows = [each.line for each in found if status[each.line.id] is before]
            await self._matched(rows, before)
        self.done.moved += len(found)

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
        named, done = await self._rounds(rows, status)
        plain: list[BankLine] = []
        for line in rows:
            if line.id in done:
                continue
            if (by := named.get(line.id)) is not None:
                await self._named(line, by, status)
            elif status is LineStatus.HINT:
                continue
            elif not self._prefund(line, status):
                plain.append(line)
        if status is LineStatus.NEW:
            await self._charge([each for each in plain if each.charge])
            await self._unknown([each for each in plain if not each.charge])

    async def _rounds(
        self, rows: Sequence[BankLine], status: LineStatus
    ) -> tuple[dict[UUID, Named], set[UUID]]:
        """What lines name, and those that are done with at once: in each round the first ones of
        their legs, for as long as that is worth its statements."""
        named: dict[UUID, Named] = {}
        done: set[UUID] = set()
        left = rows
        while True:
            known = await cascade.known(self._session, left)
            found = {each.id: by for each in left if (by := cascade.named(each, known)) is not None}
            cases = await together.judged(self._session, left, found)
            if status is LineStatus.NEW:
                # A charge may name the leg that it was made for, and is not its money.
                costs = {each.line.id for each in cases if together.is_cost(each)}
                found = {key: by for key, by in found.items() if key not in costs}
                cases = [each for each in cases if each.line.id not in costs]
            named |= found
            more = await self._at_once(cases, status)
            done |= more
            left = [each for each in left if each.id in found and each.id not in more]
            if not left or len(more) < WORTH:
                return named, done

    async def _at_once(self, cases: Sequence[Case], status: LineStatus) -> set[UUID]:
        """What can be done with many lines in a few statements, or needs nothing; which they are.

        The others, and all where something goes on meanwhile, are looked at one by one.
        """
        if status is LineStatus.HINT:
            return {case.line.id for case in cases if not together.announces(case)}
        session = self._session
        done = await together.standing(session, cases) if status is LineStatus.OPEN else set()
        cases = together.first(cases)
        if status is LineStatus.NEW:
            wrong = [case for case in cases if case.verdict.step is Step.BREAK]
            await together.open_(session, wrong, self._operator)
            self.done.opened += len(wrong)
            done = {case.line.id for case in wrong}
        for ready, how in (
            (together.bookable(cases), together.book),
            (together.showable(cases), together.show),
        ):
            if not ready:
                continue
            try:
                async with session.begin_nested():
                    await how(session, ready, status, self._operator, actor=self._actor)
                    await self._matched([case.line for case in ready], status)
            except StatusChanged:
                continue
            self.done.legs += sum(len(case.verdict.legs) for case in ready)
            done |= {case.line.id for case in ready}
        return done

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

    def _prefund(self, line: BankLine, status: LineStatus) -> bool:
        """Whether the line is money that a member says it pays ahead; kept for the end."""
        slug = self._pays_ahead(line)
        if slug is None:
            return False
        self._ahead.append((line, status, self._members[slug]))
        return True

    async def payers_ahead(self) -> set[UUID]:
        """Members that pay ahead; what they have paid ahead is used by nobody else from now on."""
        members = {member_id for _, _, member_id in self._ahead}
        await caps.lock(self._session, members)
        return members

    async def prefund(self) -> None:
        """Lines that pay ahead, last: exposures are locked after every settlement."""
        for line, status, member_id in self._ahead:
            slug = self._pays_ahead(line)
            reason = f"its text says PREFUND {slug}"
            found = Found(rule=Rule.PREFUND, confidence=100, reason=reason)
            await lines.release(self._session, [line], {line.id: status}, self._operator)
            await pay_ahead(self._session, line, member_id, found, actor=self._actor)
            await self._matched([line], status)
            self.done.prefunded += 1

    def _pays_ahead(self, line: BankLine) -> str | None:
        """The member that a line says pays ahead."""
        slug = prefunding_member(line.remittance, line.text, line.structured_reference)
        return slug if slug in self._members and line.amount_micros > 0 else None

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

    async def _charge(self, rows: Sequence[BankLine]) -> None:
        """Lines that the bank says are its own charges, set-wise. Only new ones: a person who says
        otherwise has the last word."""
        if not rows:
            return
        await books.post(self._session, [lines.charged(each, self._operator) for each in rows])
        found = Found(rule=Rule.CHARGE, confidence=100, reason="the bank says it is a charge")
        await lines.note_matches(
            self._session,
            [lines.matched(each, found, each.amount_micros, actor=self._actor) for each in rows],
        )
        await self._matched(rows, LineStatus.NEW)
        self.done.charges += len(rows)

    async def _unknown(self, rows: Sequence[BankLine]) -> None:
        """Lines that name nothing of ours, set-wise."""
        if not rows:
            return
        await books.post(self._session, [lines.suspended(each, self._operator) for each in rows])
        ids = [each.id for each in rows]
        await lines.set_status(self._session, ids, [LineStatus.NEW], LineStatus.OPEN)
        await breaking.open_many(self._session, [together.unknown(each) for each in rows])
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
        groups: list[tuple[Any, Any]] = [(row[0], row[1]) for row in rows]
        for start in range(0, len(groups), CHUNK):
            found = await together.splits(self._session, groups[start : start + CHUNK])
            if not await self._split(found):
                for each in found:
                    await self._split([each])
            self._session.expunge_all()

    async def _split(self, found: Sequence[Split]) -> bool:
        """Book these legs by their parts, all or none; whether it was done."""
        if not found:
            return True
        session, parts = self._session, [line for each in found for line in each.parts]
        try:
            async with session.begin_nested():
                status = {each.id: LineStatus.OPEN for each in parts}
                await lines.release(session, parts, status, self._operator)
                await together.book_splits(session, found, actor=self._actor)
                await self._matched(parts, LineStatus.OPEN)
        except StatusChanged:
            return False
        self.done.legs += len(found)
        return True


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
