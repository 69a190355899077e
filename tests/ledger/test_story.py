"""A wallet's history told whole, and its statement as PDF."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import now
from marketplace.errors import InvalidRequest
from marketplace.ledger import repository, statement
from marketplace.ledger.domain import TransferCode
from marketplace.ledger.lots import expiries_by_month, lots_in_draw_order
from marketplace.ledger.statement import Statement, StatementTooLong, tell, typeset
from marketplace.ledger.story import StoryLine, Topic, page_of_story
from marketplace.ledger.words import explain
from marketplace.web.i18n import core_languages, speak
from tests.factories import Coalition, days
from tests.ledger.busy import make_busy
from tests.ledger.driver import Driver

EN = core_languages()["en"]


@pytest.fixture
async def busy(coalition: Coalition) -> Coalition:
    await make_busy(coalition)
    return coalition


async def story(session: AsyncSession, wallet_id: UUID, topic: Topic | None = None) -> list[str]:
    lines = await page_of_story(session, wallet_id, topic=topic, before=None, limit=100)
    with speak(EN):
        return [str(explain(line)) for line in lines]


async def test_each_line_says_what_happened(busy: Coalition) -> None:
    async with busy.runtime.database.begin() as session:
        told = await story(session, busy.wallets["bob"])
        assert told == [
            "Lamp was refunded in points of Gamma: test",
            "Points of Gamma for G2 expired unused",
            "Lamp was delivered; these points of Gamma are spent",
            "Held for Lamp until the partner delivers",
            "Card was delivered; these points of Gamma are spent",
            "Held for Card until the partner delivers",
            "Alpha gave you points for A2",
            "Gamma gave you points for G3",
            "Gamma gave you points for G2",
        ]
        ann = await story(session, busy.wallets["ann"], Topic.RETURNED)
        assert ann[0].startswith("2 \N{MULTIPLICATION SIGN} Lamp did not come: ")
        assert all("Card was refunded in points of" in line for line in ann[1:])


async def test_a_line_names_the_lots_it_moved(busy: Coalition) -> None:
    async with busy.runtime.database.begin() as session:
        lines = await page_of_story(
            session, busy.wallets["ann"], topic=None, before=None, limit=100
        )
    for line in lines:
        moved = sum(part.points for part in line.parts)
        if line.code in (TransferCode.HOLD, TransferCode.VOID, TransferCode.REFUND):
            assert moved == abs(line.available), line
        else:
            assert moved == 0
    held = [line for line in lines if line.code is TransferCode.HOLD and len(line.parts) > 1]
    assert [(part.issuer, part.reference) for part in held[-1].parts] == [
        ("Gamma", "G1"),
        ("Alpha", "A1"),
    ]


async def test_the_history_is_narrowed_and_paged_without_losing_a_line(busy: Coalition) -> None:
    wallet_id = busy.wallets["ann"]
    async with busy.runtime.database.begin() as session:
        whole = await page_of_story(session, wallet_id, topic=None, before=None, limit=100)
        by_topic: list[StoryLine] = []
        for topic in Topic:
            before = None
            while page := await page_of_story(
                session, wallet_id, topic=topic, before=before, limit=2
            ):
                by_topic += page
                before = page[-1].id
    assert sorted(by_topic, key=lambda line: -line.id) == whole


async def test_lots_are_shown_in_the_order_in_which_they_go(
    coalition: Coalition, drive: Driver
) -> None:
    async with coalition.runtime.database.begin() as session:
        start = await now(session)
    await coalition.issue("ann", 500, reference="EVER")
    await coalition.issue("ann", 300, reference="LATE", expires_at=start + days(80))
    await coalition.issue("ann", 200, reference="SOON", expires_at=start + days(5))
    await coalition.issue("ann", 100, reference="GONE", expires_at=start + days(1))
    await drive.later(days(2))
    wallet_id = coalition.wallets["ann"]
    async with coalition.runtime.database.begin() as session:
        lots = await lots_in_draw_order(session, wallet_id, limit=10)
        months = await expiries_by_month(session, wallet_id, months=12)
    assert [(lot.reference, lot.remaining) for lot in lots] == [
        ("SOON", 200),
        ("LATE", 300),
        ("EVER", 500),
    ]
    assert lots[-1].expires_at is None
    assert sum(month.points for month in months) == 500
    assert all(month.month <= month.first_at for month in months)


async def drawn_up(coalition: Coalition, name: str, first: date, last: date) -> Statement:
    async with coalition.runtime.database.begin() as session:
        return await statement.draw_up(
            session,
            coalition.wallets[name],
            name=name.title(),
            firm="Acme",
            first=first,
            last=last,
            made_at=datetime(2026, 3, 1, tzinfo=UTC),
        )


async def test_opening_balance_and_lines_are_the_closing_balance(
    busy: Coalition, drive: Driver
) -> None:
    async with busy.runtime.database.begin() as session:
        today = (await now(session)).date()
    await drive.later(days(1))
    await busy.issue("ann", 77)
    async with busy.runtime.database.begin() as session:
        balance = await repository.balance(session, busy.wallets["ann"])
    earlier = await drawn_up(busy, "ann", today - timedelta(days=300), today)
    later = await drawn_up(busy, "ann", today + timedelta(days=1), today + timedelta(days=60))
    assert earlier.opening == (0, 0)
    assert earlier.closing == later.opening
    assert later.closing == (balance.available, balance.held)
    assert [line.available for line in later.lines] == [77]
    told = tell(later, EN)
    assert told["closing"] == [f"{balance.available:,}", f"{balance.held:,}", told["closing"][2]]  # type: ignore[index]


async def test_the_statement_is_the_same_bytes_for_the_same_content(busy: Coalition) -> None:
    async with busy.runtime.database.begin() as session:
        today = (await now(session)).date()
    made = await drawn_up(busy, "ann", today - timedelta(days=300), today)
    for language in core_languages().values():
        first, second = await typeset(made, language), await typeset(made, language)
        assert first.startswith(b"%PDF-")
        assert first == second


async def test_what_people_wrote_is_never_read_as_markup(coalition: Coalition) -> None:
    nasty = '#panic("x") $x$ *b* _i_ `r` <l> @r \\ // [#]'
    await coalition.issue("ann", 5, reference=nasty)
    async with coalition.runtime.database.begin() as session:
        today = (await now(session)).date()
    made = await drawn_up(coalition, "ann", today, today)
    assert (await typeset(made, EN)).startswith(b"%PDF-")
    told: Any = tell(made, EN)
    (line,) = told["lines"]
    assert nasty in line["text"]


async def test_a_period_must_make_sense(
    coalition: Coalition, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = date(2026, 5, 1)
    for first, last in ((day, day - timedelta(days=1)), (day, day + timedelta(days=366))):
        with pytest.raises(InvalidRequest):
            await drawn_up(coalition, "ann", first, last)
    monkeypatch.setattr(statement, "MOST_LINES", 1)
    for _ in range(2):
        await coalition.issue("ann", 5)
    async with coalition.runtime.database.begin() as session:
        today = (await now(session)).date()
    with pytest.raises(StatementTooLong):
        await drawn_up(coalition, "ann", today, today)
