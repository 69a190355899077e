"""Finance's month with a real bank format: from burns to bank lines, and what comes back later."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from marketplace.cli import main
from marketplace.clock import now, travel_to
from marketplace.runtime import Runtime
from settlement.clearing import driving
from tests.conftest import SECRET_KEY, Headers
from tests.fakes.bank import Bank
from tests.ledger.busy import make_busy
from tests.sepa.test_with_a_bank import ACCOUNT, IBAN, told
from tests.settlement.clearing.house import House
from tests.settlement.clearing.test_outside import Caller, anna_and_boris

Make = Callable[..., Awaitable[Headers]]


class Month:
    """Anna and Boris of finance, their bank, and a shell."""

    def __init__(self, house: House, client: httpx.AsyncClient, people: tuple[Caller, Caller]):
        self.house, self.client = house, client
        self.runtime: Runtime = house.runtime
        self.anna, self.boris = people
        self.sent: set[str] = set()
        self.bank = Bank(IBAN, opening="1000.00", today=date(2000, 1, 1))

    async def said(self, *arguments: str) -> str:
        """What a command of `marketplace settlement` prints."""
        return await self.shell("settlement", *arguments)

    async def shell(self, *arguments: str) -> str:
        """What a command prints."""
        done = await asyncio.to_thread(CliRunner().invoke, main, arguments)
        assert done.exit_code == 0, done.output
        return done.output

    async def take(self, content: bytes) -> dict[str, Any]:
        """Import what the bank wrote."""
        answer = await self.client.post(
            "/v1/settlement/bank/statements",
            files={"file": ("bank.xml", content)},
            headers=self.anna.who,
        )
        assert answer.status_code == 200, answer.text
        report: dict[str, Any] = answer.json()
        return report

    async def carry(self, at: str) -> list[str]:
        """The worker makes files, Anna carries the new ones to the bank and its answers back."""
        await driving.drive(self.runtime.database, self.runtime.rails)
        carried = []
        for file in (await self.anna.get(f"{at}/files"))["files"]:
            if file["id"] not in self.sent:
                self.sent.add(file["id"])
                content = await self.anna.get(f"/files/{file['id']}")
                await self.take(self.bank.take(content))
                carried += file["legs"]
        assert (await self.anna.post(f"{at}/files/check", {}))["same"] is True
        return carried

    async def green(self, day: date) -> None:
        """The close of a day, at the command line."""
        assert "green" in await self.said("daily", "--date", day.isoformat())

    async def later(self, days: int) -> None:
        """Time passes, at the bank too."""
        async with self.runtime.database.begin() as session:
            await travel_to(session, await now(session) + timedelta(days=days), allowed=True)
        self.bank.later(days)


@pytest.fixture
async def month(
    house: House,
    client: httpx.AsyncClient,
    sign_in: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Month]:
    """The SEPA plugin is told of the house's account, and so is reconciliation."""
    assert house.runtime.settings.database_url
    monkeypatch.setenv("MARKETPLACE_DATABASE_URL", house.runtime.settings.database_url)
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)
    await told(house.runtime)
    made = Month(house, client, await anna_and_boris(client, sign_in))
    await made.said("bank", "add-account", IBAN, "--name", "House")
    yield made
    house.runtime.close_plugins()


async def sent_off(month: Month) -> str:
    """Close, net, record, approve by a second person, submit; where the settlement is."""
    for slug in month.house.coalition.members:
        body = {"member": slug, "currency": "EUR", "rail": "sepa", "account": ACCOUNT}
        account = await month.anna.post("/accounts", body, 201)
        await month.boris.post(f"/accounts/{account['id']}/approve", {})
    await month.said("close", "--note", "November")
    made = json.loads(await month.said("net", "--json"))
    at = f"/settlements/{made['settlement']['reference']}"
    await month.anna.post(f"{at}/record", {})
    await month.boris.post(f"{at}/approve", {})
    await month.anna.post(f"{at}/submit", {}, 202)
    month.bank.today = date.fromisoformat(made["settlement"]["due_on"])
    return at


async def test_a_month_from_burns_to_bank_lines_and_back(month: Month, tmp_path: Path) -> None:
    burns = await make_busy(month.house.coalition)
    at = await sent_off(month)
    reference = at.rpartition("/")[2]

    # The bank refuses one debit (pain.002); it is collected again under another reference.
    debits = await month.carry(at)
    assert debits
    await month.take(month.bank.reject(debits[0], code="AC04"))
    assert (await month.anna.get(f"/legs/{debits[0]}"))["leg"]["status"] == "rejected"
    again = await month.anna.post(f"/legs/{debits[0]}/repay", {}, 201)
    assert await month.carry(at) == [again["reference"]]
    month.bank.book()
    report = await month.take(month.bank.statement())
    assert report["matched"]["legs"] == len(debits)

    # Now that it is there, creditors are paid. Of one the bank says what only it understands:
    # somebody is to ask, until the statement shows the money.
    credits = await month.carry(at)
    await month.take(month.bank.puzzle(credits[0], "WAIT-7"))
    [asked] = (await month.anna.get("/bank/breaks"))["breaks"]
    assert (asked["kind"], "WAIT-7" in asked["reason"]) == ("unknown_answer", True)
    month.bank.book()
    statement = tmp_path / "camt.053.xml"
    statement.write_bytes(month.bank.statement())
    await month.said("bank", "import", str(statement))
    await month.said("bank", "import", str(statement))
    assert not (await month.anna.get("/bank/breaks"))["breaks"]
    assert (await month.anna.get(at))["settlement"]["status"] == "settled"
    paid_on = month.bank.today
    await month.green(paid_on)

    # Alpha can prove its figure without us; any burn leads to the lines of the bank.
    signed = tmp_path / "alpha.json"
    of = ["statement", "alpha", "--settlement", reference]
    await month.said(*of, "--format", "json", "--to", str(signed))
    await month.shell("statement", "verify", str(signed))
    trace = await month.anna.get(f"/trace/{burns['captured']}")
    for line in trace["lines"]:
        assert line["settlement"]["reference"] == reference
        moved = [each for each in line["settlement"]["legs"] if each["status"] == "booked"]
        assert any(each["bank_entries"] for each in moved if each["amount_minor"])

    # Two months later money comes back: announced (camt.054), shown (camt.053), paid again.
    await month.later(60)
    month.bank.notification()
    month.bank.give_back(credits[0], code="AC04")
    await month.take(month.bank.notification())
    await month.take(month.bank.statement())
    assert (await month.anna.get(f"/legs/{credits[0]}"))["leg"]["status"] == "returned"
    assert (await month.anna.get(at))["settlement"]["status"] == "settled"
    [broken] = (await month.anna.get("/bank/breaks"))["breaks"]
    assert broken["kind"] == "returned"
    note = ["--note", "the account was closed"]
    await month.said("bank", "resolve", broken["id"], "repay", *note)
    [new] = await month.carry(at)
    assert new.startswith(credits[0])
    # A bank executes nothing on a day that is over.
    assert month.bank.payments[new].due_on >= month.bank.today
    month.bank.book()
    await month.take(month.bank.statement())
    assert (await month.anna.get(f"/legs/{new}"))["leg"]["status"] == "booked"
    await month.green(month.bank.today)
    await month.green(paid_on)
    assert not await month.house.findings()
