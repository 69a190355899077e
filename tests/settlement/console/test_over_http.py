"""A member's programs read its own money; people put accounts forward, keys never do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest

from marketplace.identity.domain import Role, Scope
from tests.conftest import Headers
from tests.factories import Coalition
from tests.settlement.clearing.house import House
from tests.settlement.clearing.test_members import capped, pay_ahead
from tests.settlement.console.test_own_money import spend

Make = Callable[..., Awaitable[Headers]]
OWN = "/v1/settlement/own"
ACCOUNT = {
    "currency": "EUR",
    "rail": "sepa",
    "account": {"holder": "Shop", "iban": "DE89370400440532013000"},
}


@pytest.fixture
def house(coalition: Coalition) -> House:
    """Steps of finance."""
    return House(coalition)


async def test_a_program_reads_windows_lines_and_payments(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, api_key: Make, house: House
) -> None:
    await spend(client, coalition, sign_in)
    window = await house.close_window()
    made = await house.approved()
    shop = await api_key("shop", Scope.SETTLEMENT_READ)
    opened, closed = (await client.get(f"{OWN}/windows", headers=shop)).json()["items"]
    assert (opened["status"], opened["shares"]) == ("open", [])
    assert closed["id"] == str(window)
    assert [each["net_micros"] for each in closed["shares"]] == [7_000_000]
    assert closed["settlement"]["reference"] == made.reference
    (payment,) = closed["settlement"]["payments"]
    assert (payment["micros"], payment["collects"], payment["status"]) == (
        7_000_000,
        False,
        "planned",
    )
    at = f"{OWN}/windows/{window}/lines"
    (own,) = (await client.get(at, headers=shop)).json()["items"]
    assert (own["line"]["member_micros"], own["disputed"], own["dispute"]) == (
        7_000_000,
        False,
        None,
    )
    assert own["line"]["funded_micros"] is None
    assert own["line"]["price_micros"] is None
    body = {"lines": [own["line"]["line"]], "reason": "too little"}
    writer = await api_key("shop", Scope.SETTLEMENT_WRITE)
    refused = await client.post("/v1/settlement/disputes", json=body, headers=shop)
    assert refused.status_code == 403
    dispute = (await client.post("/v1/settlement/disputes", json=body, headers=writer)).json()
    (own,) = (await client.get(at, headers=shop)).json()["items"]
    assert (own["disputed"], own["dispute"]) == (True, dispute["id"])
    (other,) = (await client.get(at, headers=await api_key("alpha", Scope.SETTLEMENT_READ))).json()[
        "items"
    ]
    assert (other["disputed"], other["dispute"]) == (True, None)
    assert other["line"]["cost_micros"] is None
    nobody = await api_key("tickets", Scope.SETTLEMENT_READ)
    assert (await client.get(at, headers=nobody)).json() == {"items": [], "next": None}
    assert (await client.get(f"{OWN}/windows/{made.id}/lines", headers=shop)).status_code == 404


async def test_lines_come_page_by_page(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, api_key: Make, house: House
) -> None:
    await spend(client, coalition, sign_in)
    await spend(client, coalition, sign_in)
    window = await house.close_window()
    shop = await api_key("shop", Scope.SETTLEMENT_READ)
    at = f"{OWN}/windows/{window}/lines?limit=1"
    first = (await client.get(at, headers=shop)).json()
    second = (await client.get(f"{at}&cursor={first['next']}", headers=shop)).json()
    assert second["next"] is None
    assert first["items"][0]["line"]["line"] != second["items"][0]["line"]["line"]


async def test_accounts_are_put_forward_by_people(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, api_key: Make
) -> None:
    key = await api_key("shop", Scope.SETTLEMENT_READ, Scope.SETTLEMENT_WRITE)
    refused = await client.post(f"{OWN}/accounts", json=ACCOUNT, headers=key)
    assert refused.status_code == 403
    person = await sign_in(Role.PARTNER)
    wrong = {**ACCOUNT, "account": {"holder": "Shop", "iban": "DE00"}}
    assert (await client.post(f"{OWN}/accounts", json=wrong, headers=person)).status_code == 400
    made = (await client.post(f"{OWN}/accounts", json=ACCOUNT, headers=person)).json()
    assert made["status"] == "proposed"
    assert (await client.get(f"{OWN}/accounts", headers=key)).json()["accounts"] == [made]
    withdraw = f"{OWN}/accounts/{made['id']}/withdraw"
    other = await sign_in(Role.PARTNER, "alpha")
    assert (await client.post(withdraw, headers=other)).status_code == 404
    assert (await client.get(f"{OWN}/accounts", headers=other)).json() == {"accounts": []}
    assert (await client.post(withdraw, headers=person)).json()["status"] == "refused"
    for role in (Role.FINANCE, Role.PARTICIPANT):
        stranger = await sign_in(role)
        assert (await client.get(f"{OWN}/windows", headers=stranger)).status_code == 403


async def test_a_program_reads_the_cap(
    client: httpx.AsyncClient, coalition: Coalition, api_key: Make, house: House
) -> None:
    await capped(coalition)
    await pay_ahead(house, "capped", 5_000_000)
    own = await api_key("capped", Scope.SETTLEMENT_READ)
    found = (await client.get(f"{OWN}/cap", headers=own)).json()
    (cap,) = found["caps"]
    assert (cap["used_micros"], cap["cap_micros"], cap["alarming"]) == (0, 25_000_000, False)
    assert found["paid_ahead"] == [{"currency": "EUR", "amount_micros": 5_000_000}]
    other = await api_key("shop", Scope.SETTLEMENT_READ)
    assert (await client.get(f"{OWN}/cap", headers=other)).json() == {"caps": [], "paid_ahead": []}
