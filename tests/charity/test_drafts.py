"""What a campaign cannot be is said field by field, before anything is started."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from marketplace.identity.domain import Role
from tests.charity.conftest import Cause
from tests.charity.test_proof import SignIn
from tests.charity.test_words import DRAFT

HUGE = 10**30
STEP = {"amount_micros": 5, "words": {"en": "A well"}}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"goal_micros": 0}, "goal_micros"),
    ({"goal_micros": 4_999}, "goal_micros"),
    ({"goal_micros": HUGE}, "goal_micros"),
    ({"rate_micros": 0}, "rate_micros"),
    ({"rate_micros": 10**15, "goal_micros": 10**15}, "rate_micros"),
    ({"currency": "XXY"}, "currency"),
    ({"currency": "eur"}, "currency"),
    ({"starts_at": "0001-01-01T00:00:00+14:00"}, "starts_at"),
    ({"ends_at": "9999-12-31T23:59:59-14:00"}, "ends_at"),
    ({"starts_at": "2027-03-01T00:00:00Z", "ends_at": "2027-02-01T00:00:00Z"}, "ends_at"),
    ({"starts_at": "2027-03-01T00:00:00Z", "ends_at": "2027-03-01T00:00:00Z"}, "ends_at"),
    ({"grace_minutes": -1}, "grace_minutes"),
    ({"grace_minutes": HUGE}, "grace_minutes"),
    ({"milestones": [{**STEP, "words": {}}]}, "milestones"),
    ({"milestones": [{**STEP, "words": {"it": "Un pozzo"}}]}, "milestones"),
    ({"milestones": [{**STEP, "words": {"en": "A well", "xx": "?"}}]}, "milestones"),
    ({"milestones": [STEP, STEP]}, "milestones"),
    ({"milestones": [{**STEP, "amount_micros": 1 + each} for each in range(21)]}, "milestones"),
]


async def test_each_field_that_cannot_be_is_named(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    operator = await sign_in(Role.OPERATOR)
    path = "/v1/charity/drafts/trees"
    for change, field in WRONG:
        refused = await client.put(path, json={**DRAFT, **change}, headers=operator)
        assert (refused.status_code, refused.json().get("field")) == (400, field), change
    assert (await client.put(path, json=DRAFT, headers=operator)).status_code == 200


@pytest.mark.parametrize("steps", [[], [{**STEP, "words": {"en": "A well", "pl": "Studnia"}}]])
async def test_a_draft_that_was_taken_can_be_started(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn, steps: list[dict[str, Any]]
) -> None:
    operator = await sign_in(Role.OPERATOR)
    draft = {**DRAFT, "milestones": steps}
    assert (
        await client.put("/v1/charity/drafts/trees", json=draft, headers=operator)
    ).status_code == 200
    started = await client.post("/v1/charity/drafts/trees/start", headers=operator)
    assert started.status_code == 200, started.text
    shown = await client.get("/charity/c/trees?lang=pl")
    assert shown.status_code == 200
