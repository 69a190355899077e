"""Getting a reward in two taps, in a browser without scripts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from marketplace import api
from marketplace.clock import now
from marketplace.exchange import closures
from marketplace.exchange.domain import Cause, OfferStatus
from marketplace.exchange.models import Burn, BurnGift, Offer
from marketplace.identity.domain import Role
from marketplace.ledger.models import Wallet
from tests.conftest import Headers
from tests.exchange.browsing import Browser
from tests.exchange.test_http import deliver
from tests.factories import Coalition, days

Make = Callable[..., Awaitable[Headers]]


@pytest.fixture
async def ann(client: httpx.AsyncClient, coalition: Coalition, sign_in: Make) -> Browser:
    async with coalition.runtime.database.begin() as session:
        start = await now(session)
    await coalition.issue("ann", 300, issuer="beta", reference="SOON", expires_at=start + days(9))
    await coalition.issue("ann", 5_200, reference="EVER")
    return Browser(client, await sign_in(Role.PARTICIPANT))


async def burns(coalition: Coalition) -> list[Burn]:
    async with coalition.runtime.database.begin() as session:
        return list(await session.scalars(sa.select(Burn).order_by(Burn.id)))


async def available(coalition: Coalition) -> int:
    async with coalition.runtime.database.begin() as session:
        return (await session.get_one(Wallet, coalition.wallets["ann"])).available


async def test_two_taps_and_the_reward_is_on_its_way(ann: Browser, coalition: Coalition) -> None:
    said = await ann.open("/burn/card?quantity=2")
    assert "Price 2,000 points" in said
    assert "Now 5,500" in said
    assert "Afterwards 3,500" in said
    assert "300 points of Beta SOON" in said
    assert "1,700 points of Alpha EVER" in said
    assert "never expires" in said
    assert "held, not spent" in said
    said = await ann.send("/burn/card")
    assert "On its way" in said
    assert "You burnt 2,000 points" in said
    assert await available(coalition) == 3_500
    (burn,) = await burns(coalition)
    assert ann.address == f"/rewards/{burn.id}"


async def test_pressing_twice_or_going_back_and_sending_again_burns_once(
    ann: Browser, coalition: Coalition
) -> None:
    await ann.open("/burn/card")
    form = ann.form("/burn/card")
    at_once = await asyncio.gather(*(ann.post("/burn/card", **form) for _ in range(3)))
    again = await ann.post("/burn/card", **form)
    assert {each.status_code for each in (*at_once, again)} == {303}
    assert len({each.headers["location"] for each in (*at_once, again)}) == 1
    assert len(await burns(coalition)) == 1
    other = await ann.post("/burn/card", **{**form, "quantity": "2", "expected_points": "2000"})
    assert other.status_code == 409
    assert await available(coalition) == 4_500
    # A page opened anew is another burn.
    await ann.open("/burn/card")
    await ann.send("/burn/card")
    assert len(await burns(coalition)) == 2


async def test_a_price_that_changed_meanwhile_is_asked_about_again(
    ann: Browser, coalition: Coalition
) -> None:
    await ann.open("/burn/card")
    async with coalition.runtime.database.begin() as session:
        changed = sa.update(Offer).where(Offer.reference == "card")
        await session.execute(changed.values(points=1_200, version=Offer.version + 1))
    said = await ann.send("/burn/card", status=409)
    assert "The price has changed" in said
    assert "1,200 points" in said
    assert await available(coalition) == 5_500
    assert "You burnt 1,200 points" in await ann.send("/burn/card")
    assert await available(coalition) == 4_300


@pytest.mark.parametrize(
    ("terms", "words", "address"),
    [
        ({"points": 9_000}, "yours: 5,500, missing: 12,500", None),
        ({"points": 4_000}, "yours: 5,500, missing: 2,500", "?quantity=1"),
        ({"status": OfferStatus.PAUSED}, "paused it", None),
        ({"status": OfferStatus.ANNOUNCED}, "announced", None),
        ({"stock": 1}, "Left: 1", "?quantity=1"),
        ({"stock": 0}, "sold out", None),
        ({"limit_per_wallet": 1}, "The limit for one person is 1", "?quantity=1"),
        ({"eligibility": {"roles": ["manager"]}}, "another role: manager", None),
        ({"eligibility": {"countries": ["PL"]}}, "other countries: Poland", None),
        ({"eligibility": {"firms": ["zeta"]}}, "certain firms", None),
        ({"eligibility": {"rules": ["acme.trained"]}}, "cannot be checked at present", None),
        ({"currency": "PLN"}, "another currency: 5,500", None),
    ],
)
async def test_what_cannot_be_had_says_why_and_what_helps(
    terms: dict[str, Any],
    words: str,
    address: str | None,
    ann: Browser,
    coalition: Coalition,
) -> None:
    await coalition.add_offer("thing", acceptor="shop", **terms)
    said = await ann.open("/burn/thing?quantity=2")
    assert words in said
    assert not ann.has("/burn/thing")
    if address is not None:
        assert f'href="/burn/thing{address}"' in ann.html
        await ann.open(f"/burn/thing{address}")
        assert ann.has("/burn/thing")


@pytest.mark.parametrize(
    ("cause", "said_by_operator", "words"),
    [
        (Cause.OPERATOR, "Stocktaking until noon.", "closed for the time being: Stocktaking until"),
        (Cause.OPERATOR, "", "closed for the time being."),
        (Cause.BREAKER, "", "The partner cannot deliver just now."),
        (Cause.NOT_ENABLED, "internal", "The partner is not ready to deliver it yet."),
    ],
)
async def test_what_is_closed_says_why_in_words_and_shows_no_button(
    cause: Cause, said_by_operator: str, words: str, ann: Browser, coalition: Coalition
) -> None:
    await ann.open("/burn/card")
    assert ann.has("/burn/card")
    async with coalition.runtime.database.begin() as session:
        await closures.close(session, "giftfund", cause, actor="test", words=said_by_operator)
    said = await ann.send("/burn/card", status=409)
    assert words in said
    assert "internal" not in said
    assert not ann.has("/burn/card")
    assert await available(coalition) == 5_500


class Trained:
    """A partner's rule that says its refusal in several languages."""

    name = "acme.trained"

    def __init__(self, words: Any) -> None:
        self.words = words

    def refusal(self, who: api.Who, offer_reference: str) -> Any:
        return self.words


