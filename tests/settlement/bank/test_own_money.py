"""Charges of a bank, and money between accounts of the house: matched, in transit, late, undone."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import httpx
import msgspec
import pytest
import sqlalchemy as sa

from marketplace.clock import now
from marketplace.contract.bank_records import BankEntry, OwnMove
from marketplace.identity.domain import Role
from settlement.bank import deciding, gathering, matching, resolving, transit
from settlement.bank.domain import Action, BreakKind, Rule
from settlement.bank.errors import BreakNeedsAction
from settlement.bank.models import Break, Match
from settlement.bank.resolving import Resolution
from settlement.clearing.domain import AccountKind
from tests.exchange.browsing import Browser
from tests.settlement.bank.books_and_bank import prove
from tests.settlement.bank.paper import DAY, Desk, Teller
from tests.settlement.bank.test_matching import open_breaks, pays, resolve, submitted
from tests.settlement.clearing.house import ANNA, House
from tests.settlement.test_pages import Make

BALANCE = "STRIPE/1TEST"


@pytest.fixture
async def balance(desk: Desk, teller: Teller) -> Teller:
    """Another account of the house, which pays out to its bank."""
    await desk.account()
    await desk.account(BALANCE)
    return Teller(teller.folder, BALANCE)


def out(name: str, due_on: date = DAY, **more: Any) -> OwnMove:
    """A move to the bank."""
    return OwnMove(name=name, party="Stripe", due_on=due_on, **more)


async def live(house: House) -> list[Match]:
    """Matches that nobody has undone, in their order."""
    async with house.runtime.database.begin() as session:
        return await deciding.live(session, sa.true())


async def undo(house: House, match: Match) -> None:
    """Anna undoes a match."""
    async with house.runtime.database.begin() as session:
        await deciding.undo(session, match.id, actor=ANNA, note="it is not")


async def a_pass(house: House) -> matching.Matched:
    """One more."""
    async with house.runtime.database.begin() as session:
        return await matching.match(session)


async def sound(house: House) -> None:
    """The books are."""
    assert not await house.findings()
    await prove(house.runtime)


async def test_charges_are_booked_until_a_person_says_otherwise(
    house: House, desk: Desk, teller: Teller
) -> None:
    _, (leg, *_) = await submitted(house)
    await desk.account()
    report = await desk.take(
        teller.file(
            teller.statement(
                pays(teller, leg, charge=True),  # The reference says more than the bank's code.
                teller.entry("-7.50", charge=True),
                teller.entry("-3", charge=True, end_to_end_id=leg.reference),
                teller.entry("-2"),
            )
        )
    )
    assert report.matched is not None
    assert (report.matched.legs, report.matched.charges, report.matched.opened) == (1, 2, 1)
    assert {each.rule for each in await live(house)} == {Rule.END_TO_END, Rule.CHARGE}
    assert [each.amount_micros for each in await open_breaks(house)] == [-2_000_000]
    await sound(house)
    wrong = next(each for each in await live(house) if each.amount_micros == -7_500_000)
    await undo(house, wrong)
    await sound(house)
    assert (await a_pass(house)).charges == 0
    (again,) = [each for each in await open_breaks(house) if each.entry_id == wrong.entry_id]
    await resolve(house, again, Action.FEES)
    await sound(house)
    assert AccountKind.MARGIN in await house.balances()


@pytest.mark.parametrize("bank_first", [False, True])
@pytest.mark.parametrize(
    ("shown", "rule"),
    [
        ({"remittance": "STRIPE PAYOUT PO_1Aa2 Bb3"}, Rule.OWN_REFERENCE),
        ({"counterparty_name": "STRIPE PAYMENTS"}, Rule.OWN_AMOUNT),
        ({"entry_reference": "TRACE-77"}, Rule.OWN_REFERENCE),
        ({}, Rule.OWN_AMOUNT),
    ],
)
async def test_a_payout_meets_the_bank_s_line(
    house: House,
    desk: Desk,
    teller: Teller,
    balance: Teller,
    bank_first: bool,
    shown: dict[str, Any],
    rule: Rule,
) -> None:
    move = out("po_1Aa2Bb3", references=("TRACE-77",))
    files = [
        balance.file(balance.statement(balance.entry("-30", own=move)), name="1"),
        teller.file(
            teller.statement(teller.entry("30", **shown), day=DAY + timedelta(days=2)), name="2"
        ),
    ]
    for path in reversed(files) if bank_first else files:
        await desk.take(path)
    first, second = await live(house)
    assert (first.rule, second.rule) == (Rule.OWN, rule)
    assert await open_breaks(house) == []
    async with house.runtime.database.begin() as session:
        assert await transit.own_in_transit(session) == []
    await sound(house)
    # Undone it is left alone, and a person may say the same again.
    await undo(house, second)
    assert (await a_pass(house)).moved == 0
    await sound(house)
    (row,) = await open_breaks(house, BreakKind.UNKNOWN_PAYER)
    await resolve(house, row, Action.CONTRA, entry_id=first.entry_id)
    assert await open_breaks(house, BreakKind.UNKNOWN_PAYER) == []
    await sound(house)


async def test_what_might_be_another_s_money_is_left_to_a_person(
    house: House, desk: Desk, teller: Teller, balance: Teller
) -> None:
    told = [
        balance.entry("-10", own=out("po_another")),
        balance.entry("-20", own=out("po_twice1")),
        balance.entry("-20", own=out("po_twice2")),
        balance.entry("-40", own=out("po_far", DAY + timedelta(days=20))),
    ]
    await desk.take(balance.file(balance.statement(*told), name="1"))
    shown = [
        teller.entry("10", counterparty_name="Bauhof Kessler"),
        teller.entry("20"),
        teller.entry("40"),
    ]
    report = await desk.take(teller.file(teller.statement(*shown), name="2"))
    assert report.matched is not None
    assert report.matched.moved == 0
    unknown = await open_breaks(house, BreakKind.UNKNOWN_PAYER)
    assert len(unknown) == 3
    (row,) = [each for each in unknown if each.amount_micros == 20_000_000]
    wrong = next(each for each in await live(house) if each.amount_micros == -40_000_000)
    async with house.runtime.database.begin() as session:
        how = Resolution(action=Action.CONTRA, note="it is", entry_id=wrong.entry_id)
        with pytest.raises(BreakNeedsAction, match="on its way"):
            await resolving.resolve(session, row.id, how, actor=ANNA)
    await sound(house)


async def test_as_many_equal_lines_as_equal_payouts_are_taken_in_order(
    house: House, desk: Desk, teller: Teller, balance: Teller
) -> None:
    days = [DAY, DAY + timedelta(days=1)]
    told = [balance.entry("-20", own=out(f"po_{n}", day)) for n, day in enumerate(days)]
    await desk.take(balance.file(balance.statement(*told), name="1"))
    # One line may be either's; the second makes it certain that nothing is left over.
    await desk.take(teller.file(teller.statement(teller.entry("20")), name="2"))
    assert [each.rule for each in await live(house)] == [Rule.OWN, Rule.OWN]
    assert len(await open_breaks(house, BreakKind.UNKNOWN_PAYER)) == 1
    await desk.take(
        teller.file(teller.statement(teller.entry("20"), day=DAY + timedelta(days=1)), name="3")
    )
    *_, first, second = await live(house)
    assert [(each.rule, each.confidence) for each in (first, second)] == [(Rule.OWN_AMOUNT, 60)] * 2
    assert "po_0, as those of 2 equal ones" in first.reason
    assert "po_1, as those of 2 equal ones" in second.reason
    assert await open_breaks(house) == []
    async with house.runtime.database.begin() as session:
        assert await transit.own_in_transit(session) == []
    await sound(house)
    await undo(house, first)
    assert (await a_pass(house)).moved == 0
    await sound(house)


@pytest.mark.parametrize("odd", ["another line", "another payout", "another day"])
async def test_equal_payouts_that_something_else_fits_as_well_wait_for_a_person(
    house: House, desk: Desk, teller: Teller, balance: Teller, odd: str
) -> None:
    far = odd == "another day"
    payouts = [DAY, DAY + timedelta(days=8 if far else 0)] + [DAY] * (odd == "another payout")
    told = [balance.entry("-20", own=out(f"po_{n}", day)) for n, day in enumerate(payouts)]
    await desk.take(balance.file(balance.statement(*told), name="1"))
    # Four days later is near to both days, nine days later to the last alone.
    shown = [DAY + timedelta(days=4 if far else 0), DAY + timedelta(days=9 if far else 0)]
    shown += [DAY] * (odd == "another line")
    for n, day in enumerate(sorted(set(shown))):
        entries = [teller.entry("20") for _ in range(shown.count(day))]
        await desk.take(teller.file(teller.statement(*entries, day=day), name=f"{n + 2}"))
    assert [each.rule for each in await live(house)] == [Rule.OWN] * len(payouts)
    await sound(house)


async def test_money_on_its_way_is_aged_and_its_alarm_goes(
    house: House, desk: Desk, balance: Teller
) -> None:
    async with house.runtime.database.begin() as session:
        today = (await now(session)).date()
    late, early = today - timedelta(days=9), today - timedelta(days=1)
    lines = [
        balance.entry("-30", own=out("po_late", late)),
        balance.entry("-50", own=out("po_early", early)),
        balance.entry("-8", own=OwnMove(name="reserve", elsewhere=False, due_on=late)),
        balance.entry("-6", own=OwnMove(name="reserve", elsewhere=False, due_on=early)),
    ]
    report = await desk.take(balance.file(balance.statement(*lines, day=late), name="1"))
    assert report.matched is not None
    assert report.matched.missing == 2
    async with house.runtime.database.begin() as session:
        aged = [(each.name, each.days) for each in await transit.own_in_transit(session)]
    assert aged == [("po_late", 9), ("reserve", 9), ("po_early", 1), ("reserve", 1)]
    missing = await open_breaks(house, BreakKind.MISSING)
    assert {each.amount_micros for each in missing} == {30_000_000, 8_000_000}
    # A payout that failed is back, and so is what was held first.
    back = [
        balance.entry("30", own=out("po_late", late)),
        balance.entry("8", own=OwnMove(name="reserve", elsewhere=False)),
    ]
    await desk.take(balance.file(balance.statement(*back, day=early), name="2"))
    assert await open_breaks(house) == []
    async with house.runtime.database.begin() as session:
        left = [(each.name, each.amount_micros) for each in await transit.own_in_transit(session)]
    assert left == [("po_early", 50_000_000), ("reserve", 6_000_000)]
    await sound(house)


async def test_a_payout_that_arrived_and_came_back_is_closed_on_both_sides(
    house: House, desk: Desk, teller: Teller, balance: Teller
) -> None:
    await desk.take(balance.file(balance.statement(balance.entry("-30", own=out("po_back")))))
    await desk.take(teller.file(teller.statement(teller.entry("30", remittance="po_back"))))
    after = DAY + timedelta(days=1)
    gone = teller.entry("-30", remittance="RETURN po_back")
    await desk.take(teller.file(teller.statement(gone, day=after)))
    assert len(await open_breaks(house)) == 1
    back = balance.entry("30", own=out("po_back"))
    await desk.take(balance.file(balance.statement(back, day=after)))
    assert await open_breaks(house) == []
    assert [each.rule for each in await live(house)] == [
        Rule.OWN,
        Rule.OWN_REFERENCE,
        Rule.OWN,
        Rule.OWN_REFERENCE,
    ]
    await sound(house)


def test_a_statement_is_known_again_whatever_its_reader_makes_of_it() -> None:
    """The hash is that of statements which were imported before lines had charges and moves."""
    plain = BankEntry(position=1, amount_micros=-5, currency="EUR")
    said = msgspec.to_builtins(plain)
    assert list(said)[-3:] == ["line", "charge", "own"]
    more = msgspec.structs.replace(plain, charge=True, own=out("po_1"), line=9)
    before = {name: value for name, value in said.items() if name not in ("charge", "own")}
    for each in (plain, more):
        assert msgspec.json.encode(gathering._said(each)) == msgspec.json.encode(before)


async def test_pages_show_charges_and_money_on_its_way(
    client: httpx.AsyncClient,
    house: House,
    desk: Desk,
    teller: Teller,
    balance: Teller,
    sign_in: Make,
) -> None:
    told = [balance.entry("-30", own=out("po_seen")), balance.entry("-2", charge=True)]
    await desk.take(balance.file(balance.statement(*told), name="1"))
    finance = Browser(client, await sign_in(Role.FINANCE))
    said = await finance.open("/settlement/bank/reconcile")
    assert "On its way between our own accounts" in said
    assert "Charge of the bank" in said
    moves = await client.get("/v1/settlement/bank/moves", headers=finance.who)
    assert [each["name"] for each in moves.json()["moves"]] == ["po_seen"]
    await desk.take(
        teller.file(teller.statement(teller.entry("30", counterparty_name="X")), name="2")
    )
    async with house.runtime.database.begin() as session:
        row = (await session.scalars(sa.select(Break).where(Break.kind == "unknown_payer"))).one()
    assert "Another line undoes it" in await finance.open(f"/settlement/breaks/{row.id}")
