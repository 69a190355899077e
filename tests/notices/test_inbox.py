"""The inbox, as pages without scripts and as JSON: one's own notices and nobody else's."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from marketplace.db import Database
from marketplace.identity.domain import Role
from marketplace.identity.models import Person
from marketplace.notices.service import notify
from tests.conftest import Headers, bearer
from tests.factories import Coalition, make_session
from tests.notices.conftest import notices, run_sql, tell_gift

HTMX = {"HX-Request": "true"}


def wish(category: str, email: str) -> dict[str, Any]:
    """The body of a request to change one preference."""
    return {"items": [{"category": category, "in_app": True, "email": email}]}


@pytest.fixture
async def bob(coalition: Coalition) -> Headers:
    """Bob, signed in."""
    return bearer(await make_session(coalition, Role.PARTICIPANT, "bob"))


async def test_the_inbox_shows_what_happened_and_how_much_is_unread(
    coalition: Coalition, client: httpx.AsyncClient, ann: Person, signed_in: Headers
) -> None:
    await tell_gift(coalition, ann)
    answer = await client.get("/notices", headers=signed_in)
    assert answer.status_code == 200
    assert "Bob sent you a gift: Mug" in answer.text
    assert "1 unread notice" in answer.text
    count = await client.get("/notices/count", headers=signed_in)
    assert re.sub("<.*", "", count.text).strip() == "1"


async def test_an_empty_inbox_says_what_will_be_there(
    client: httpx.AsyncClient, signed_in: Headers
) -> None:
    assert "Nothing here yet" in (await client.get("/notices", headers=signed_in)).text
    assert (await client.get("/notices/count", headers=signed_in)).text.strip() == ""


async def test_opening_a_notice_reads_it_and_leads_on(
    coalition: Coalition, client: httpx.AsyncClient, ann: Person, signed_in: Headers
) -> None:
    await tell_gift(coalition, ann)
    [notice] = await notices(coalition)
    answer = await client.post("/notices/open", data={"id": str(notice.id)}, headers=signed_in)
    assert (answer.status_code, answer.headers["location"]) == (303, "/rewards/1")
    assert "You have read everything." in (await client.get("/notices", headers=signed_in)).text


async def test_notices_are_marked_read_one_by_one_or_all(
    coalition: Coalition, client: httpx.AsyncClient, ann: Person, signed_in: Headers
) -> None:
    for number in range(3):
        await tell_gift(coalition, ann, f"gift:{number}")
    first, *_ = await notices(coalition)
    by_htmx = await client.post(
        "/notices/read", data={"id": str(first.id)}, headers={**signed_in, **HTMX}
    )
    assert by_htmx.status_code == 200
    assert f'id="notice-{first.id}"' in by_htmx.text
    assert "Mark as read" not in by_htmx.text
    assert "2 unread notices" in (await client.get("/notices", headers=signed_in)).text
    everything = await client.post("/notices/read", data={}, headers=signed_in)
    assert everything.status_code == 303
    assert all(each.read_at for each in await notices(coalition))


async def test_unread_come_first_then_the_newest_page_by_page(
    coalition: Coalition, client: httpx.AsyncClient, ann: Person, signed_in: Headers
) -> None:
    for number in range(5):
        await tell_gift(coalition, ann, f"gift:{number}")
    ids = [str(each.id) for each in await notices(coalition)]
    await client.post("/v1/notices/read", json={"ids": ids[2:4]}, headers=signed_in)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (
            await client.get("/v1/notices", params={"limit": 2, **cursor}, headers=signed_in)
        ).json()
        assert page["unread"] == 3
        seen += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == [ids[4], ids[1], ids[0], ids[3], ids[2]]


async def test_anothers_notices_are_neither_seen_nor_touched(
    coalition: Coalition,
    client: httpx.AsyncClient,
    ann: Person,
    bob: Headers,
) -> None:
    await tell_gift(coalition, ann)
    [notice] = await notices(coalition)
    number = str(notice.id)
    assert (await client.get("/v1/notices", headers=bob)).json()["items"] == []
    assert (await client.post("/notices/open", data={"id": number}, headers=bob)).status_code == 404
    for body in ({"ids": [number]}, {"all": True}):
        assert (await client.post("/v1/notices/read", json=body, headers=bob)).status_code == 200
    await client.post("/notices/read", data={"id": number}, headers=bob)
    [notice] = await notices(coalition)
    assert notice.read_at is None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/notices/read", {"ids": ["x"]}),
        ("POST", "/v1/notices/read", {"ids": ["9" * 19]}),
        ("POST", "/v1/notices/read", {"every": True}),
        ("GET", "/v1/notices?cursor=zzz", None),
        ("PUT", "/v1/notices/preferences", wish("account", "none")),
        ("PUT", "/v1/notices/preferences", wish("x", "none")),
        ("PUT", "/v1/notices/preferences", wish("gifts", "x")),
    ],
)
async def test_nonsense_is_refused_in_words(
    method: str, path: str, body: Any, client: httpx.AsyncClient, signed_in: Headers
) -> None:
    answer = await client.request(method, path, json=body, headers=signed_in)
    assert answer.status_code == 400
    assert answer.json()["code"] in ("invalid_request", "bad_cursor")


async def test_preferences_are_read_and_changed(
    client: httpx.AsyncClient, signed_in: Headers
) -> None:
    before = (await client.get("/v1/notices/preferences", headers=signed_in)).json()["items"]
    assert {"category": "points", "in_app": True, "email": "daily"} in before
    wish = {"category": "points", "in_app": False, "email": "none"}
    answer = await client.put("/v1/notices/preferences", json={"items": [wish]}, headers=signed_in)
    after = answer.json()["items"]
    assert wish in after
    assert len(after) == len(before) == 6


async def test_names_are_data_not_markup(
    coalition: Coalition, client: httpx.AsyncClient, ann: Person, signed_in: Headers
) -> None:
    context = {"sender": "<script>x</script>\n\u202eBob", "offer": "Mug", "path": "/rewards/1"}
    async with coalition.runtime.database.begin() as session:
        await notify(session, kind="gift_received", once_key="x", context=context, person_id=ann.id)
    text = (await client.get("/notices", headers=signed_in)).text
    assert "<script>x" not in text
    assert "&lt;script&gt;x&lt;/script&gt; Bob sent you a gift: Mug" in text


async def test_a_reader_of_another_language_gets_its_numbers(
    coalition: Coalition,
    client: httpx.AsyncClient,
    ann: Person,
    signed_in: Headers,
    owner: Database,
) -> None:
    await run_sql(owner, "update person set locale = 'it'")
    await coalition.issue("ann", 12_000)
    [item] = (await client.get("/v1/notices", headers=signed_in)).json()["items"]
    assert "12.000" in item["subject"]


async def test_staff_have_an_inbox_too(coalition: Coalition, client: httpx.AsyncClient) -> None:
    headers = bearer(await make_session(coalition, Role.FINANCE))
    assert (await client.get("/notices", headers=headers)).status_code == 200


async def test_a_notice_that_only_newer_code_understands_is_left_out(
    coalition: Coalition,
    client: httpx.AsyncClient,
    ann: Person,
    signed_in: Headers,
    owner: Database,
) -> None:
    await tell_gift(coalition, ann)
    await run_sql(owner, "update notice set kind = 'of_tomorrow'")
    assert (await client.get("/v1/notices", headers=signed_in)).json()["items"] == []
    [notice] = await notices(coalition)
    opened = await client.post("/notices/open", data={"id": str(notice.id)}, headers=signed_in)
    assert opened.status_code == 404