IN_TWO: dict[str, str] = {"en": "Take the training first.", "pl": "Najpierw ukończ szkolenie."}


@pytest.mark.parametrize(
    ("words", "language", "told"),
    [
        (IN_TWO, "pl", "Najpierw ukończ szkolenie."),
        (IN_TWO, "it", "Take the training first."),
        ({"de": "Erst die Schulung."}, "pl", "Erst die Schulung."),
        ("Only on Mondays.", "pl", "Only on Mondays."),
        ({}, "en", "This offer is not open to this participant"),
        ({"en": 7}, "en", "7"),
    ],
)
async def test_a_partners_condition_is_told_in_the_readers_language(
    words: Any, language: str, told: str, ann: Browser, coalition: Coalition
) -> None:
    coalition.runtime.eligibility_rules["acme.trained"] = Trained(words)
    await coalition.add_offer(
        "tool", acceptor="shop", eligibility={"rules": ["acme.trained"]}, points=100
    )
    ann.who["Accept-Language"] = language
    said = await ann.open("/burn/tool")
    if words:
        assert told in said
    else:
        assert "cannot be checked at present" in said
    body = {
        "wallet_id": str(coalition.wallets["ann"]),
        "offer_id": str(coalition.offers["tool"]),
    }
    answer = await ann.client.post(
        "/v1/burns", json=body, headers={**ann.who, "Idempotency-Key": "k"}
    )
    assert answer.status_code == 403
    kept = words.get("en", told) if isinstance(words, dict) else words
    assert answer.json()["detail"] == str(kept)


async def test_a_refusal_after_the_page_was_opened_is_explained(
    ann: Browser, coalition: Coalition
) -> None:
    await coalition.add_offer("last", acceptor="shop", stock=1)
    await ann.open("/burn/last")
    async with coalition.runtime.database.begin() as session:
        await session.execute(sa.text("update offer_stock set remaining = 0"))
    said = await ann.send("/burn/last", status=409)
    assert "Something changed" in said
    assert "sold out" in said
    assert await available(coalition) == 5_500


async def test_a_form_that_was_tampered_with_burns_nothing(
    ann: Browser, coalition: Coalition
) -> None:
    await ann.open("/burn/card")
    form = ann.form("/burn/card")
    for wrong in (
        {"key": ""},
        {"key": "x" * 201},
        {"quantity": "0"},
        {"quantity": "-1"},
        {"quantity": "many"},
        {"expected_points": "0"},
        {"colleague": "bob"},
    ):
        answer = await ann.post("/burn/card", **{**form, **wrong})
        assert answer.status_code in (400, 422), wrong
    assert (await ann.post("/burn/nothing", **form)).status_code == 404
    assert await burns(coalition) == []


async def test_a_reward_can_be_burnt_for_a_colleague_straight_away(
    ann: Browser, coalition: Coalition, client: httpx.AsyncClient, sign_in: Make
) -> None:
    bob = Browser(client, await sign_in(Role.PARTICIPANT, "bob"))
    said = await ann.open("/burn/card?who=bo")
    assert "Who is it for?" in said
    form = ann.form("/burn/card")
    assert form["colleague"] == str(coalition.participants["bob"])
    said = await ann.send("/burn/card", message="For the trade fair")
    assert "Given to Bob" in said
    (burn,) = await burns(coalition)
    assert "A gift from Ann" in (said := await bob.open(f"/rewards/{burn.id}"))
    assert "For the trade fair" in said
    assert "1,000" not in said
    await deliver(coalition.runtime, str(burn.id))
    assert "Show the code" in await bob.open(f"/rewards/{burn.id}")


async def test_a_colleague_of_another_firm_stops_the_burn(
    ann: Browser, coalition: Coalition, sign_in: Make
) -> None:
    await coalition.add_firm("zeta", sponsor="beta")
    await coalition.add_participant("eve", firm="zeta")
    await sign_in(Role.PARTICIPANT, "eve")
    assert "Nobody in your firm fits" in await ann.open("/burn/card?who=eve")
    await ann.open("/burn/card")
    stranger = str(coalition.participants["eve"])
    answer = await ann.post("/burn/card", **{**ann.form("/burn/card"), "colleague": stranger})
    assert answer.status_code == 404
    assert await burns(coalition) == []
    async with coalition.runtime.database.begin() as session:
        assert (await session.scalars(sa.select(BurnGift))).all() == []


async def test_staff_and_strangers_do_not_burn(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    await Browser(client, await sign_in(Role.OPERATOR)).open("/burn/card", status=403)
    stranger = await client.get("/burn/card", headers={"Accept": "text/html"})
    assert stranger.headers["location"].startswith("/sign-in?next=/burn/card")
