"""What a giver can follow: the way to the bank, receipts on paper, the year; figures that tie."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import httpx
import sqlalchemy as sa
from beancount import loader

from charity import proof, schedules
from charity.domain import Donor, Origin
from charity.models import Gift, Schedule
from marketplace.coalition.domain import ContractRole
from marketplace.fulfilment.tracing import BurnTraces
from marketplace.host import PluginHost
from marketplace.identity.domain import Principal, Role
from marketplace.ledger.journal import Format
from settlement.clearing.models import SettlementLeg
from settlement.statements.tracer import SettlementTracer
from tests.charity.conftest import RATE_MICROS, Cause
from tests.charity.test_giving import refund
from tests.conftest import Headers
from tests.ledger.test_export import beancount_totals, exported
from tests.settlement.clearing.house import House

SignIn = Callable[..., Awaitable[Headers]]


def traces(cause: Cause) -> BurnTraces:
    """The clearing house's tracer, as the hook lends it."""
    host = PluginHost("settlement", lambda: cause.runtime.database, lambda: cause.runtime.vault)
    return BurnTraces({"settlement": [SettlementTracer(host)]})


async def way(cause: Cause, ann: Principal) -> list[tuple[str, str, date | None]]:
    """The way of Ann's only gift."""
    async with cause.runtime.database.begin() as session:
        owner = proof.owner_of(ann)
        (view,) = await proof.gifts_of(session, owner, "en", traces=traces(cause))
    return [(each.stage, each.status, each.booked_on) for each in view.way]


async def test_a_gift_shows_its_way_to_the_bank(cause: Cause) -> None:
    house = House(cause.coalition)
    await house.accounts("paper")
    await cause.done(2_000)
    ann = await cause.person("ann")
    assert await way(cause, ann) == [("window", "open", None)]
    await house.close_window()
    settlement = await house.approved()
    await house.submit(settlement)
    await house.drive()
    found = await way(cause, ann)
    assert [each[0] for each in found] == ["window", "settlement", "payout"]
    await house.book_all(settlement)
    await house.drive()
    await house.book_all(settlement)
    stage, status, booked_on = (await way(cause, ann))[-1]
    assert (stage, status) == ("payout", "booked")
    assert booked_on is not None


async def test_each_gift_shows_the_payment_in_its_own_currency(cause: Cause) -> None:
    house = House(cause.coalition)
    await cause.coalition.add_member("gamma", role=ContractRole.ISSUER, currency="USD")
    await cause.coalition.issue("ann", 5_000, issuer="gamma")
    await cause.start("roofs", currency="USD")
    await cause.done(2_000)
    await cause.done(1_000, campaign="roofs")
    for currency in ("EUR", "USD"):
        await house.accounts("paper", currency=currency)
    await house.close_window()
    settlement = await house.approved()
    await house.submit(settlement)
    for _ in range(2):
        await house.drive()
        await house.book_all(settlement)
    ann = proof.owner_of(await cause.person("ann"))
    async with cause.runtime.database.begin() as session:
        views = await proof.gifts_of(session, ann, "en", traces=traces(cause))
        query = sa.select(SettlementLeg).where(
            SettlementLeg.member_id == cause.coalition.members["aqua"]
        )
        paid = {leg.currency: leg.reference for leg in await session.scalars(query)}
    assert set(paid) == {"EUR", "USD"}
    for view in views:
        assert [each.stage for each in view.way] == ["window", "settlement", "payout"]
        assert view.way[-1].reference == paid[view.currency]


async def test_a_year_has_refunds_and_is_the_donors_of_record(cause: Cause) -> None:
    await cause.match("alpha", cap=100)
    first = await cause.done(1_000)
    await cause.done(500)
    await refund(cause, first, 400, "r")
    await cause.follow()
    year = (await cause.gift(first.burn_id)).made_at.year
    ann = proof.owner_of(await cause.person("ann"))
    async with cause.runtime.database.begin() as session:
        found = await proof.year_of(session, ann, Donor.PERSON, year, "en")
    (total,) = found.sums
    assert (total.gifts, total.points, total.refunded_points) == (2, 1_100, 400)
    assert total.money_micros == 1_100 * RATE_MICROS
    assert total.matched_points == 60  # all of the cap went to the first gift, and 40 came back


