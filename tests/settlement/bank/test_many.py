"""A statement of a busy day: what matching costs does not grow with its lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from marketplace.ids import uuid7
from settlement.bank import cascade, matching, together, transit
from settlement.bank.domain import BreakKind, BreakStatus, Rule
from settlement.bank.models import Break, Match
from settlement.clearing import books
from settlement.clearing import legs as leg_steps
from settlement.clearing.domain import AccountKind, LegStatus, PostingCode
from settlement.clearing.models import Posting, SettlementLeg
from settlement.errors import StatusChanged
from settlement.history import SettlementEvent
from tests.settlement.bank.books_and_bank import prove
from tests.settlement.bank.paper import Desk, Teller
from tests.settlement.bank.test_matching import lines, pays, status, submitted
from tests.settlement.clearing.house import House

COLUMNS = [each.name for each in SettlementLeg.__table__.columns]


async def copies(house: House, leg: SettlementLeg, count: int, start: int) -> list[SettlementLeg]:
    """So many legs more with the rail, each like this one."""
    own = {
        SettlementLeg.__mapper__.get_property_by_column(c).key for c in SettlementLeg.__table__.c
    }
    known = {name: getattr(leg, name) for name in own} | {"counterparty_id": None}
    stem = leg.reference.rpartition("-")[0]
    made = [
        SettlementLeg(**known | {"id": uuid7(), "reference": f"{stem}-{number}"})
        for number in range(start, start + count)
    ]
    async with house.runtime.database.begin() as session:
        session.add_all(made)
        await session.flush()
        rows = [
            books.of_leg(PostingCode.SUBMIT, each, books.transit(each), books.due(each))
            for each in made
        ]
        await books.post(session, rows)
    return made


@contextmanager
def counted(house: House) -> Iterator[list[str]]:
    """The statements that are sent to the database."""
    engine = house.runtime.database.engine.sync_engine
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *more: Any) -> None:
        seen.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


async def match(house: House) -> tuple[matching.Matched, int]:
    """A pass, and how many statements it took."""
    with counted(house) as seen:
        async with house.runtime.database.begin() as session:
            done = await matching.match(session, late_days=10_000)
    return done, len(seen)


async def test_statements_sent_do_not_grow_with_the_lines(
    house: House, desk: Desk, teller: Teller
) -> None:
    _, found = await submitted(house)
    await desk.account()
    costs, again, day = [], [], 5
    for count in (20, 400):
        day += 1
        legs = await copies(house, found[0], count, start=count * 1_000)
        good, odd = legs[: count // 2], legs[count // 2 :]
        wrong = [
            teller.entry(lines.expected(leg) + 10_000, end_to_end_id=leg.reference) for leg in odd
        ]
        strangers = [teller.entry("1", counterparty_name="Nobody") for _ in range(count)]
        entries = [*(pays(teller, leg) for leg in good), *wrong, *strangers]
        path = teller.file(teller.statement(*entries, day=date(2026, 1, day)))
        await desk.take(path, match=False)
        done, cost = await match(house)
        assert (done.matched, done.legs, done.opened) == (len(good), len(good), len(odd) + count)
        assert {await status(house, leg) for leg in good[:5]} == {LegStatus.BOOKED}
        costs.append(cost)
        # Nobody has done anything since: a pass changes nothing, and costs next to nothing.
        done, cost = await match(house)
        assert (done.matched, done.opened) == (0, 0)
        again.append(cost)
    assert costs[1] <= costs[0] + 10
    assert again[1] <= again[0] + 3 < 40
    await prove(house.runtime)
    async with house.runtime.database.begin() as session:
        rules = await session.execute(sa.select(Match.rule, Match.confidence, Match.reason))
        assert {(rule, sure) for rule, sure, _ in rules} == {(Rule.END_TO_END, 100)}
        kinds = await session.scalars(sa.select(Break.kind).where(Break.leg_id.is_not(None)))
        assert set(kinds) == {BreakKind.AMOUNT_DIFFERS}
        booked = await session.scalars(
            sa.select(SettlementEvent.note).where(
                SettlementEvent.before == LegStatus.SUBMITTED,
                SettlementEvent.after == LegStatus.BOOKED,
            )
        )
        assert all("with its amount and direction" in note for note in booked)


async def test_what_went_on_meanwhile_is_looked_at_line_by_line(
    house: House, desk: Desk, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = await submitted(house)
    await desk.account()
    entries = [pays(teller, leg) for leg in found]
    # The same leg twice in one statement, and one that is announced only.
    entries += [pays(teller, found[0]), teller.entry("5", counterparty_name="Nobody")]
    await desk.take(teller.file(teller.statement(*entries)), match=False)
    whole = together.book

    async def interrupted(*of: Any, **more: Any) -> None:
        await whole(*of, **more)
        raise StatusChanged("somebody was faster")

    monkeypatch.setattr(together, "book", interrupted)
    done, _ = await match(house)
    assert (done.matched, done.legs) == (len(found), len(found))
    assert {await status(house, leg) for leg in found} == {LegStatus.BOOKED}
    async with house.runtime.database.begin() as session:
        kinds = sorted(await session.scalars(sa.select(Break.kind)))
        count = await session.scalar(sa.select(sa.func.count()).select_from(Match))
    assert kinds == [BreakKind.DUPLICATE, BreakKind.UNKNOWN_PAYER]
    assert count == len(found)
    await prove(house.runtime)


async def test_a_pass_that_is_interrupted_leaves_nothing_behind(
    house: House, desk: Desk, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = await submitted(house)
    await desk.account()
    await desk.take(
        teller.file(teller.statement(*(pays(teller, leg) for leg in found))), match=False
    )

    async def killed(*_: Any, **__: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(matching.suggesting, "suggest", killed)
        with pytest.raises(KeyboardInterrupt):
            await match(house)
    assert {await status(house, leg) for leg in found} == {LegStatus.SUBMITTED}
    done, _ = await match(house)
    assert done.legs == len(found)
    await prove(house.runtime)


async def test_lines_that_name_the_same_legs_cost_no_more(
    house: House, desk: Desk, teller: Teller
) -> None:
    _, found = await submitted(house)
    await desk.account()
    costs, day = [], 5
    for count in (20, 200):
        day += 1
        legs = await copies(house, found[0], 2 * count, start=count * 1_000)
        twice, parts = legs[:count], legs[count:]
        entries = [pays(teller, leg) for leg in twice for _ in range(2)]
        for leg in parts:
            part = lines.expected(leg) // 3
            entries += [
                teller.entry(amount, end_to_end_id=leg.reference)
                for amount in (part, lines.expected(leg) - part)
            ]
        await desk.take(
            teller.file(teller.statement(*entries, day=date(2026, 1, day))), match=False
        )
        done, cost = await match(house)
        assert (done.matched, done.legs, done.opened) == (3 * count, 2 * count, 3 * count)
        assert {await status(house, leg) for leg in (*twice[:3], *parts[:3])} == {LegStatus.BOOKED}
        costs.append(cost)
    assert costs[1] <= costs[0] + 10
    await prove(house.runtime)
    async with house.runtime.database.begin() as session:
        kinds = await session.execute(
            sa.select(Break.kind, Break.status, sa.func.count()).group_by(Break.kind, Break.status)
        )
        assert sorted(map(tuple, kinds)) == [
            (BreakKind.AMOUNT_DIFFERS, BreakStatus.GONE, 2 * 220),
            (BreakKind.DUPLICATE, BreakStatus.OPEN, 220),
        ]


async def test_what_a_rail_said_is_shown_by_many_lines_at_once(
    house: House, desk: Desk, teller: Teller
) -> None:
    _, found = await submitted(house)
    await desk.account()
    costs, day = [], 5
    for count in (20, 200):
        day += 1
        legs = await copies(house, found[0], count, start=count * 1_000)
        async with house.runtime.database.begin() as session:
            for leg in legs:
                booked_on = date(2026, 1, day)
                await leg_steps.book(session, leg.id, booked_on=booked_on, actor="the rail")
        entries = [pays(teller, leg) for leg in legs]
        path = teller.file(teller.statement(*entries, day=date(2026, 1, day)))
        await desk.take(path, match=False)
        done, cost = await match(house)
        assert (done.matched, done.legs, done.opened) == (count, count, 0)
        costs.append(cost)
        assert (await match(house))[0].matched == 0
    assert costs[1] <= costs[0] + 10
    await prove(house.runtime)
    async with house.runtime.database.begin() as session:
        kept = await books.balances(session, account=AccountKind.BANK)
        assert books.rail_account("paper") not in {each.owner for each in kept}


async def test_equal_amounts_without_references_are_told_apart_by_the_other_side(
    house: House, desk: Desk, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = await submitted(house)
    await desk.account()
    count = 120
    legs = await copies(house, found[0], count, start=7_000)
    async with house.runtime.database.begin() as session:
        for number, leg in enumerate(legs[:60]):
            row = await session.get_one(SettlementLeg, leg.id)
            row.name, row.account = f"Member  {number}", {"number": f"M-{number}"}
        # Of these any could be anybody's.
        for leg in legs[60:]:
            (await session.get_one(SettlementLeg, leg.id)).name = "The same"
    names = [f"member {number}" for number in range(60)] + ["The Same"] * 60
    entries = [
        teller.entry(lines.expected(leg), counterparty_name=name)
        for leg, name in zip(legs, names, strict=True)
    ]
    day = legs[0].due_on
    await desk.take(teller.file(teller.statement(*entries, day=day)), match=False)
    asked: list[Any] = []
    whole = cascade.alike

    def noted(*of: Any) -> Any:
        asked.append(of)
        return whole(*of)

    monkeypatch.setattr(cascade, "alike", noted)
    done, _ = await match(house)
    assert (done.matched, done.suggested, done.opened) == (0, 60, count)
    assert len(asked) <= count


async def test_parts_are_booked_leg_by_leg_where_something_went_on_meanwhile(
    house: House, desk: Desk, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = await submitted(house)
    await desk.account()
    legs = await copies(house, found[0], 3, start=4_000)
    entries = [
        teller.entry(amount, end_to_end_id=leg.reference)
        for leg in legs
        for amount in (10_000, lines.expected(leg) - 10_000)
    ]
    await desk.take(teller.file(teller.statement(*entries)), match=False)
    whole = together.book_splits

    async def interrupted(session: Any, of: Any, **more: Any) -> None:
        await whole(session, of, **more)
        if len(of) > 1 or of[0].leg.reference == legs[1].reference:
            raise StatusChanged("somebody was faster")

    monkeypatch.setattr(together, "book_splits", interrupted)
    done, _ = await match(house)
    assert (done.legs, done.matched) == (2, 4)
    assert [await status(house, leg) for leg in legs] == [
        LegStatus.BOOKED,
        LegStatus.SUBMITTED,
        LegStatus.BOOKED,
    ]
    await prove(house.runtime)
    monkeypatch.undo()
    assert (await match(house))[0].legs == 1
    await prove(house.runtime)


async def test_what_statements_have_shown_is_not_read_again(
    house: House, desk: Desk, teller: Teller
) -> None:
    _, found = await submitted(house)
    await desk.account()
    legs = await copies(house, found[0], 40, start=9_000)
    async with house.runtime.database.begin() as session:
        for leg in legs:
            await leg_steps.book(session, leg.id, booked_on=leg.due_on, actor="the rail")
    shown, waiting = legs[:-1], legs[-1]
    entries = [pays(teller, leg) for leg in shown]
    await desk.take(teller.file(teller.statement(*entries, day=waiting.due_on)))
    read: list[object] = []

    def note(row: object, _: object) -> None:
        read.append(row)

    for table in (SettlementLeg, Posting):
        sa.event.listen(table, "load", note)
    try:
        async with house.runtime.database.begin() as session:
            in_transit = await transit.in_transit(session)
    finally:
        for table in (SettlementLeg, Posting):
            sa.event.remove(table, "load", note)
    references = {each.reference for each in in_transit}
    assert waiting.reference in references
    assert references.isdisjoint(leg.reference for leg in shown)
    assert len(read) == len(in_transit)
