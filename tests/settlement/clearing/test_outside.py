"""A month of finance over HTTP and at the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from marketplace.cli import main
from marketplace.containment.rails import held_here
from marketplace.identity.domain import Role, Scope
from marketplace.runtime import Runtime
from settlement.clearing import driving
from tests.conftest import SECRET_KEY, Headers
from tests.factories import PASSWORD, make_person
from tests.ledger.busy import make_busy
from tests.settlement.clearing.fakes import FakeFileRail
from tests.settlement.clearing.house import House

Make = Callable[..., Awaitable[Headers]]
AT = "/v1/settlement"


class Caller:
    """Somebody at the HTTP interface."""

    def __init__(self, client: httpx.AsyncClient, who: Headers) -> None:
        self.client, self.who = client, who

    async def get(self, path: str, status: int = 200) -> Any:
        answer = await self.client.get(AT + path, headers=self.who)
        assert answer.status_code == status, answer.text
        return answer.json() if "json" in answer.headers["content-type"] else answer.content

    async def post(self, path: str, body: dict[str, Any], status: int = 200) -> Any:
        answer = await self.client.post(AT + path, headers=self.who, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()


async def test_finance_settles_a_month_over_http(
    client: httpx.AsyncClient, house: House, sign_in: Make, api_key: Make
) -> None:
    await make_busy(house.coalition)
    await house.close_window()
    vars(house.runtime)["rails"] = {"paper": held_here(FakeFileRail())}
    anna, boris = await anna_and_boris(client, sign_in)
    key = await client.get(AT + "/settlements", headers=await api_key("operator", Scope.BURNS_READ))
    assert key.status_code == 403

    for slug in house.coalition.members:
        body = {"member": slug, "currency": "EUR", "rail": "paper", "account": {"number": "17"}}
        account = await anna.post("/accounts", body, 201)
        refused = await anna.post(f"/accounts/{account['id']}/approve", {}, 403)
        assert refused["code"] == "same_person"
        await boris.post(f"/accounts/{account['id']}/approve", {})
    wrong = {"member": "shop", "currency": "EUR", "rail": "paper", "account": {"number": "1"}}
    assert (await anna.post("/accounts", wrong, 400))["code"] == "invalid_request"
    gone = wrong | {"rail": "nothing"}
    assert (await anna.post("/accounts", gone, 409))["code"] == "rail_missing"
    assert len((await anna.get("/accounts?member=shop"))["accounts"]) == 1

    made = await anna.post("/settlements", {"note": "April"}, 201)
    at = f"/settlements/{made['settlement']['reference']}"
    assert sum(each["net_micros"] for each in made["positions"]) == 0
    cells = (await anna.get(f"{at}/matrix"))["flows"]
    owes = {
        (each["payer"]["slug"], each["payee"]["slug"], each["what"]): each["amount_micros"]
        for each in cells
    }
    assert owes["gamma", "gamma", "pool"] > 0
    assert (await anna.post("/settlements", {}, 409))["code"] == "nothing_to_settle"
    assert (await anna.post(f"{at}/approve", {}, 409))["code"] == "status_changed"
    assert (await anna.post(f"{at}/record", {}))["status"] == "recorded"
    assert (await anna.post(f"{at}/approve", {}, 403))["code"] == "same_person"
    assert (await boris.post(f"{at}/approve", {}))["status"] == "approved"
    assert (await boris.post(f"{at}/submit", {}, 202))["status"] == "submitted"
    await driving.drive(house.runtime.database, house.runtime.rails)
    [file] = (await anna.get(f"{at}/files"))["files"]
    content = await anna.get(f"/files/{file['id']}")
    assert file["legs"][0].encode() in content
    assert (await anna.post(f"{at}/files/check", {}))["same"] is True
    assert (await anna.post(f"{at}/abort", {"reason": "no"}, 409))["code"] == "status_changed"

    whole = await anna.get(at)
    assert "creditors" in whole["settlement"]["trouble"]
    submitted = [each for each in whole["legs"] if each["status"] == "submitted"]
    first, *others = submitted
    for leg in others:
        await anna.post(f"/legs/{leg['reference']}/book", {"booked_on": "2026-01-05"})
    await anna.post(f"/legs/{first['reference']}/reject", {"reason": "MS03"})
    again = await anna.post(f"/legs/{first['reference']}/repay", {}, 201)
    await anna.post(f"/legs/{again['reference']}/reject", {"reason": "MS03"})
    extra = await anna.post(
        f"/legs/{again['reference']}/default", {"cover": "creditors", "reason": "insolvent"}, 201
    )
    assert extra["settlement"]["origin"] == made["settlement"]["reference"]
    taken = await anna.post(
        f"/legs/{again['reference']}/default", {"cover": "operator", "reason": "twice"}, 409
    )
    assert taken["code"] == "not_unpaid"
    story = await anna.get(f"/legs/{first['reference']}")
    assert [each["after"] for each in story["history"]] == ["planned", "submitted", "rejected"]
    assert (await anna.get("/caps"))["prefunds"] == []
    assert len((await anna.get("/settlements"))["settlements"]) == 2
    assert (await anna.get("/settlements/S-2000-0001", 404))["code"] == "not_found"
    assert not await house.findings()


async def anna_and_boris(client: httpx.AsyncClient, sign_in: Make) -> tuple[Caller, Caller]:
    """Two people of finance."""
    return (
        Caller(client, await sign_in(Role.FINANCE)),
        Caller(client, await sign_in(Role.FINANCE)),
    )


Command = Callable[..., Awaitable[Result]]


@pytest.fixture
def command(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`await command("net", ...)`: a command of `marketplace settlement`, as from a shell."""
    assert runtime.settings.database_url
    monkeypatch.setenv("MARKETPLACE_DATABASE_URL", runtime.settings.database_url)
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)

    async def call(*arguments: str, stdin: str | None = None, status: int = 0) -> Result:
        result = await asyncio.to_thread(
            CliRunner().invoke, main, ["settlement", *arguments], input=stdin
        )
        assert result.exit_code == status, result.output
        return result

    return call