async def test_the_figures_of_a_campaign_are_those_of_the_ledgers_export(cause: Cause) -> None:
    await cause.match("beta", cap=700)
    given = await cause.done(1_000)
    await cause.done(333, "bob")
    await refund(cause, given, 250, "r")
    await cause.follow()
    raised = await cause.raised()
    entries, errors, _ = loader.load_string(await exported(cause.runtime, Format.BEANCOUNT))
    assert errors == []
    ledger = sum(
        -number
        for (account, unit), number in beancount_totals(entries).items()
        if account.split(":")[-1] == "aqua" and unit == "EUR"
    )
    assert ledger == Decimal(raised.total_micros) / 1_000_000
    assert raised.total_micros == (1_083 + 525) * RATE_MICROS


async def test_gifts_over_http(cause: Cause, client: httpx.AsyncClient, sign_in: SignIn) -> None:
    ann, bob = await sign_in(Role.PARTICIPANT), await sign_in(Role.PARTICIPANT, "bob")
    body = {
        "campaign": "wells",
        "wallet_id": str(cause.coalition.wallets["ann"]),
        "points": 1_500,
        "key": "k1",
        "anonymous": True,
        "language": "it",
    }
    made = await client.post("/v1/charity/gifts", json=body, headers=ann)
    assert made.status_code == 201, made.text
    gift = made.json()
    assert (gift["title"], gift["points"], gift["status"]) == ("Pozzi", 1_500, "held")
    again = await client.post("/v1/charity/gifts", json=body, headers=ann)
    assert again.json()["id"] == gift["id"]
    stranger = await client.post("/v1/charity/gifts", json=body, headers=bob)
    assert (stranger.status_code, stranger.json()["code"]) == (404, "unknown_cause")
    late = await client.post(f"/v1/charity/gifts/{gift['id']}/cancel", headers=ann)
    assert (late.status_code, late.json()["code"]) == (409, "gift_final")
    async with cause.runtime.database.begin() as session:
        row = await session.get_one(Gift, gift["id"])
        burn = (str(row.burn_id), str(row.wallet_id))
    await asyncio.to_thread(cause.work.fulfil, "charity", [burn], False)
    await cause.follow()
    (item,) = (await client.get("/v1/charity/gifts", headers=ann)).json()["items"]
    assert (item["status"], len(item["receipts"])) == ("captured", 1)
    receipt = f"/v1/charity/receipts/{item['receipt_id']}"
    assert (await client.get(receipt, headers=ann)).json()["facts"]["language"] == "it"
    assert (await client.get(receipt, headers=bob)).status_code == 404
    paper = await client.get(f"{receipt}/receipt.pdf", headers=ann)
    assert paper.content.startswith(b"%PDF")
    assert paper.content == (await client.get(f"{receipt}/receipt.pdf", headers=ann)).content
    campaign = (await client.get("/v1/charity/campaigns/wells?lang=it")).json()
    assert (campaign["title"], campaign["raised"]["points"]) == ("Pozzi", 1_500)
    assert campaign["givers"] == []  # the only one asked not to be named
    assert json.dumps(campaign).find("Ann") < 0


async def test_a_monthly_gift_is_given_once_a_month_and_not_made_up_for(cause: Cause) -> None:
    ann = await cause.person("ann")
    new = schedules.NewSchedule(
        campaign="wells", wallet_id=cause.coalition.wallets["ann"], points=100, day=5
    )
    async with cause.runtime.database.begin() as session:
        made = await session.run_sync(schedules.set_up, ann, new)
    database = cause.runtime.database
    assert await schedules.give_due(database, {}) == 0
    await cause.travel(
        datetime.combine(made.next_on, datetime.min.time(), UTC)
        - datetime.now(UTC)
        + timedelta(days=70)
    )
    for _ in range(2):
        await schedules.give_due(database, {})
    async with database.begin() as session:
        (gift,) = await session.scalars(sa.select(Gift))
        after = await session.get_one(Schedule, made.id)
        assert (gift.points, gift.origin) == (100, Origin.MONTHLY)
        assert after.next_on > made.next_on
    async with database.begin() as session:
        await session.run_sync(schedules.stop, ann, made.id)
    await cause.travel(timedelta(days=31))
    assert await schedules.give_due(database, {}) == 0


async def test_a_month_without_points_is_told_and_the_next_one_tried(cause: Cause) -> None:
    ann = await cause.person("ann")
    new = schedules.NewSchedule(
        campaign="wells", wallet_id=cause.coalition.wallets["ann"], points=100_000, day=1
    )
    async with cause.runtime.database.begin() as session:
        made = await session.run_sync(schedules.set_up, ann, new)
    await cause.travel(timedelta(days=32))
    assert await schedules.give_due(cause.runtime.database, {}) == 1
    async with cause.runtime.database.begin() as session:
        (shown,) = await session.run_sync(schedules.views_of, ann)
    assert (shown.id, shown.last_refusal) == (made.id, "insufficient_points")
    assert await cause.findings() == []
