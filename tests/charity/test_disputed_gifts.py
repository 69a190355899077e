"""A gift that a member disputes is settled later, or taken back: its way, the year, the receipt."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from beancount import loader

from charity import firm_matching, proof, receipts, undoing
from charity.domain import Donor
from charity.giving import Given
from charity.models import Match
from marketplace.api import BurnStep
from marketplace.host import PluginHost
from marketplace.identity.domain import Role
from marketplace.ledger.journal import Format
from settlement.clearing import legs
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import Settlement
from settlement.disputes import service
from settlement.disputes.domain import LineId
from settlement.disputes.repository import lines
from settlement.statements.payouts import SettlementPayouts
from tests.charity.conftest import RATE_MICROS, Cause
from tests.charity.test_export import last_receipts
from tests.charity.test_firm_matching import funded, match_of
from tests.charity.test_giving import refund
from tests.charity.test_proof import SignIn, beancount_totals, traces
from tests.charity.test_telling import told
from tests.ledger.test_export import exported
from tests.settlement.clearing.house import ANNA, House
from tests.settlement.disputes.stage import lines_in


class Finance:
    """Windows closed and paid, and a member that disputes."""

    def __init__(self, cause: Cause) -> None:
        self.cause, self.house = cause, House(cause.coalition)

    async def sent(self, **options: str) -> Settlement:
        """A window closed and settled, members collected from; creditors' legs are sent."""
        await self.house.close_window()
        settlement = await self.house.approved(**options)
        await self.house.submit(settlement)
        await self.house.drive()
        await self.house.book_all(settlement)
        await self.house.drive()
        return settlement

    async def paid(self, **options: str) -> Settlement:
        """A window closed, settled and paid."""
        settlement = await self.sent(**options)
        await self.house.book_all(settlement)
        return settlement

    async def reject(self, settlement: Settlement, name: str = "aqua") -> None:
        """The bank refuses a payment of a settlement."""
        leg = (await self.house.legs(settlement))[name]
        async with self.cause.runtime.database.begin() as session:
            await legs.reject(session, leg.id, reason="AC04 closed", actor="bank")

    async def dispute(self, window_id: UUID, *who: str, member: str = "alpha") -> UUID:
        """A member disputes what was given out of these wallets in a closed window."""
        wallets = [self.cause.coalition.wallets[each] for each in who]
        asked: list[LineId] = [
            each
            for each in await lines_in(self.cause.runtime, window_id)
            if each.wallet_id in wallets
        ]
        async with self.cause.runtime.database.begin() as session:
            known = await lines(session, asked)
            mine = [
                each
                for each in asked
                if known[each].acceptor_id is not None
                and known[each].concerns(self.cause.coalition.members[member])
            ]
            new = service.NewDispute(self.cause.coalition.members[member], mine, "not a gift")
            return (await service.open_dispute(session, new, actor="person:alpha")).id

    async def decide(self, dispute_id: UUID, *, upheld: bool) -> None:
        """The operator looked at it."""
        async with self.cause.runtime.database.begin() as session:
            await service.decide(session, dispute_id, upheld=upheld, actor=ANNA, note="looked")

    @property
    def host(self) -> PluginHost:
        """Charity's, which may ask the clearing house."""
        runtime = self.cause.runtime

        def host(slug: str, **more: Any) -> PluginHost:
            return PluginHost(slug, lambda: runtime.database, lambda: runtime.vault, **more)

        tracer = SettlementPayouts(host("settlement"))
        return host("charity", payout_tracers=lambda: {"settlement": [tracer]})

    async def hear(self) -> int:
        """The clock of charity asks what disputes undid."""
        return await asyncio.to_thread(undoing.hear_all, self.host)

    async def clock(self) -> None:
        """The clocks of both rooms."""
        async with self.cause.runtime.database.begin() as session:
            await service.undo_contras(session)
        await self.hear()

    async def export_agrees(self) -> None:
        """Receipts that count, totals of the campaign and the journal say the same."""
        entries, errors, _ = loader.load_string(
            await exported(self.cause.runtime, Format.BEANCOUNT)
        )
        assert errors == []
        owed = sum(
            -number
            for (account, unit), number in beancount_totals(entries).items()
            if account.split(":")[-1] == "aqua" and unit == "EUR"
        )
        raised = await self.cause.raised()
        assert owed == Decimal(raised.total_micros) / 1_000_000
        async with self.cause.runtime.database.begin() as session:
            query = sa.select(Match.fund_id).where(Match.fund_id.is_not(None))
            funds = {str(each) for each in await session.scalars(query)}
        # What a firm gave behind its match counts as far as it was added to gifts.
        told = (await last_receipts(self.cause)).items()
        counting = [each for burn, each in told if burn not in funds]
        assert sum(each["money_micros"] for each in counting) == raised.money_micros
        assert sum(each["points"] for each in counting) == raised.points

    async def way(self, who: str, given: Given | None = None) -> list[BurnStep]:
        """The way of somebody's only gift, or of this one."""
        owner = proof.owner_of(self.cause.people[who])
        async with self.cause.runtime.database.begin() as session:
            (view,) = await proof.gifts_of(
                session,
                owner,
                "en",
                only=given.burn_id if given else None,
                traces=traces(self.cause),
            )
        return view.way

    async def told(self, who: str) -> list[tuple[str, str]]:
        """The same as stages and statuses."""
        return [(each.stage, each.status) for each in await self.way(who)]

    async def year(self, who: str = "ann") -> proof.Sum:
        """What somebody gave this year."""
        owner = proof.owner_of(self.cause.people[who])
        async with self.cause.runtime.database.begin() as session:
            (receipt, *_) = await self.cause.receipts()
            found = await proof.year_of(
                session, owner, Donor.PERSON, receipt.year, "en", traces(self.cause)
            )
        (total,) = found.sums
        return total


