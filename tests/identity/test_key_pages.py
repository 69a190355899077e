"""API keys on pages: made with words for what they may do, shown once, revoked after a question."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest

from marketplace.identity.domain import Role, Scope
from marketplace.identity.key_pages import SCOPES
from tests.conftest import Headers, bearer
from tests.exchange.browsing import Browser, words_of
from tests.factories import Coalition

SignIn = Callable[..., Awaitable[Headers]]
KEYS = "/partner/keys"


@pytest.fixture
async def partner(coalition: Coalition, client: httpx.AsyncClient, sign_in: SignIn) -> Browser:
    return Browser(client, await sign_in(Role.PARTNER, "shop"))


def test_every_scope_has_words() -> None:
    assert set(SCOPES) == set(Scope)


async def test_a_key_is_made_shown_once_used_and_revoked(partner: Browser) -> None:
    assert "There is none yet." in await partner.open(KEYS)
    made = await partner.post(KEYS, label="Till", scopes=["offers:read", "burns:read"])
    assert made.status_code == 200
    key = made.text.split('id="key">')[1].split("<")[0]
    assert "Read orders" in words_of(made)
    offers = await partner.client.get("/v1/offers", headers=bearer(key))
    assert offers.status_code == 200
    said = await partner.open(KEYS)
    assert "Till" in said
    assert key not in partner.html
    assert key[:6] in partner.html
    revoke = partner.html.split(f'href="{KEYS}/')[1].split('"')[0]
    assert "Revoke “Till”?" in await partner.open(f"{KEYS}/{revoke}")
    assert (await partner.client.get("/v1/offers", headers=bearer(key))).status_code == 200
    said = await partner.send(f"{KEYS}/{revoke}")
    assert "The key “Till” is revoked." in said
    assert (await partner.client.get("/v1/offers", headers=bearer(key))).status_code == 401
    assert "It was revoked" in await partner.open(f"{KEYS}/{revoke}")


@pytest.mark.parametrize(
    ("label", "scopes", "said"),
    [
        ("", ["offers:read"], "A name in one line"),
        ("x" * 101, ["offers:read"], "A name in one line"),
        ("a\nb", ["offers:read"], "A name in one line"),
        ("Till", [], "Choose at least one thing it may do."),
        ("Till", ["everything"], "Choose at least one thing it may do."),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field(
    partner: Browser, label: str, scopes: list[str], said: str
) -> None:
    refused = await partner.post(KEYS, label=label, scopes=scopes)
    assert refused.status_code == 422
    assert said in words_of(refused)
    assert "There is none yet." in await partner.open(KEYS)


async def test_keys_of_others_are_neither_seen_nor_revoked(
    partner: Browser, sign_in: SignIn
) -> None:
    await partner.post(KEYS, label="Till", scopes=["offers:read"])
    await partner.open(KEYS)
    revoke = partner.html.split(f'href="{KEYS}/')[1].split('"')[0]
    other = Browser(partner.client, await sign_in(Role.PARTNER, "tickets"))
    assert "There is none yet." in await other.open(KEYS)
    await other.open(f"{KEYS}/{revoke}", 404)
    assert (await other.post(f"{KEYS}/{revoke}")).status_code == 404
    assert "Till" in await partner.open(KEYS)


async def test_keys_of_the_operator_member_are_the_operators_alone(
    partner: Browser, sign_in: SignIn
) -> None:
    clerk = Browser(partner.client, await sign_in(Role.PARTNER, "operator"))
    said = await clerk.open(KEYS)
    assert "Only the operator makes keys of this member" in said
    assert (await clerk.post(KEYS, label="x", scopes=["offers:read"])).status_code == 403
    operator = Browser(partner.client, await sign_in(Role.OPERATOR))
    made = await operator.post(f"{KEYS}?member=operator", label="x", scopes=["offers:read"])
    assert made.status_code == 200
