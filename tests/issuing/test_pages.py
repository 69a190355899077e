"""Points for one person: found, filled in, seen what it costs, confirmed; once for a reference."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from marketplace import api
from marketplace.coalition.domain import ContractRole, Funding
from marketplace.identity.domain import Role, Scope
from marketplace.ledger.models import Lot, Wallet
from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime
from tests.conftest import Headers
from tests.exchange.browsing import Browser
from tests.factories import Coalition

SignIn = Callable[..., Awaitable[Headers]]
MakeKey = Callable[..., Awaitable[Headers]]
CHECK = "/partner/issue/check"
ISSUE = "/partner/issue"


@pytest.fixture
async def alpha(coalition: Coalition, client: httpx.AsyncClient, sign_in: SignIn) -> Browser:
    """A clerk of alpha, which sponsors acme; cleo is of a firm it has nothing to do with."""
    await coalition.add_firm("zeta", sponsor="beta")
    await coalition.add_participant("cleo", firm="zeta")
    return Browser(client, await sign_in(Role.PARTNER, "alpha"))


async def available(coalition: Coalition, who: str = "ann") -> int:
    async with coalition.runtime.database.begin() as session:
        return (await session.get_one(Wallet, coalition.wallets[who])).available


def observed(runtime: Runtime) -> list[api.IssueFact]:
    """What observers are told."""
    told: list[api.IssueFact] = []

    @api.hookimpl
    def marketplace_after_points_issued(fact: api.IssueFact) -> None:
        told.append(fact)

    plugin: Any = ModuleType("watch")
    plugin.marketplace_after_points_issued = marketplace_after_points_issued
    runtime.plugins.manager.register(plugin, name="watch")
    return told


async def test_points_are_issued_in_three_steps_and_once(
    alpha: Browser, coalition: Coalition, runtime: Runtime
) -> None:
    told = observed(runtime)
    said = await alpha.open(f"{ISSUE}?who=an")
    assert "Ann Acme · P-ann" in said
    assert "Bob" not in said
    await alpha.open(f"{ISSUE}?wallet={coalition.wallets['ann']}")
    said = await alpha.send(CHECK, 200, points="1 200", reference="INV-1")
    assert "They get 1,200 points" in said
    assert "It costs you €9.60 at most, as the points are burnt" in said
    assert await available(coalition) == 0
    said = await alpha.send(ISSUE)
    assert "1,200 points for Ann." in said
    assert "INV-1" in said
    assert await available(coalition) == 1_200
    assert [(fact.issuances, fact.points) for fact in told] == [(1, 1_200)]
    # The same once more, by the confirmation and by its form sent again.
    await alpha.open(f"{ISSUE}?wallet={coalition.wallets['ann']}")
    said = await alpha.send(CHECK, 200, points="1200", reference="INV-1")
    assert "These points were issued before" in said
    form = {"wallet": str(coalition.wallets["ann"]), "points": "1200", "reference": "INV-1"}
    again = await alpha.post(ISSUE, **form)
    assert again.status_code == 303
    assert "nothing was changed" in await alpha.open(again.headers["location"])
    assert await available(coalition) == 1_200
    assert len(told) == 1
    other = await alpha.post(ISSUE, **{**form, "points": "5"})
    assert other.status_code == 422
    assert "This reference was used before, for something else." in other.text
    async with runtime.database.begin() as session:
        assert await verify(session) == []


@pytest.mark.parametrize(
    ("points", "reference", "said"),
    [
        ("", "A", "That is no number of points."),
        ("0", "A", "That is no number of points."),
        ("-5", "A", "That is no number of points."),
        ("1.5", "A", "That is no number of points."),
        ("9" * 19, "A", "That is no number of points."),
        ("5", " ", "The reference does not fit."),
        ("5", "x" * 201, "The reference does not fit."),
        ("5", "a\x00b", "The reference does not fit."),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field_and_keeps_the_rest(
    alpha: Browser, coalition: Coalition, points: str, reference: str, said: str
) -> None:
    await alpha.open(f"{ISSUE}?wallet={coalition.wallets['ann']}")
    assert said in await alpha.send(CHECK, 422, points=points, reference=reference)
    assert alpha.form(CHECK)["points"] == points


async def test_names_are_found_of_those_one_knows_others_by_their_reference(
    alpha: Browser, coalition: Coalition
) -> None:
    assert "Nobody found" in await alpha.open(f"{ISSUE}?who=cleo")
    said = await alpha.open(f"{ISSUE}?who=P-cleo")
    assert "P-cleo of another firm" in said
    assert "Cleo" not in said
    assert "Nobody found" in await alpha.open(f"{ISSUE}?who=%25")
    assert "Nobody found" in await alpha.open(f"{ISSUE}?who=zz%00")
    # Who has had points of alpha is known to it.
    await coalition.issue("cleo", 5, issuer="alpha")
    assert "Cleo Zeta · P-cleo" in await alpha.open(f"{ISSUE}?who=cleo")
    await alpha.open(f"{ISSUE}?wallet={coalition.members['alpha']}", 404)
    await alpha.open(f"{ISSUE}?wallet=nonsense", 400)
    assert (await alpha.post(CHECK, wallet="nonsense")).status_code == 404


async def test_an_issuer_that_pays_at_once_is_told_so(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    await coalition.add_member(
        "gamma", role=ContractRole.ISSUER, funding=Funding.ISSUANCE, points_valid_days=365
    )
    gamma = Browser(client, await sign_in(Role.PARTNER, "gamma"))
    said = await gamma.open(f"{ISSUE}?wallet={coalition.wallets['ann']}")
    assert "Paid when points are issued" in said
    said = await gamma.send(CHECK, 200, points="100", reference="G-1")
    assert "€0.80 in the settlement window open now" in said
    await gamma.send(ISSUE)
    async with coalition.runtime.database.begin() as session:
        lot = (await session.scalars(sa.select(Lot))).one()
    assert (lot.expires_at - lot.effective_at).days == 365


async def test_who_may_not_issue_is_told_why(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    shop = Browser(client, await sign_in(Role.PARTNER, "shop"))
    for path in (ISSUE, "/partner/issue/files"):
        assert "Your contract is not for issuing" in await shop.open(path)
    form = {"wallet": str(coalition.wallets["ann"]), "points": "5", "reference": "S-1"}
    refused = await shop.post(CHECK, **form)
    assert "No contract that lets you issue points" in refused.text
    assert (await shop.post(ISSUE, **form)).status_code == 422
    assert await available(coalition) == 0


async def test_the_history_says_who_and_when_and_only_of_ones_own(
    alpha: Browser, coalition: Coalition, sign_in: SignIn, api_key: MakeKey
) -> None:
    assert "Nothing yet" in await alpha.open("/partner/issue/history")
    key = await api_key("alpha", Scope.ISSUANCES_WRITE)
    item = {"reference": "API-1", "wallet_id": str(coalition.wallets["ann"]), "points": 7}
    body = {"issuances": [item]}
    assert (await alpha.client.post("/v1/issuances", json=body, headers=key)).status_code == 201
    form = {"wallet": str(coalition.wallets["bob"]), "points": "9", "reference": "INV-9"}
    await alpha.post(ISSUE, **form)
    said = await alpha.open("/partner/issue/history")
    assert said.index("INV-9") < said.index("By the API")
    assert "partner of alpha" in said
    assert "key test" in said
    assert "+9" in said
    assert "+7" in said
    beta = Browser(alpha.client, await sign_in(Role.PARTNER, "beta"))
    assert "Nothing yet" in await beta.open("/partner/issue/history")
