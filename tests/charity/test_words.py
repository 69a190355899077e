"""Names, titles and dedications: what is not seen is refused by every door, or left out."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from charity import paper
from charity.proof import owner_of, receipt_of
from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Role
from marketplace.web.i18n import load_languages
from tests.charity.conftest import Cause
from tests.charity.test_pages import fields
from tests.charity.test_proof import SignIn

TURNED = "Wells\u202egro.live"
DRAFT: dict[str, Any] = {
    "slug": "trees",
    "charity": "aqua",
    "currency": "EUR",
    "rate_micros": 5_000,
    "goal_micros": 1_000_000_000,
    "surplus": "general_fund",
    "texts": {"en": {"title": "Trees", "story": "One.\n\nTwo."}},
}
STRANGE: dict[str, tuple[dict[str, Any], str]] = {
    "title": ({"texts": {"en": {"title": TURNED}}}, "title_en"),
    "two lines": ({"texts": {"en": {"title": "Trees\nand more"}}}, "title_en"),
    "story": ({"texts": {"en": {"title": "Trees", "story": "A\u200bB"}}}, "story_en"),
    "designation": ({"designation": "roots\u2066"}, "designation"),
    "milestone": ({"milestones": [{"amount_micros": 5, "words": {"en": "\u3164"}}]}, "milestones"),
}


@pytest.mark.parametrize("what", STRANGE)
async def test_a_campaign_says_nothing_that_is_not_seen(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn, what: str
) -> None:
    operator = await sign_in(Role.OPERATOR)
    change, field = STRANGE[what]
    path = "/v1/charity/drafts/trees"
    refused = await client.put(path, json={**DRAFT, **change}, headers=operator)
    assert (refused.status_code, refused.json()["field"]) == (400, field)
    assert "U+" in refused.json()["detail"]
    assert (await client.put(path, json=DRAFT, headers=operator)).status_code == 200


async def test_a_charity_and_what_is_said_of_it_are_seen(cause: Cause) -> None:
    for name in (TURNED, "\u200d\u3164", "x" * 201):
        with pytest.raises(InvalidRequest):
            await cause.register("luna", legal_name=name)
    await cause.register("luna", legal_name="財団法人 \U0001f319 Луна")


async def test_a_dedication_is_kept_without_what_is_not_seen_and_printed_as_it_is(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    await cause.done(10, dedication="\u202eFor\n 山田\u200b \U0001f468\u200d\U0001f467 \U00013000")
    ann = await sign_in(Role.PARTICIPANT)
    (gift,) = (await client.get("/v1/charity/gifts", headers=ann)).json()["items"]
    kept = "For 山田 \U0001f468\u200d\U0001f467 \U00013000"
    assert gift["dedication"] == kept
    page = (await client.get(f"/charity/receipts/{gift['receipt_id']}", headers=ann)).text
    assert kept in page
    owner = owner_of(await cause.person("ann"))
    async with cause.runtime.database.begin() as session:
        receipt = await receipt_of(session, owner, gift["receipt_id"])
    told = paper.tell(receipt, load_languages()["en"])
    assert ("Dedication", kept) in told["rows"]  # type: ignore[operator]
    assert (await paper.typeset(receipt, load_languages()["en"])).startswith(b"%PDF")


async def test_the_form_says_beside_the_title_what_is_wrong(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    operator = await sign_in(Role.OPERATOR)
    path = "/charity/staff/campaigns/new?charity=aqua"
    form = fields((await client.get(path, headers=operator)).text)
    sent = await client.post(path, data={**form, "title_en": TURNED}, headers=operator)
    assert "One line of at most 120 visible characters, please." in sent.text