@pytest.fixture
async def finance(cause: Cause) -> Finance:
    made = Finance(cause)
    await made.house.accounts("paper")
    return made


def references(way: list[BurnStep], *stages: str) -> list[str]:
    return [each.reference for each in way if each.stage in stages]


async def test_a_gift_that_was_disputed_shows_the_settlement_that_paid_it(
    cause: Cause, finance: Finance
) -> None:
    await cause.done(2_000)
    await cause.done(700, "bob")
    window_id = await finance.house.close_window()
    dispute_id = await finance.dispute(window_id, "ann")
    assert await finance.told("ann") == [("window", "closed"), ("disputed", "disputed")]
    first = await finance.paid()
    assert references(await finance.way("bob"), "settlement") == [first.reference]
    assert await finance.told("ann") == [("window", "settled"), ("disputed", "disputed")]
    assert references(await finance.way("ann"), "disputed") == [first.reference]
    await finance.decide(dispute_id, upheld=False)
    assert await finance.told("ann") == [("window", "settled"), ("disputed", "waiting")]

    await cause.done(100, "bob")
    second = await finance.sent()
    await finance.reject(second)
    assert (await finance.year()).unpaid_points == 2_000
    leg = (await finance.house.legs(second))["aqua"]
    async with cause.runtime.database.begin() as session:
        await legs.repay(session, leg.id, actor=ANNA)
    assert (await finance.year()).unpaid_points == 0
    await finance.house.drive()
    await finance.house.book_all(second)
    way = await finance.way("ann")
    assert [each.stage for each in way] == ["window", "settlement", "rejected", "payout"]
    assert references(way, "settlement") == [second.reference]
    assert way[-1].booked_on is not None
    assert (way[-1].status, way[-1].points) == (LegStatus.BOOKED, 2_000)
    assert await cause.findings() == []


async def test_what_a_dispute_took_back_is_said_and_counted(cause: Cause, finance: Finance) -> None:
    await cause.match("beta", cap=5_000, ratio_bps=5_000)
    await cause.done(2_000)
    await cause.done(700, "bob")
    window_id = await finance.house.close_window()
    dispute_id = await finance.dispute(window_id, "ann")
    first = await finance.paid()
    await finance.decide(dispute_id, upheld=True)
    assert sum(await asyncio.gather(*(finance.hear() for _ in range(3)))) == 1
    assert await finance.hear() == 0
    assert await finance.told("ann") == [
        ("window", "settled"),
        ("disputed", "waiting"),
        ("adjusted", "open"),
    ]
    second = await finance.paid()
    way = await finance.way("ann")
    assert references(way, "settlement", "adjusted") == [second.reference] * 2
    assert first.reference not in [each.reference for each in way]
    year = await finance.year()
    assert (year.points, year.money_micros, year.matched_points) == (0, 0, 0)
    assert (year.taken_back_points, year.taken_back_micros) == (2_000, 2_000 * RATE_MICROS)
    assert (year.unpaid_points, year.refunded_points) == (0, 0)
    assert (await finance.year("bob")).taken_back_points == 0
    first_of_ann, _, correction = await cause.receipts()
    assert correction.corrects_id == first_of_ann.id
    facts = receipts.facts_of(correction)
    assert (facts.points, facts.money_micros, facts.matchers) == (0, 0, [])
    assert (facts.taken_back_points, facts.taken_back_micros) == (2_000, 2_000 * RATE_MICROS)
    assert "donation_taken_back" in [kind for kind, _ in await told(cause, "ann")]
    raised = await cause.raised()
    assert (raised.points, raised.matched_points, raised.givers, raised.gifts) == (700, 350, 1, 1)
    await finance.export_agrees()
    assert await cause.findings() == []


