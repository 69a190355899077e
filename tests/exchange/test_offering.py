"""A partner sells: makes offers, amends them, stops them, alone and in bulk; never another's."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from marketplace.exchange import tally
from marketplace.exchange.models import Burn, OfferTally
from marketplace.identity.domain import Role, Scope
from marketplace.identity.models import AuditEntry
from marketplace.ids import uuid7
from marketplace.ledger.verify import verify
from tests.conftest import Headers
from tests.factories import Coalition, days
from tests.web.problems import problem

Make = Callable[..., Awaitable[Headers]]
TEA: dict[str, Any] = {
    "reference": "tea",
    "kind": "gift",
    "name": "Tea",
    "plugin": "giftfund",
    "sku": "TEA",
    "points": 500,
    "cost_micros": 4_000_000,
    "currency": "EUR",
    "limit_per_wallet": 3,
    "eligibility": {"countries": ["DE"]},
}


async def make(client: httpx.AsyncClient, headers: Headers, **more: Any) -> Any:
    """Make an offer; what it is now."""
    answer = await client.post("/v1/offers", json={**TEA, **more}, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def burn(
    client: httpx.AsyncClient, coalition: Coalition, headers: Headers, offer: str
) -> Any:
    """Ann burns one unit."""
    body = {"wallet_id": str(coalition.wallets["ann"]), "offer_id": offer}
    headers = {**headers, "Idempotency-Key": str(uuid7())}
    return (await client.post("/v1/burns", json=body, headers=headers)).json()


async def audited(coalition: Coalition, action: str) -> list[dict[str, Any]]:
    """Details of the entries of this action, oldest first."""
    async with coalition.runtime.database.begin() as session:
        rows = await session.scalars(
            sa.select(AuditEntry.details).where(AuditEntry.action == action).order_by(AuditEntry.id)
        )
        return list(rows)


async def test_an_offer_is_made_sold_amended_and_retired(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    partner, ann = await sign_in(Role.PARTNER), await sign_in(Role.PARTICIPANT)
    await coalition.issue("ann", 5_000)
    await coalition.activate("giftfund", "shop")
    made = await make(client, partner, stock=10)
    assert (made["acceptor"], made["status"], made["version"]) == ("shop", "announced", 1)
    path = f"/v1/offers/{made['id']}"
    assert (await burn(client, coalition, ann, made["id"]))["code"] == "offer_not_on_sale"
    sold = await client.post(f"{path}/status", json={"status": "on_sale"}, headers=partner)
    assert (sold.status_code, sold.json()["version"]) == (200, 2)
    held = await burn(client, coalition, ann, made["id"])
    assert (held["status"], held["points"]) == ("held", 500)

    change = {"version": 2, "name": "Green tea", "limit_per_wallet": 1, "eligibility": {}}
    amended = await client.patch(path, json=change, headers=partner)
    assert amended.status_code == 200, amended.text
    now = amended.json()
    assert (now["name"], now["limit_per_wallet"], now["stock"]) == ("Green tea", 1, 9)
    assert now["eligibility"] == {}
    # What was burnt stays as it was; the new limit counts it, for there was a limit before.
    assert (await client.get(f"/v1/burns/{held['id']}", headers=ann)).json()["points"] == 500
    assert (await burn(client, coalition, ann, made["id"]))["code"] == "limit_reached"
    (entry,) = await audited(coalition, "offer.amended")
    assert entry["changes"]["name"] == ["Tea", "Green tea"]
    assert entry["changes"]["eligibility"] == [{"countries": ["DE"]}, {}]

    stale = await client.patch(path, json={"version": 2, "name": "Mine"}, headers=partner)
    problem(stale, 409, "offer_changed")
    same = await client.patch(path, json={"name": "Green tea"}, headers=partner)
    assert same.json()["version"] == now["version"]
    await client.post(f"{path}/status", json={"status": "retired"}, headers=partner)
    again = await client.post(f"{path}/status", json={"status": "on_sale"}, headers=partner)
    problem(again, 409, "offer_retired")
    problem(
        await client.patch(path, json={"name": "Old tea"}, headers=partner), 409, "offer_retired"
    )


async def test_a_limit_that_is_lowered_takes_nothing_back(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    partner, ann = await sign_in(Role.PARTNER), await sign_in(Role.PARTICIPANT)
    await coalition.issue("ann", 5_000)
    await coalition.activate("giftfund", "shop")
    made = await make(client, partner, stock=10, status="on_sale")
    for _ in range(3):
        assert (await burn(client, coalition, ann, made["id"]))["status"] == "held"
    for limit in (2, 1):
        change = {"limit_per_wallet": limit}
        answer = await client.patch(f"/v1/offers/{made['id']}", json=change, headers=partner)
        assert answer.status_code == 200
        assert (await burn(client, coalition, ann, made["id"]))["code"] == "limit_reached"
        async with coalition.runtime.database.begin() as session:
            assert await verify(session) == []


async def test_an_offer_of_a_plugin_that_is_not_enabled_is_closed_and_says_so(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    partner, ann = await sign_in(Role.PARTNER), await sign_in(Role.PARTICIPANT)
    await coalition.issue("ann", 5_000)
    made = await make(client, partner, status="on_sale")
    assert made["closed"]["cause"] == "not_enabled"
    assert (await burn(client, coalition, ann, made["id"]))["code"] == "plugin_closed"
    page = await client.get("/partner/offers", headers=partner)
    assert "closed: its plugin is not enabled for you" in page.text


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"reference": "card"}, 409, "offer_taken"),
        ({"reference": " tea"}, 400, "invalid_request"),
        ({"sku": "SEAT", "plugin": "giftfund"}, 409, "offer_taken"),
        ({"plugin": "nobody"}, 400, "invalid_request"),
        ({"points": 499}, 422, "price_not_covered"),
        ({"currency": "USD"}, 422, "price_not_covered"),
        ({"currency": "EURO"}, 400, "invalid_request"),
        ({"points": 0}, 400, "invalid_request"),
        ({"eligibility": {"firms": ["nobody"]}}, 400, "invalid_request"),
        ({"eligibility": {"countries": ["XX"]}}, 400, "invalid_request"),
        ({"eligibility": {"rules": ["acme.trained"]}}, 400, "invalid_request"),
        ({"starts_at": "2030-01-02T00:00Z", "ends_at": "2030-01-01T00:00Z"}, 400, "invalid_request"),  # noqa: E501
        ({"starts_at": "2030-01-02T00:00:00"}, 400, "invalid_request"),
        ({"member": "tickets"}, 403, "not_allowed"),
        ({"colour": "green"}, 400, "invalid_request"),
    ],
)  # fmt: skip
async def test_what_is_no_offer_is_refused(
    coalition: Coalition,
    client: httpx.AsyncClient,
    sign_in: Make,
    change: dict[str, Any],
    status: int,
    code: str,
) -> None:
    await coalition.add_offer("seat", acceptor="tickets", sku="SEAT")
    partner = await sign_in(Role.PARTNER)
    answer = await client.post("/v1/offers", json={**TEA, **change}, headers=partner)
    problem(answer, status, code)
    own: Any = (await client.get("/v1/offers/own", headers=partner)).json()["items"]
    assert [each["reference"] for each in own] == ["card"]


async def test_only_the_operator_may_pay_for_a_reward_itself(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make, api_key: Make
) -> None:
    operator = await sign_in(Role.OPERATOR)
    gift = await make(client, operator, member="shop", points=1)
    assert gift["acceptor"] == "shop"
    answer = await client.post(
        "/v1/offers",
        json={**TEA, "member": "beta"},
        headers=await api_key("shop", Scope.OFFERS_WRITE),
    )
    problem(answer, 403, "not_allowed")


async def test_nobody_reaches_the_offers_of_another(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make, api_key: Make
) -> None:
    await coalition.add_offer("seat", acceptor="tickets")
    seat = f"/v1/offers/{coalition.offers['seat']}"
    scopes = (Scope.OFFERS_READ, Scope.OFFERS_WRITE)
    for headers in (await sign_in(Role.PARTNER, "shop"), await api_key("shop", *scopes)):
        own: Any = (await client.get("/v1/offers/own?member=tickets", headers=headers)).json()
        assert own["items"] == []
        for answer in (
            await client.get(f"/v1/offers/own/{coalition.offers['seat']}", headers=headers),
            await client.patch(seat, json={"name": "Mine"}, headers=headers),
            await client.post(f"{seat}/status", json={"status": "paused"}, headers=headers),
        ):
            problem(answer, 404, "not_found")
        text = (await client.get("/v1/offers/file?member=tickets", headers=headers)).text
        assert len(text.splitlines()) == 1
        stolen = (await client.get("/v1/offers/file", headers=headers)).text
        stolen = stolen.replace("card", "seat")
        answer = await client.post("/v1/offers/file", content=stolen, headers=headers)
        problem(answer, 400, "bad_lines")
    for headers in (await sign_in(Role.FINANCE), await sign_in(Role.PARTICIPANT)):
        assert (await client.get("/v1/offers/own", headers=headers)).status_code == 403


async def test_what_is_downloaded_is_amended_and_sent_back(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    partner = await sign_in(Role.PARTNER)
    await make(client, partner, stock=4)
    text = (await client.get("/v1/offers/file", headers=partner)).text
    send = "/v1/offers/file"
    same: Any = (await client.post(send, content=text, headers=partner)).json()
    assert (same["new"], same["changed"], same["unchanged"]) == (0, 0, 2)
    new = "cup,gift,Cup,shop,giftfund,CUP,900,7,EUR,,,on_sale,,,,,\n"
    text = text.replace("Tea,", "Green tea,").replace("announced", "on_sale") + new
    dry: Any = (await client.post(f"{send}?dry_run=true", content=text, headers=partner)).json()
    assert (dry["new"], dry["changed"], dry["dry_run"]) == (1, 1, True)
    assert await audited(coalition, "offer.amended") == []
    done: Any = (await client.post(send, content=text, headers=partner)).json()
    assert (done["new"], done["changed"], done["unchanged"]) == (1, 1, 1)
    own: Any = (await client.get("/v1/offers/own?q=tea", headers=partner)).json()["items"]
    assert (own[0]["name"], own[0]["status"], own[0]["stock"]) == ("Green tea", "on_sale", 4)
    assert (await audited(coalition, "offer.status"))[0]["before"] == "announced"


async def test_every_line_that_cannot_be_taken_is_named(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    await coalition.add_offer("seat", acceptor="tickets", sku="SEAT")
    partner = await sign_in(Role.PARTNER)
    header = (await client.get("/v1/offers/file", headers=partner)).text.splitlines()[0]
    lines = [
        header,
        "card,gift,Card,shop,giftfund,card,999,7,EUR,,,on_sale,,,,,",
        "cup,gift,Cup,tickets,giftfund,CUP,900,7,EUR,,,on_sale,,,,,",
        "jug,gift,Jug,shop,giftfund,SEAT,900,7,EUR,,,on_sale,,,,,",
        "pot,gift,Pot,shop,giftfund,POT,100,7,EUR,,,on_sale,,,,,",
        "tin,gift,,shop,giftfund,TIN,many,7,EUR,,,on_sale,,,,,",
        "seat,gift,Seat,tickets,giftfund,SEAT,1000,7,EUR,,,on_sale,,,,,",
    ]
    answer = await client.post("/v1/offers/file", content="\n".join(lines), headers=partner)
    problem(answer, 400, "bad_lines")
    told = answer.json()
    assert [each["line"] for each in told["errors"]] == [2, 3, 4, 5, 6, 6, 7]
    assert "from a date on" in told["errors"][0]["reason"]
    own: Any = (await client.get("/v1/offers/own", headers=partner)).json()["items"]
    assert [(each["reference"], each["points"]) for each in own] == [("card", 1_000)]


async def test_a_worker_whose_clock_is_fast_counts_no_burn_too_early(
    coalition: Coalition,
    client: httpx.AsyncClient,
    sign_in: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await coalition.issue("ann", 5_000)
    ann = await sign_in(Role.PARTICIPANT)
    await burn(client, coalition, ann, str(coalition.offers["card"]))
    monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)
    async with coalition.runtime.database.begin() as session:
        assert await tally.count_burns(session) == 0
        assert await tally.count_burns(session, until=uuid7()) == 1


async def test_burns_are_counted_once_though_the_databases_clock_is_set_back(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    await coalition.issue("ann", 5_000)
    ann, card = await sign_in(Role.PARTICIPANT), str(coalition.offers["card"])

    async def counted(until: UUID | None = None) -> tuple[int, int, int]:
        """How many were counted now, and the burns and units that the tally has then."""
        async with coalition.runtime.database.begin() as session:
            new = await tally.count_burns(session, until=until)
            sums = sa.select(sa.func.sum(OfferTally.burns), sa.func.sum(OfferTally.units))
            burns, units = (await session.execute(sums)).one()
            return new, int(burns or 0), int(units or 0)

    await burn(client, coalition, ann, card)
    between = uuid7()
    await burn(client, coalition, ann, card)
    ahead = tally.floor_of(time.time() + 3 * 3_600)
    assert await counted(ahead) == (2, 2, 2)
    await burn(client, coalition, ann, card)  # below the watermark
    assert await counted(between) == (1, 1, 1)  # set back, and some are too young again
    assert await counted(uuid7()) == (2, 3, 3)
    assert await counted(uuid7()) == (0, 3, 3)
    assert await counted(ahead) == (0, 3, 3)
    await burn(client, coalition, ann, card)
    assert await counted() == (0, 0, 0)
    assert await counted(uuid7()) == (4, 4, 4)
    assert await counted() == (0, 4, 4)  # younger than the horizon, as after a small step: stays


async def test_burns_are_counted_once_whoever_counts(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    await coalition.issue("ann", 5_000)
    ann, partner = await sign_in(Role.PARTICIPANT), await sign_in(Role.PARTNER)
    card = str(coalition.offers["card"])
    for _ in range(3):
        assert (await burn(client, coalition, ann, card))["status"] == "held"
    runtime = coalition.runtime
    async with runtime.database.begin() as session:
        assert await tally.count_burns(session) == 0  # too young to be sure of
    for counted in (3, 0):
        async with runtime.database.begin() as session:
            assert await tally.count_burns(session, until=uuid7()) == counted
    await burn(client, coalition, ann, card)
    async with runtime.database.begin() as session:
        assert await tally.count_burns(session, until=uuid7()) == 1
        by_day = await tally.units_by_day(session, coalition.offers["card"])
        assert (len(by_day), list(by_day.values())[-1]) == (30, 4)
    path = f"/v1/offers/own/{card}"
    own: Any = (await client.get(path, headers=partner)).json()
    assert own["lately"] == {"burns": 4, "units": 4, "points": 4_000}
    async with runtime.database.begin() as session:
        await session.execute(sa.update(OfferTally).values(hour=OfferTally.hour - days(31)))
        assert await session.scalar(sa.select(sa.func.count()).select_from(Burn)) == 4
    own = (await client.get(path, headers=partner)).json()
    assert own["lately"]["burns"] == 0
