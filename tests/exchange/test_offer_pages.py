"""The console's offers without scripts: forms keep what was typed, files are checked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest

from marketplace.identity.domain import Role
from tests.conftest import Headers
from tests.factories import Coalition

Make = Callable[..., Awaitable[Headers]]
PATH = "/partner/offers"
TYPED = {
    "reference": "tea",
    "kind": "gift",
    "plugin": "giftfund",
    "sku": "TEA",
    "points": "500",
    "cost": "4,00",
    "currency": "EUR",
    "stock": "10",
    "name": "Tea",
    "limit": "3",
    "starts_at": "2026-01-01T08:00",
    "eligible_countries": "DE, PL",
    "status": "on_sale",
}


async def send_file(
    client: httpx.AsyncClient, headers: Headers, text: str, do: str
) -> httpx.Response:
    files = {"file": ("offers.csv", text.encode(), "text/csv")}
    return await client.post(f"{PATH}/bulk", files=files, data={"do": do}, headers=headers)


async def test_a_partner_makes_an_offer_and_changes_it(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    partner = await sign_in(Role.PARTNER)
    await coalition.activate("giftfund", "shop")
    wrong = {**TYPED, "cost": "4.5", "sku": "", "eligible_countries": "Germany"}
    answer = await client.post(f"{PATH}/new", data=wrong, headers=partner)
    assert answer.status_code == 422
    assert 'id="sku-error"' in answer.text
    assert 'id="eligible_countries-error"' in answer.text
    assert 'value="Germany"' in answer.text  # nothing typed is lost
    assert 'value="2026-01-01T08:00"' in answer.text
    dear = await client.post(f"{PATH}/new", data={**TYPED, "cost": "4.01"}, headers=partner)
    assert dear.status_code == 422
    assert "no more than 4.00" in dear.text

    made = await client.post(f"{PATH}/new", data=TYPED, headers=partner)
    assert made.status_code == 303, made.text
    path = made.headers["location"]
    shown = (await client.get(path, headers=partner)).text
    assert "DE; PL" in shown
    assert "Units taken a day" in shown
    change = {"name": "Green tea", "limit": "", "eligible_firms": "nobody", "version": "1"}
    refused = await client.post(path, data=change, headers=partner)
    assert (refused.status_code, 'id="eligible_firms-error"' in refused.text) == (422, True)
    assert 'value="Green tea"' in refused.text
    assert (await client.get(PATH, headers=partner)).text.count("Green tea") == 0
    saved = await client.post(path, data={**change, "eligible_firms": "acme"}, headers=partner)
    assert saved.status_code == 303
    for version in ("1", "9" * 5_000):
        late = await client.post(path, data={"name": "Mine", "version": version}, headers=partner)
        assert (late.status_code, 'value="Mine"' in late.text) == (409, True)
    assert 'name="version" value="2"' in late.text
    assert "Name: Green tea, before Tea" in late.text


async def test_an_offer_is_paused_and_retired_after_a_question(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    partner = await sign_in(Role.PARTNER)
    path = f"{PATH}/{coalition.offers['card']}"
    await client.post(f"{path}/status", data={"status": "paused"}, headers=partner)
    assert "Put on sale" in (await client.get(path, headers=partner)).text
    assert "Retire for good" in (await client.get(f"{path}/retire", headers=partner)).text
    await client.post(f"{path}/status", data={"status": "retired"}, headers=partner)
    shown = (await client.get(path, headers=partner)).text
    assert "A retired offer stays as it is" in shown
    again = await client.post(f"{path}/status", data={"status": "on_sale"}, headers=partner)
    assert again.status_code == 409


async def test_a_file_is_checked_then_taken(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    partner = await sign_in(Role.PARTNER)
    text = (await client.get(f"{PATH}/offers.csv", headers=partner)).text
    text = text.replace(",Card,", ",Gift card,")
    checked = await send_file(client, partner, text, "check")
    assert (checked.status_code, "offers.csv is good" in checked.text) == (200, True)
    assert "Gift card" not in (await client.get(PATH, headers=partner)).text
    bad = await send_file(client, partner, text + "x,y\n", "take")
    assert bad.status_code == 422
    assert "2 values for 17 columns" in bad.text
    taken = await send_file(client, partner, text, "take")
    assert taken.status_code == 303
    assert "Gift card" in (await client.get(PATH, headers=partner)).text
    nothing = await client.post(f"{PATH}/bulk", data={"do": "take"}, headers=partner)
    assert (nothing.status_code, "Choose a file" in nothing.text) == (422, True)


async def test_offers_of_another_are_not_there(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    await coalition.add_offer("seat", acceptor="tickets")
    seat = f"{PATH}/{coalition.offers['seat']}"
    partner, operator = await sign_in(Role.PARTNER), await sign_in(Role.OPERATOR)
    assert "Seat" not in (await client.get(PATH, headers=partner)).text
    operators = [(f"{seat}{tail}", operator) for tail in ("?member=shop", "/retire?member=shop")]
    for path, headers in [(seat, partner), (f"{seat}/retire", partner), *operators]:
        assert (await client.get(path, headers=headers)).status_code == 404
    for path, data in ((seat, {"name": "Mine"}), (f"{seat}/status", {"status": "paused"})):
        assert (await client.post(path, data=data, headers=partner)).status_code == 404
        by_mistake = await client.post(f"{path}?member=shop", data=data, headers=operator)
        assert by_mistake.status_code == 404
        unsaid = await client.post(path, data=data, headers=operator)
        assert unsaid.status_code == 409
    assert (await client.get(f"{PATH}?member=tickets", headers=partner)).status_code == 403
    assert "Seat" in (await client.get(f"{PATH}?member=tickets", headers=operator)).text
    text = (await client.get(f"{PATH}/offers.csv?member=tickets", headers=operator)).text
    files = {"file": ("offers.csv", text.encode(), "text/csv")}
    answer = await client.post(f"{PATH}/bulk?member=shop", files=files, headers=operator)
    assert answer.status_code == 422


@pytest.mark.parametrize("role", [Role.PARTICIPANT, Role.FIRM_MANAGER, Role.FINANCE])
async def test_the_console_is_for_partners(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make, role: Role
) -> None:
    assert (await client.get(PATH, headers=await sign_in(role))).status_code == 403


async def test_an_offer_named_after_another_s_id_tells_nothing_of_that_other(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    await coalition.activate("giftfund", "tickets")
    theirs = await client.post(
        f"{PATH}/new",
        data={**TYPED, "name": "Secret"},
        headers=await sign_in(Role.PARTNER, "tickets"),
    )
    path = theirs.headers["location"]
    change = {"name": "Very secret", "version": "1"}
    other = await sign_in(Role.PARTNER, "tickets")
    assert (await client.post(path, data=change, headers=other)).status_code == 303
    named = {**TYPED, "reference": path.rsplit("/", 1)[1], "sku": "MINE"}
    partner = await sign_in(Role.PARTNER)
    made = await client.post(f"{PATH}/new", data=named, headers=partner)
    assert made.status_code == 303
    shown = await client.get(made.headers["location"], headers=partner)
    assert "ecret" not in shown.text