async def test_a_gift_that_was_taken_back_and_is_refunded_is_given_back_once(
    cause: Cause, finance: Finance
) -> None:
    given = await cause.done(2_000)
    window_id = await finance.house.close_window()
    dispute_id = await finance.dispute(window_id, "ann")
    await refund(cause, given, 500, "before")
    await cause.follow()
    await finance.decide(dispute_id, upheld=True)
    await finance.hear()
    year = await finance.year()
    assert (year.points, year.refunded_points, year.taken_back_points) == (0, 500, 1_500)
    assert [each.points for each in await finance.way("ann") if each.stage == "adjusted"] == [1_500]
    await refund(cause, given, None, "after")
    await cause.follow()
    await finance.clock()
    year = await finance.year()
    assert (year.points, year.refunded_points, year.taken_back_points) == (0, 2_000, 0)
    assert [each.version for each in await cause.receipts()] == [1, 2, 3, 4]
    await finance.export_agrees()
    assert await cause.findings() == []


@pytest.mark.parametrize("seed", range(3))
async def test_in_whichever_order_disputes_and_refunds_come_receipts_and_books_agree(
    cause: Cause, finance: Finance, seed: int
) -> None:
    random = Random(seed)  # noqa: S311
    await cause.match("alpha", cap=3_000, ratio_bps=3_333)
    await cause.coalition.issue("ann", 5_000, issuer="beta")
    left: dict[UUID, int] = {}
    given: dict[UUID, Given] = {}
    for points in (9_000, 2_500, 701):
        made = await cause.done(points)
        given[made.burn_id], left[made.burn_id] = made, points
    window_id = await finance.house.close_window()
    undecided = [await finance.dispute(window_id, "ann", member=who) for who in ("alpha", "beta")]
    for step in range(9):
        burn_id = random.choice(list(left))
        points = random.randint(0, left[burn_id])
        if points and random.random() < 0.6:
            await refund(cause, given[burn_id], points, f"r{step}")
            left[burn_id] -= points
        elif undecided and random.random() < 0.5:
            await finance.decide(undecided.pop(), upheld=random.random() < 0.7)
        else:
            await random.choice((cause.follow, finance.clock))()
    await cause.follow()
    await finance.clock()
    assert await cause.findings() == []
    await finance.export_agrees()
    numbers = [each.number for each in await cause.receipts()]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_what_a_firm_matched_with_points_that_were_taken_back_is_not_raised(
    cause: Cause, finance: Finance
) -> None:
    match_id = await funded(cause, 900)
    await cause.done(400)
    window_id = await finance.house.close_window()
    await finance.decide(await finance.dispute(window_id, "acme"), upheld=True)
    assert await finance.hear() == 1
    assert (await match_of(cause, match_id)).ended_at is not None
    raised = await cause.raised()
    assert (raised.money_micros, raised.matched_micros) == (400 * RATE_MICROS, 0)
    await firm_matching.give_back(cause.runtime.database)
    await finance.clock()
    assert (await cause.raised()).total_micros == 400 * RATE_MICROS
    last = receipts.facts_of((await cause.receipts())[-1])
    assert (last.points, last.refunded_points, last.taken_back_points) == (0, 500, 400)
    assert await cause.findings() == []


async def test_of_a_partly_refunded_gift_what_did_not_arrive_is_exact(
    cause: Cause, finance: Finance
) -> None:
    await cause.coalition.issue("ann", 5_000, issuer="beta")
    given = await cause.done(12_000)  # 10,000 of alpha's points, the rest of beta's
    window_id = await finance.house.close_window()
    await finance.dispute(window_id, "ann", member="beta")
    await finance.reject(await finance.sent())
    await refund(cause, given, 2_500, "r")  # beta's 2,000 first, then 500 of alpha's
    await cause.follow()
    year = await finance.year()
    assert (year.points, year.refunded_points, year.unpaid_points) == (9_500, 2_500, 9_500)
    assert year.unpaid_micros == 9_500 * RATE_MICROS


