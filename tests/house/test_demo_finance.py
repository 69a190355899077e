"""What finance finds in the demonstration, and how an older one comes to have it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from marketplace_sepa import checks, reading
from marketplace_sepa.sides import Account, House

from marketplace.contract.bank_records import BankEntry, StatementEnd, StatementStart
from marketplace.demo import accounts, bank, online, seed
from marketplace.demo.bank import Movement, Statement
from marketplace.demo.finance import Done, Finance
from marketplace.demo.people import MEMBERS
from marketplace.demo.plan import Day, history, participants, with_month_ends
from marketplace.demo.processes import free_port
from marketplace.demo.shelf import offers
from marketplace.demo.terminal import Terminal
from marketplace.errors import UsageError
from marketplace.ledger.verify import verify
from marketplace.runtime import open_runtime
from marketplace.settings import Settings, load
from settlement.pages.bank_queries import stated
from tests.conftest import SECRET_KEY

NOW = datetime(2026, 3, 1, 7, tzinfo=UTC)


def test_accounts_are_such_as_the_rail_takes() -> None:
    house = msgspec.convert(accounts.house(), House)
    checks.check_house(house)
    assert checks.creditor_id(house)
    given = accounts.of_members()
    assert set(given) == {member.slug for member in MEMBERS}
    for account in given.values():
        checks.check_account(msgspec.convert(account, Account))
    ibans = [account["iban"] for account in given.values()] + [accounts.HOUSE.iban]
    assert len(set(ibans)) == len(ibans)


def test_what_the_bank_writes_is_read_as_it_was_meant() -> None:
    statement = Statement(
        account=accounts.HOUSE.iban,
        number=7,
        day=date(2026, 10, 6),
        opening_micros=-20_000,
        movements=[
            Movement(
                micros=1_250_010_000,
                name="Söhne & Co",
                account=accounts.PLACES["nordlicht"].iban,
                text="a < b",
                reference="S-2026-0004-EUR-0001",
            ),
            Movement(micros=-70_000, name="B", account=accounts.HOUSE.iban, text="fee"),
        ],
    )
    records = list(reading.records(io.BytesIO(bank.written(statement))))
    start, first, second, end = records
    assert isinstance(start, StatementStart)
    assert (start.reference, start.number) == ("2026-0007", 7)
    assert isinstance(first, BankEntry)
    assert (first.amount_micros, first.booked_on) == (1_250_010_000, statement.day)
    (detail,) = first.details
    assert (detail.end_to_end_id, detail.remittance) == ("S-2026-0004-EUR-0001", "a < b")
    assert detail.counterparty_name == "Söhne & Co"
    assert isinstance(second, BankEntry)
    assert second.amount_micros == -70_000
    assert second.details[0].end_to_end_id == ""
    assert isinstance(end, StatementEnd)
    assert end.closing_micros == -20_000 + 1_250_010_000 - 70_000


def test_every_month_ends_between_its_purchases_and_those_of_the_next() -> None:
    days = list(history(participants(), offers(), NOW))
    whole = list(with_month_ends(days, NOW))
    ends = [day.at for day in whole if day.ends_month]
    assert ends[-1] == datetime(2026, 3, 1, tzinfo=UTC)
    assert all(at.day == 1 and at.hour == 0 for at in ends)
    assert len(ends) == len(set(ends)) == 12
    assert [day.at for day in whole] == sorted(day.at for day in whole)
    assert sorted(each.reference for day in whole for each in day.purchases) == sorted(
        each.reference for day in days for each in day.purchases
    )
    assert [wish for day in whole for wish in day.wishes] == [
        wish for day in days for wish in day.wishes
    ]
    for before, day in pairwise(whole):
        # What is bought in a month is known before it ends, and no later purchase is.
        assert all(each.at < day.at for each in day.purchases)
        if before.ends_month:
            assert all(each.at >= before.at for each in day.purchases)


@pytest.fixture
def surroundings(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a demonstration, for its commands too."""
    monkeypatch.setenv("MARKETPLACE_DATABASE_URL", database_url)
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)
    monkeypatch.setenv("MARKETPLACE_VAR_DIR", str(tmp_path))
    return load()


