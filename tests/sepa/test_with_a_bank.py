"""The SEPA rail and a bank: what is sent, what is booked, what comes back, as the house sees it.

The rail works in its plugin's process, as for settlement; the bank shares no code with it.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import pytest
from marketplace_sepa.rehearsal import SepaRehearsal

from marketplace import api
from marketplace.containment.rails import HeldReadingFileRail
from marketplace.host import KEPT_S
from marketplace.registry import service
from marketplace.registry.trying import try_settings
from marketplace.runtime import Runtime
from tests.fakes.bank import Bank

IBAN = SepaRehearsal.settings.iban
DUE = date(2026, 11, 27)
ACCOUNT = {
    "holder": "Zakład Łódź",
    "iban": "PL61 1090 1014 0000 0712 1981 2874",
    "mandate_id": "MANDATE-1",
    "mandate_signed_on": "2026-01-31",
}


@pytest.fixture
async def rail(runtime: Runtime) -> AsyncIterator[HeldReadingFileRail]:
    """The rail of a house that was told its own account."""
    yield await told(runtime)
    runtime.close_plugins()


def legs(*amounts: int, collect: bool = False, start: int = 1) -> list[api.Leg]:
    """Legs as settlement keeps them: the account is JSON."""
    return [
        api.Leg(
            reference=f"S-2026-0001-{number:04d}",
            direction=api.Direction.COLLECT if collect else api.Direction.PAY,
            amount_minor=amount,
            currency="EUR",
            name="Zakład",
            account=ACCOUNT,
            due_on=DUE,
            text="Coalition settlement 2026-11",
        )
        for number, amount in enumerate(amounts, start)
    ]


async def send(rail: HeldReadingFileRail, bank: Bank, found: Sequence[api.Leg]) -> list[bytes]:
    """Have files made, carry them to the bank, and bring back its answers."""
    house = await asyncio.to_thread(rail.house_now)
    made_at = datetime(2026, 11, 25, tzinfo=UTC)
    batch = api.Batch(reference="S-2026-0001", made_at=made_at, house=house)
    files = await asyncio.to_thread(rail.files, batch, found)
    assert list(await asyncio.to_thread(rail.files, batch, found)) == list(files)
    return [bank.take(each.content) for each in files]


async def read(rail: HeldReadingFileRail, content: bytes) -> list[api.BankRecord]:
    """What the bank's file says."""
    return await asyncio.to_thread(lambda: list(rail.read(io.BytesIO(content))))


def details(found: Sequence[api.BankRecord]) -> Iterator[tuple[str, int | None]]:
    """Our references and their amounts."""
    for each in found:
        if isinstance(each, api.BankEntry):
            yield from ((d.end_to_end_id, d.amount_micros) for d in each.details)


def foots(found: Sequence[api.BankRecord]) -> bool:
    """Whether the one statement does."""
    booked = sum(e.amount_micros for e in found if isinstance(e, api.BankEntry))
    end = found[-1]
    assert isinstance(end, api.StatementEnd)
    assert end.opening_micros is not None
    return end.opening_micros + booked == end.closing_micros


async def told(runtime: Runtime) -> HeldReadingFileRail:
    """Give the plugin its settings and return its rail."""
    given = msgspec.to_builtins(SepaRehearsal.settings)
    async with runtime.database.begin() as session:
        await service.configure(session, runtime, "sepa", given, actor="cli:test")
    found = runtime.rails["sepa"]
    assert isinstance(found, HeldReadingFileRail)
    return found