async def test_of_a_gift_from_two_issuers_the_receipt_counts_what_was_not_taken_back(
    cause: Cause, finance: Finance
) -> None:
    await cause.coalition.issue("ann", 5_000, issuer="beta")
    given = await cause.done(12_000)
    window_id = await finance.house.close_window()
    dispute_id = await finance.dispute(window_id, "ann", member="beta")
    first = await finance.sent()
    await finance.reject(first)
    await finance.decide(dispute_id, upheld=True)
    await finance.hear()
    year = await finance.year()
    assert (year.points, year.taken_back_points, year.unpaid_points) == (10_000, 2_000, 10_000)
    await refund(cause, given, 3_000, "r")  # what was taken back, and 1,000 that did not arrive
    await cause.follow()
    await finance.clock()
    year = await finance.year()
    assert (year.points, year.taken_back_points, year.unpaid_points) == (9_000, 0, 9_000)
    assert year.money_micros == 9_000 * RATE_MICROS
    await finance.export_agrees()
    assert await cause.findings() == []


async def test_a_refund_of_a_gift_that_was_paid_is_not_the_next_settlements_payment(
    cause: Cause, finance: Finance
) -> None:
    given = await cause.done(2_000)
    first = await finance.paid()
    await refund(cause, given, 500, "r")
    await cause.follow()
    await cause.done(3_000, "bob")
    second = await finance.sent()
    await finance.reject(second)
    way = await finance.way("ann")
    assert [each.stage for each in way] == ["window", "settlement", "payout", "refund"]
    assert references(way, "settlement", "refund") == [first.reference, second.reference]
    year = await finance.year()
    assert (year.points, year.refunded_points, year.unpaid_points) == (1_500, 500, 0)
    assert (await finance.year("bob")).unpaid_points == 3_000


async def test_of_a_gift_from_two_issuers_one_part_is_disputed(
    cause: Cause, finance: Finance
) -> None:
    await cause.coalition.issue("ann", 5_000, issuer="beta")
    await cause.done(12_000)  # 10,000 of alpha's points, the rest of beta's
    window_id = await finance.house.close_window()
    dispute_id = await finance.dispute(window_id, "ann", member="beta")
    first = await finance.sent()
    await finance.reject(first)
    assert (await finance.year()).unpaid_points == 10_000
    await finance.decide(dispute_id, upheld=False)
    await cause.done(100, "bob")
    second = await finance.paid()
    way = await finance.way("ann")
    assert references(way, "settlement") == [first.reference, second.reference]
    assert [(each.stage, each.points) for each in way] == [
        ("window", 12_000),
        ("settlement", 10_000),
        ("rejected", 10_000),
        ("settlement", 2_000),
        ("payout", 2_000),
    ]
    assert (await finance.year()).unpaid_points == 10_000  # though the last payment arrived


async def test_pages_of_givers_finance_and_the_charity_say_what_keeps_it_out(
    cause: Cause, finance: Finance, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    given = await cause.done(2_000)
    await cause.done(700, "bob")
    window_id = await finance.house.close_window()
    dispute_id = await finance.dispute(window_id, "ann")
    first = await finance.paid()
    await finance.decide(dispute_id, upheld=True)
    await finance.hear()
    second = await finance.paid()
    ann, clerk = await sign_in(Role.PARTICIPANT), await sign_in(Role.FINANCE)
    receipt = (await cause.receipts())[-1]
    for path in ("/charity/mine", f"/charity/receipts/{receipt.id}"):
        shown = (await client.get(path, headers=ann)).text
        assert "A dispute about 2,000 of its points was upheld" in shown, path
        assert second.reference in shown, path
        assert first.reference not in shown, path
    shown = (await client.get(f"/charity/receipts/{receipt.id}", headers=ann)).text
    assert "It corrects receipt aqua/" in shown
    assert "A dispute about this gift was upheld" in shown
    assert "Points taken back after a dispute" in shown
    year = (await client.get(f"/charity/years/person?year={receipt.year}", headers=ann)).text
    assert "taken back after a dispute" in year
    trace = await client.get(f"/settlement/trace/{given.burn_id}", headers=clerk)
    assert trace.status_code == 200, trace.text
    assert f"The settlement of its window, {first.reference}, was made without it" in trace.text
    assert "Adjustment" in trace.text
    told = (await client.get(f"/v1/settlement/trace/{given.burn_id}", headers=clerk)).json()
    captured, *undone = told["lines"]
    assert captured["left_out_of"] == first.reference
    assert {each["undoes"] for each in undone} == {captured["line"]}