async def test_finance_settles_a_month_at_the_command_line(
    house: House, command: Command, tmp_path: Path
) -> None:
    await make_busy(house.coalition)
    boris = await make_person(house.coalition, Role.FINANCE)
    ann = await make_person(house.coalition, Role.PARTNER)
    as_boris = ["--person", boris.email, "--password-stdin"]
    assert "no settlement" in (await command("show")).output
    nothing = await command("net", status=2)
    assert "No window is closed" in nothing.output
    await command("close")
    made = json.loads((await command("net", "--json", "--note", "April")).stdout)
    reference = made["settlement"]["reference"]
    await command("record", reference)
    same = await command("approve", reference, status=2)
    assert "somebody else approves" in same.output
    await command("approve", reference, *as_boris, stdin="wrong\n", status=2)
    not_finance = ["--person", ann.email, "--password-stdin"]
    refused = await command("approve", reference, *not_finance, stdin=f"{PASSWORD}\n", status=2)
    assert "neither of finance" in refused.output
    await command("approve", reference, *as_boris, stdin=f"{PASSWORD}\n")
    missing = await command("submit", reference, status=2)
    assert "No approved account" in missing.output
    sent = await command("submit", reference, "--without-account")
    assert "no approved account for" in sent.output
    legs = json.loads((await command("legs", reference, "--json")).stdout)
    for leg in legs:
        if leg["status"] == "planned":
            await command("book", leg["reference"], "--on", "2026-01-05")
    assert "settled" in (await command("show", reference)).output
    assert "pool:gamma" in (await command("matrix", reference)).output
    assert "No file" in (await command("files", reference, "--output", str(tmp_path))).output
    assert "cap" in (await command("caps")).output
    assert "No account" in (await command("accounts", "list")).output
    unknown = ["--rail", "no", "--currency", "EUR", "--account"]
    assert (
        "no rail" in (await command("accounts", "propose", "shop", *unknown, "{}", status=2)).output
    )
    assert (
        "no JSON" in (await command("accounts", "propose", "shop", *unknown, "7", status=2)).output
    )
    assert not await house.findings()
    async with house.runtime.database.begin() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("update settlement_leg set net_micros = net_micros + 1")
    assert "settlement_legs" in {each.check for each in await house.findings()}
