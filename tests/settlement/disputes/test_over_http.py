"""Disputes over HTTP and at the command line: members their own, finance all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import msgspec
import pytest
import pytest_asyncio
from click.testing import CliRunner

from marketplace.cli import main
from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Role, Scope
from settlement.disputes.domain import line_id
from tests.conftest import SECRET_KEY
from tests.factories import Coalition
from tests.ledger.driver import Driver
from tests.settlement.disputes.stage import close_window, lines_in

Headers = dict[str, str]


@pytest_asyncio.fixture
async def line(coalition: Coalition) -> AsyncIterator[str]:
    """A line of a closed window: alpha's points, the shop's card."""
    await coalition.issue("ann", 1_000)
    async with Driver.start(coalition) as drive:
        await drive.capture("ann", await drive.burn("ann", "card"))
    (found,) = await lines_in(coalition.runtime, await close_window(coalition.runtime))
    yield str(found)


async def test_a_member_disputes_and_finance_decides(
    client: httpx.AsyncClient,
    api_key: Callable[..., Awaitable[Headers]],
    sign_in: Callable[..., Awaitable[Headers]],
    line: str,
) -> None:
    shop = await api_key("shop", Scope.SETTLEMENT_READ, Scope.SETTLEMENT_WRITE)
    beta = await api_key("beta", Scope.SETTLEMENT_READ, Scope.SETTLEMENT_WRITE)
    finance = await sign_in(Role.FINANCE)
    body = {"lines": [line], "reason": "less was delivered"}
    path = "/v1/settlement/disputes"
    foreign = await client.post(path, json=body, headers=beta)
    assert foreign.status_code == 404
    named = await client.post(path, json={**body, "member": "shop"}, headers=beta)
    assert named.status_code == 403
    made = await client.post(path, json=body, headers=shop)
    assert made.status_code == 201, made.text
    assert (made.json()["status"], made.json()["lines"]) == ("open", [line])
    one = f"{path}/{made.json()['id']}"
    assert (await client.get(one, headers=beta)).status_code == 404
    assert (await client.get(path, headers=beta)).json() == {"disputes": []}
    assert len((await client.get(path, headers=finance)).json()["disputes"]) == 1
    decision = {"outcome": "upheld", "note": "checked with the courier"}
    assert (await client.post(f"{one}/decide", json=decision, headers=shop)).status_code == 403
    decided = (await client.post(f"{one}/decide", json=decision, headers=finance)).json()
    assert [
        (each["line"], each["debtor"], each["creditor"], each["amount_micros"])
        for each in decided["adjustments"]
    ] == [(line, "shop", "operator", 7_000_000), (line, "operator", "alpha", 8_000_000)]
    late = await client.post(f"{one}/withdraw", json={}, headers=shop)
    assert (late.status_code, late.json()["code"]) == (409, "status_changed")
    read = await client.get(path, params={"status": "upheld"}, headers=shop)
    # What the operator pays alpha is told to neither the shop nor anybody else.
    own = [each for each in decided["adjustments"] if "shop" in (each["debtor"], each["creditor"])]
    assert read.json()["disputes"] == [{**decided, "adjustments": own}]


def test_disputes_at_the_command_line(
    database_url: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETPLACE_DATABASE_URL", database_url)
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)

    def told(*words: str) -> str:
        done = CliRunner().invoke(main, ["settlement", "dispute", *words])
        return done.output

    assert "open  alpha  1 lines" in told("open", "alpha", line, "--reason", "why")
    ((found),) = msgspec.json.decode(told("list", "--json"))
    assert "rejected" in told("decide", found["id"], "rejected", "--note", "no")
    assert told("withdraw", found["id"]).startswith("error: The dispute is rejected")
    assert told("list", "--status", "open") == ""


@pytest.mark.parametrize(
    "text", ["", "5", "debt:", "debt:x", "debt:-1", "x:5", "debt:99999999999999999999", ":7"]
)
def test_what_is_no_line(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is no line"):
        line_id(text)
