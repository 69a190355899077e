"""A payment to a charity fails in the bank's files: its givers hear it, and of the next one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from charity import payouts, proof
from charity.domain import Donor
from marketplace.clock import now
from marketplace.host import PluginHost
from marketplace.identity.domain import Role
from marketplace.runtime import Runtime
from settlement.statements.payouts import SettlementPayouts
from tests.charity.conftest import RATE_MICROS, Cause
from tests.charity.test_giving import refund
from tests.charity.test_proof import SignIn, traces
from tests.charity.test_telling import told
from tests.conftest import SECRET_KEY
from tests.sepa.test_with_a_bank import IBAN
from tests.sepa.test_with_a_bank import told as sepa_told
from tests.settlement.chain.test_month import Month, sent_off
from tests.settlement.clearing.house import House
from tests.settlement.clearing.test_outside import anna_and_boris

PAYOUTS = ("payout_failed", "payout_made_good")


class Payday:
    """Finance's month over charity's gifts, and the clock of charity."""

    def __init__(self, cause: Cause, month: Month) -> None:
        self.cause, self.month = cause, month
        self.at = ""

    async def collected(self) -> str:
        """Members have paid; the reference of the leg that is to pay the charity, carried."""
        self.at = await sent_off(self.month)
        await self.month.carry(self.at)
        self.month.bank.book()
        await self.month.take(self.month.bank.statement())
        found = {
            (await self.month.anna.get(f"/legs/{each}"))["leg"]["member"]["slug"]: each
            for each in await self.month.carry(self.at)
        }
        return found["aqua"]  # beside the operator's margin

    async def again(self, leg: str) -> str:
        """Finance has it paid anew, and the bank books it."""
        made = await self.month.anna.post(f"/legs/{leg}/repay", {}, 201)
        assert await self.month.carry(self.at) == [made["reference"]]
        self.month.bank.book()
        await self.month.take(self.month.bank.statement())
        reference: str = made["reference"]
        return reference

    async def tell(self) -> int:
        """The clock of charity, twice: who was told is told once."""
        done = await asyncio.to_thread(payouts.tell_all, self.host)
        assert await asyncio.to_thread(payouts.tell_all, self.host) == 0
        return done

    @property
    def host(self) -> PluginHost:
        runtime = self.cause.runtime

        def host(slug: str, **more: Any) -> PluginHost:
            return PluginHost(slug, lambda: runtime.database, lambda: runtime.vault, **more)

        tracer = SettlementPayouts(host("settlement"))
        return host("charity", payout_tracers=lambda: {"settlement": [tracer]})

    async def heard(self, who: str = "ann") -> list[str]:
        """What somebody was told of payments."""
        return [kind for kind, _ in await told(self.cause, who) if kind in PAYOUTS]

    async def year(self, who: str = "ann") -> proof.Sum:
        """Somebody's year."""
        async with self.cause.runtime.database.begin() as session:
            year = (await now(session)).year
            owner = proof.owner_of(self.cause.people[who])
            found = await proof.year_of(
                session, owner, Donor.PERSON, year, "en", traces(self.cause)
            )
        (total,) = found.sums
        return total


@pytest.fixture
async def payday(
    cause: Cause,
    client: httpx.AsyncClient,
    sign_in: SignIn,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Payday]:
    """Every member has an account on the SEPA rail, and the bank is a stranger's."""
    runtime: Runtime = cause.runtime
    assert runtime.settings.database_url
    monkeypatch.setenv("MARKETPLACE_DATABASE_URL", runtime.settings.database_url)
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)
    await sepa_told(runtime)
    month = Month(House(cause.coalition), client, await anna_and_boris(client, sign_in))
    await month.said("bank", "add-account", IBAN, "--name", "House")
    yield Payday(cause, month)
    runtime.close_plugins()


async def test_a_payment_that_the_bank_rejects_is_told_and_again_when_it_is_made(
    payday: Payday,
) -> None:
    cause = payday.cause
    for points in (2_000, 400):
        await cause.done(points)  # two gifts of hers, one payment
    back = await cause.done(300, "bob")
    await refund(cause, back, None, "r")
    await cause.follow()
    await cause.pool()
    await cause.coalition.issue("acme", 500)
    await cause.done(100, "acme")
    leg = await payday.collected()
    assert await payday.tell() == 0
    await payday.month.take(payday.month.bank.reject(leg, code="AC04"))  # pain.002
    assert await payday.tell() == 1
    assert await payday.heard() == ["payout_failed"]
    assert await payday.heard("acme") == ["payout_failed"]  # whoever gave from the pool
    assert await payday.heard("bob") == []  # nothing of his was in it any more
    failed = await payday.year()
    assert (failed.points, failed.unpaid_points) == (2_400, 2_400)
    assert failed.unpaid_micros == 2_400 * RATE_MICROS
    await payday.again(leg)
    assert await payday.tell() == 1
    assert await payday.heard() == [*PAYOUTS]
    assert (await payday.year()).unpaid_points == 0
    context = dict(await told(cause))["payout_made_good"]
    assert context == {
        "charity": "Fondazione Aqua",
        "day": payday.month.bank.today.isoformat(),
    }


async def test_a_payment_that_comes_back_months_later_is_told_each_time(payday: Payday) -> None:
    cause, month = payday.cause, payday.month
    await cause.done(2_000)
    leg = await payday.collected()
    month.bank.book()
    await month.take(month.bank.statement())
    assert await payday.tell() == 0
    await month.later(60)
    month.bank.give_back(leg, code="AC04")
    await month.take(month.bank.notification())  # camt.054
    assert await payday.tell() == 1
    await month.take(month.bank.statement())  # camt.053 shows the same
    assert await payday.tell() == 0
    assert await payday.heard() == ["payout_failed"]
    second = await payday.again(leg)
    month.bank.give_back(second, code="AC04")
    await month.take(month.bank.statement())
    assert await payday.tell() == 1  # the second payment failed before the clock saw it booked
    await payday.again(second)
    assert await payday.tell() == 2
    # Of the payment that arrived they hear once, though it made two of them good.
    assert await payday.heard() == ["payout_failed", "payout_failed", "payout_made_good"]
    assert await cause.findings() == []


async def test_receipt_gifts_and_year_show_it(
    payday: Payday, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    await payday.cause.done(2_000)
    ann = await sign_in(Role.PARTICIPANT)
    (gift,) = (await client.get("/v1/charity/gifts", headers=ann)).json()["items"]
    leg = await payday.collected()
    await payday.month.take(payday.month.bank.reject(leg, code="AC04"))
    paths = ["/charity/mine", f"/charity/receipts/{gift['receipt_id']}"]
    year = gift["captured_at"][:4]
    paths.append(f"/charity/years/person?year={year}")
    for path in paths:
        shown = (await client.get(path, headers=ann)).text
        assert "refused by the bank" in shown, path
        assert "has not reached the charity" in shown, path
    assert "Not arrived yet" in shown
    summary = (await client.get(f"/v1/charity/years?year={year}", headers=ann)).json()
    assert summary["sums"][0]["unpaid_points"] == 2_000
    await payday.again(leg)
    for path in paths:
        shown = (await client.get(path, headers=ann)).text
        assert "booked by the bank" in shown, path
        assert "has not reached" not in shown, path