def a_bank(**more: object) -> Bank:
    """A bank on the day the legs are due, with money."""
    return Bank(IBAN, opening="1000.00", today=DUE, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("version", [2, 4, 8, 10])
async def test_what_is_sent_comes_back_on_a_statement_that_foots(
    rail: HeldReadingFileRail, version: int
) -> None:
    bank = a_bank(version=version)
    answers = await send(rail, bank, [*legs(1, 12_345), *legs(7, collect=True, start=3)])
    for answer in answers:
        (status,) = await read(rail, answer)
        assert isinstance(status, api.BatchStatus)
        assert status.state is api.BankAnswer.ACCEPTED
    bank.book()
    found = await read(rail, bank.statement())
    assert foots(found)
    assert sorted(details(found)) == [
        ("S-2026-0001-0001", -10_000),
        ("S-2026-0001-0002", -123_450_000),
        ("S-2026-0001-0003", 70_000),
    ]
    start = found[0]
    assert isinstance(start, api.StatementStart)
    assert (start.account, start.opening_micros) == (IBAN, 1_000_000_000)
    assert bank.balance == Decimal("876.61")


async def test_a_batch_is_booked_in_one_sum_with_and_without_details(
    rail: HeldReadingFileRail,
) -> None:
    for with_details in (True, False):
        bank = a_bank()
        await send(rail, bank, legs(100, 200, 300))
        bank.book(batched=True, details=with_details)
        found = await read(rail, bank.statement())
        assert foots(found)
        (entry,) = (each for each in found if isinstance(each, api.BankEntry))
        assert (entry.amount_micros, entry.count) == (-6_000_000, 3)
        assert (entry.message_id, entry.payment_information_id) == (
            "S-2026-0001-T",
            "S-2026-0001-T-1",
        )
        assert len(entry.details) == (3 if with_details else 0)


async def test_a_refused_leg_and_the_same_file_twice(
    rail: HeldReadingFileRail,
) -> None:
    bank = a_bank()
    await send(rail, bank, legs(100, 200))
    again = await send(rail, bank, legs(100, 200))
    (status,) = await read(rail, again[0])
    assert isinstance(status, api.BatchStatus)
    assert (status.state, status.code) == (api.BankAnswer.REJECTED, "DU01")
    group, leg = await read(rail, bank.reject("S-2026-0001-0002", code="AC04"))
    assert isinstance(group, api.BatchStatus)
    assert group.state is api.BankAnswer.PARTIAL
    assert isinstance(leg, api.LegStatus)
    assert (leg.reference, leg.state, leg.code) == (
        "S-2026-0001-0002",
        api.BankAnswer.REJECTED,
        "AC04",
    )
    bank.book()
    assert list(details(await read(rail, bank.statement()))) == [("S-2026-0001-0001", -1_000_000)]


async def test_a_whole_file_is_refused_without_naming_its_legs(rail: HeldReadingFileRail) -> None:
    bank = a_bank()
    await send(rail, bank, legs(100, 200))
    (whole,) = await read(rail, bank.reject_file("S-2026-0001-T"))
    assert isinstance(whole, api.BatchStatus)
    assert (whole.original_message_id, whole.code) == ("S-2026-0001-T", "FF01")
    assert bank.due() == []


async def test_money_comes_back_months_later(rail: HeldReadingFileRail) -> None:
    bank = a_bank()
    await send(rail, bank, [*legs(100), *legs(50, collect=True, start=2)])
    bank.book()
    bank.statement()
    bank.notification()
    bank.later(100)
    bank.give_back("S-2026-0001-0001", code="AC04")
    bank.give_back("S-2026-0001-0002", code="MD06")
    for content in (bank.notification(), bank.statement()):
        found = await read(rail, content)
        entries = [each for each in found if isinstance(each, api.BankEntry)]
        assert [
            (d.end_to_end_id, d.amount_micros, d.return_code) for e in entries for d in e.details
        ] == [("S-2026-0001-0001", 1_000_000, "AC04"), ("S-2026-0001-0002", -500_000, "MD06")]
        assert [each.reversal for each in entries] == [False, True]
        assert {d.counterparty_account for e in entries for d in e.details} == {
            "PL61109010140000071219812874"
        }
    assert foots(found)


async def test_what_a_bank_does_wrong_is_seen_as_it_is(rail: HeldReadingFileRail) -> None:
    bank = a_bank(lose_ids=True)
    await send(rail, bank, legs(101))
    bank.book(parts=2)
    bank.move("12.00", name="A stranger", text="RF18539007547034")
    found = await read(rail, bank.statement(off_by="0.01"))
    assert not foots(found)
    assert list(details(found)) == [("", -500_000), ("", -510_000), ("", 12_000_000)]
    assert foots(await read(rail, bank.statement()))


async def test_what_the_rail_refuses_is_said_in_its_words(rail: HeldReadingFileRail) -> None:
    with pytest.raises(api.InvalidRequest, match="no IBAN"):
        await asyncio.to_thread(rail.check_account, {**ACCOUNT, "iban": "PL61"})
    await asyncio.to_thread(rail.check_account, ACCOUNT)
    with pytest.raises(api.InvalidRequest, match="ZIP"):
        await read(rail, b"PK\x03\x04")
    dollars = [msgspec.structs.replace(each, currency="USD") for each in legs(1)]
    with pytest.raises(api.InvalidRequest, match="S-2026-0001-0001: SEPA moves EUR only"):
        await send(rail, a_bank(), dollars)


async def test_its_settings_are_tried_before_they_are_needed(runtime: Runtime) -> None:
    found = await try_settings(runtime, "sepa")
    assert not found.ok
    assert "iban" in found.message
    await told(runtime)
    assert (await try_settings(runtime, "sepa")).ok
    wrong = {"creditor_id": "DE97ZZZ09999999999"}
    async with runtime.database.begin() as session:
        await service.configure(session, runtime, "sepa", wrong, actor="cli:test")
    await asyncio.sleep(KEPT_S)
    found = await try_settings(runtime, "sepa")
    assert (found.ok, "creditor identifier" in found.message) == (False, True)
    runtime.close_plugins()