async def made_by_an_earlier_version(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short year in one window, without accounts, a second person of finance or a mark."""

    async def nothing(*_: Any) -> None:
        """Earlier versions knew nothing of it."""

    def short(people: Any, shelf: Any, now: datetime) -> Iterator[Day]:
        return iter(list(history(people, shelf, now))[-2:])

    async def mark(runtime: Any, action: str) -> None:
        if action in (seed.BEGAN, seed.FINISHED):
            await real(runtime, action)

    real = seed._mark
    with monkeypatch.context() as earlier:
        for name in ("_take_payments", "list_offers", "start_campaigns", "list_campaigns"):
            earlier.setattr(seed, name, nothing)
        earlier.setattr(seed, "NEWCOMERS", ())
        earlier.setattr(seed, "history", short)
        earlier.setattr(seed, "with_month_ends", lambda days, now: days)
        earlier.setattr(seed, "with_gifts", lambda days, people, begins: days)
        earlier.setattr(seed, "gifts_before", lambda now, people: Day(now, [], []))
        earlier.setattr(seed, "_mark", mark)
        earlier.setattr(Finance, "open_accounts", nothing)
        earlier.setattr(Finance, "settle_months", nothing)
        await seed.prepare(settings, lambda _: None)


def failing_once(step: Callable[..., Any]) -> Callable[..., Any]:
    """The step, whose first call stops the program before it does anything."""
    calls: list[None] = []

    async def instead(self: Finance, *given: Any) -> Any:
        calls.append(None)
        if len(calls) == 1:
            raise UsageError("stopped")
        return await step(self, *given)

    return instead


async def test_an_older_demonstration_comes_along_wherever_it_was_stopped(
    surroundings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made_by_an_earlier_version(surroundings, monkeypatch)
    stops = (Finance.close, Finance._dispute, Finance._bank_books, Finance._stranger_pays)
    for step in stops:
        monkeypatch.setattr(Finance, step.__name__, failing_once(step))
    for _ in stops:
        with pytest.raises(UsageError, match="stopped"):
            await seed.prepare(surroundings, lambda _: None)
    port = free_port(online.HOST)
    await seed.prepare(surroundings, lambda _: None, port)
    with online.running(surroundings, port):
        done = await goes_on_by_hand(surroundings)
    # What is there is left alone from now on.
    await seed.prepare(surroundings, lambda _: None)
    async with open_runtime(surroundings) as runtime:
        assert await Finance(runtime, Terminal(runtime)).done() == done


async def goes_on_by_hand(settings: Settings) -> Done:
    """What came along is whole, and the month that waits is paid by people."""
    async with open_runtime(settings) as runtime:
        terminal = Terminal(runtime)
        finance = Finance(runtime, terminal)
        done = await finance.done()
        assert (len(done.settled), len(done.waiting)) == (1, 1)
        assert (done.statements, done.breaks) == (3, 1)
        assert await finance.has_burns()
        assert len(await finance.closed()) == 2
        (dispute,) = await terminal.json("settlement", "dispute", "list")
        assert (dispute["status"], dispute["member"]) == ("open", "kartenkontor")
        made = await terminal.json("settlement", "files", done.settled[0], "--check")
        assert len(made["again"]) == 2
        assert all(each["same"] for each in made["again"])
        async with runtime.database.begin() as session:
            assert not await verify(session)
        statements = await terminal.json("settlement", "bank", "statements")
        async with runtime.database.begin() as session:
            rows = await stated(session, UUID(statements[-1]["id"]), after=None, most=50)
            after = await stated(session, rows[0].line.statement_id, after=rows[0].place, most=50)
            (stranger,) = await stated(session, UUID(statements[0]["id"]), after=None, most=50)
        assert all(each.legs and not each.waits for each in rows)
        assert [each.line.id for each in after] == [each.line.id for each in rows[1:]]
        assert stranger.waits
        assert not stranger.legs
        legs = await terminal.json("settlement", "legs", done.settled[0])
        over = sorted((each["rail"], each["direction"]) for each in legs if each["amount_minor"])
        assert {rail for rail, _ in over} == {"sepa", "stripe"}
        assert [way for rail, way in over if rail == "stripe"] == ["collect", "pay"]
        # The month goes on by hand: the bank answers what is sent, debits first.
        for step in ("approve", "submit"):
            await terminal.run("settlement", step, done.waiting[0])
        assert await finance.bank_answers() == await finance.bank_answers()
        while (answer := await finance.bank_answers()) is not None:
            await terminal.run("settlement", "bank", "import", str(answer))
            await terminal.run("settlement", "submit", done.waiting[0])
        done = await finance.done()
        assert len(done.settled) == 2
        return done


async def test_commands_say_what_they_refuse(surroundings: Settings) -> None:
    async with open_runtime(surroundings) as runtime:
        terminal = Terminal(runtime)
        with pytest.raises(UsageError, match="no settlement"):
            await terminal.run("settlement", "approve", "S-2020-0001")
        with pytest.raises(UsageError, match="not in force"):
            await terminal.run("settlement", "sing")
