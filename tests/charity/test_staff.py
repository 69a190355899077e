"""Staff keep the registry, campaigns and matches: in the browser and over HTTP; others do not."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import sqlalchemy as sa

from charity.domain import LOCALES
from charity.models import Charity, Draft, Picture
from marketplace.coalition.domain import ContractRole
from marketplace.identity.domain import Role
from marketplace.identity.models import AuditEntry
from tests.catalog.test_pictures import picture
from tests.charity.conftest import IBAN, Cause
from tests.charity.test_pages import SignIn

STAFF = "/charity/staff"
CHARITY = {
    "member": "terra",
    "slug": "terra",
    "legal_name": "Terra ONLUS",
    "country": "it",
    "number": "00743110157",
    "iban": IBAN,
}
CAMPAIGN = {
    "slug": "trees",
    "goal": "500",
    "currency": "EUR",
    "rate": "0.0075",
    "surplus": "general_fund",
    "default_locale": "en",
    "grace_minutes": "0",
    "title_en": "A wood",
    "story_en": "Trees.",
    "title_pl": "Las",
    "step_amount_0": "100",
    "step_en_0": "The first hundred",
}


async def trail(cause: Cause) -> list[tuple[str, str]]:
    """(action, actor) of everything that happened in charity."""
    query = sa.select(AuditEntry.action, AuditEntry.actor).where(
        AuditEntry.action.startswith("charity.")
    )
    async with cause.runtime.database.begin() as session:
        return [(row[0], row[1]) for row in await session.execute(query.order_by(AuditEntry.id))]


async def test_a_charity_from_its_registration_to_its_first_campaign(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    await cause.coalition.add_member("terra", role=ContractRole.ACCEPTOR)
    piet = await sign_in(Role.OPERATOR)

    async def send(path: str, **data: Any) -> httpx.Response:
        return await client.post(f"{STAFF}{path}", data=data, headers=piet)

    wrong = await send("/register", **CHARITY | {"number": "1234"})
    assert wrong.status_code == 422
    assert "cannot be a registration number" in wrong.text
    assert 'value="Terra ONLUS"' in wrong.text  # nothing typed is lost
    made = await send("/register", **CHARITY)
    assert made.headers["location"] == f"{STAFF}/charities/terra"
    assert (await send("/register", **CHARITY)).status_code == 422
    today = datetime.now(UTC).date()
    document = {"document": "Extract", "verified_on": str(today)}
    late = await send("/charities/terra/verify", **document, review_due_on=str(today))
    assert (late.status_code, "review is due after today" in late.text) == (422, True)
    due = str(today + timedelta(days=300))
    fine = await send("/charities/terra/verify", **document, review_due_on=due)
    assert fine.status_code == 303
    form = await client.get(f"{STAFF}/campaigns/new?charity=terra", headers=piet)
    assert form.status_code == 200
    bad = await send("/campaigns/new?charity=terra", **CAMPAIGN | {"goal": "x", "title_en": ""})
    assert bad.status_code == 422
    assert bad.text.count("field__error") == 2
    steps = {"step_amount_0": "900"}
    assert (await send("/campaigns/new?charity=terra", **CAMPAIGN | steps)).status_code == 422
    kept = await send("/campaigns/new?charity=terra", **CAMPAIGN)
    assert kept.headers["location"] == f"{STAFF}/campaigns/trees"
    assert (await send("/campaigns/new?charity=terra", **CAMPAIGN)).status_code == 422
    again = await send("/campaigns/trees", **CAMPAIGN | {"goal": "600", "slug": "forest"})
    assert again.headers["location"] == f"{STAFF}/campaigns/forest"
    assert (await client.get("/charity/c/forest")).status_code == 404  # a draft is nobody's else
    shown = await client.get(f"{STAFF}/campaigns/forest", headers=piet)
    assert 'value="600"' in shown.text
    assert "The first hundred" in shown.text
    assert (await send("/campaigns/forest/start")).status_code == 303
    public = (await client.get("/charity/c/forest")).text
    assert "A wood" in public
    assert "general fund" in public
    for path in ("", "/charities/terra", "/campaigns/forest", "/gifts", "/register"):
        page = await client.get(f"{STAFF}{path}", headers=piet)
        assert page.status_code == 200, path
    suspended = await send("/charities/terra/suspend", reason="Gone.")
    assert suspended.status_code == 303
    assert (await send("/charities/terra/suspend", reason=" ")).status_code == 422
    actions = [action for action, actor in await trail(cause) if actor.startswith("person:")]
    for each in ("registered", "verified", "drafted", "started", "suspended"):
        assert f"charity.{each}" in actions


async def test_words_pictures_matches_and_closing_of_a_campaign(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    piet = await sign_in(Role.OPERATOR)
    here = f"{STAFF}/campaigns/wells"

    async def send(path: str, **more: Any) -> httpx.Response:
        return await client.post(f"{here}{path}", headers=piet, **more)

    words = {"title_en": "Ten wells", "story_en": "New words.", "title_pl": "Studnie"}
    assert (await send("", data=words | {"title_en": " "})).status_code == 422
    assert (await send("", data=words)).status_code == 303
    polish = (await client.get("/v1/charity/campaigns/wells?lang=pl")).json()
    assert (polish["title"], polish["language"]) == ("Studnie", "pl")
    italian = (await client.get("/v1/charity/campaigns/wells?lang=it")).json()
    assert italian["title"] == "Ten wells"  # the Italian text was taken away
    file = {"file": ("well.png", picture(700, 500), "image/png")}
    unsaid = await send("/pictures", files=file)
    assert (unsaid.status_code, "for those who cannot see it" in unsaid.text) == (422, True)
    broken = await send("/pictures", files={"file": ("a.png", b"no")}, data={"alt_en": "A well"})
    assert (broken.status_code, "cannot be read" in broken.text) == (422, True)
    assert (await send("/pictures", files=file, data={"alt_en": "A well"})).status_code == 303
    async with cause.runtime.database.begin() as session:
        digest = await session.scalar(sa.select(Picture.hash))
    assert (await send("/pictures", data={"first": digest})).status_code == 303
    assert (await send("/pictures", data={"drop": digest})).status_code == 303
    asked = {"member": "alpha", "percent": "50", "cap": "400", "mode": "billed"}
    own = await send("/matches", data=asked | {"member": "aqua"})
    assert own.status_code == 422
    assert (await send("/matches", data=asked | {"cap": "no"})).status_code == 422
    assert (await send("/matches", data=asked)).status_code == 303
    await cause.done(500)
    page = (await client.get(here, headers=piet)).text
    assert "250 of at most 400 points" in page
    match_id = (await client.get("/v1/charity/campaigns/wells")).json()["matches"][0]["id"]
    ended = await client.post(f"{STAFF}/matches/{match_id}/end", headers=piet)
    assert ended.headers["location"] == f"{here}#matches"
    assert (await send("/close", data={"reason": ""})).status_code == 422
    assert (await send("/close", data={"reason": "Dug."})).status_code == 303
    assert "Dug." in (await client.get("/charity/c/wells")).text
    assert await cause.findings() == []


async def test_gifts_are_listed_and_exported_without_those_who_stay_unnamed(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    piet = await sign_in(Role.OPERATOR)
    await cause.done(700)
    await cause.done(300, "bob", anonymous=True)
    page = (await client.get(f"{STAFF}/gifts?campaign=wells", headers=piet)).text
    assert "Ann" in page
    assert "Bob" not in page
    text = (await client.get("/v1/charity/received.csv", headers=piet)).text
    assert text == (await client.get(f"{STAFF}/gifts.csv", headers=piet)).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["points"], row["money"], row["giver"]) for row in rows] == [
        ("300", "2.25", ""),
        ("700", "5.25", "Ann"),
    ]
    first = (await client.get("/v1/charity/received?limit=1", headers=piet)).json()
    then = await client.get(f"/v1/charity/received?after={first['next']}", headers=piet)
    assert [each["points"] for each in (first["items"] + then.json()["items"])] == [300, 700]
    receipts = [each.number for each in await cause.receipts()]
    assert rows[1]["receipt"].endswith(f"{receipts[0]:06d}")


async def test_the_charitys_own_member_writes_drafts_and_words_and_no_more(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    await cause.register("terra")
    aqua, terra = await sign_in(Role.PARTNER, "aqua"), await sign_in(Role.PARTNER, "terra")
    new = f"{STAFF}/campaigns/new?charity=aqua"
    assert (await client.post(new, data=CAMPAIGN, headers=aqua)).status_code == 303
    here = f"{STAFF}/campaigns/trees"
    page = (await client.get(here, headers=aqua)).text
    assert "The operator starts it" in page
    assert "A wood" in (await client.get("/charity/partner", headers=aqua)).text
    for path in (new, here, f"{STAFF}/campaigns/wells"):
        assert (await client.get(path, headers=terra)).status_code == 404
    assert (await client.post(new, data=CAMPAIGN, headers=terra)).status_code == 404
    for path in (here, f"{here}/drop", f"{here}/pictures"):
        assert (await client.post(path, data=CAMPAIGN, headers=terra)).status_code == 404
    for path in (f"{here}/start", f"{here}/close", f"{here}/matches", f"{STAFF}/register"):
        assert (await client.post(path, headers=aqua)).status_code == 403
    words = {"title_en": "Our wells"}
    own = await client.post(f"{STAFF}/campaigns/wells", data=words, headers=aqua)
    assert own.status_code == 303
    drafts = (await client.get("/v1/charity/drafts", headers=aqua)).json()
    assert [each["slug"] for each in drafts] == ["trees"]
    assert (await client.get("/v1/charity/drafts", headers=terra)).json() == []
    assert (await client.post(f"{here}/drop", headers=aqua)).status_code == 303
    async with cause.runtime.database.begin() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Draft)) == 0


async def test_staff_over_http(cause: Cause, client: httpx.AsyncClient, sign_in: SignIn) -> None:
    await cause.coalition.add_member("terra", role=ContractRole.ACCEPTOR)
    piet = await sign_in(Role.OPERATOR)

    async def call(method: str, path: str, **more: Any) -> httpx.Response:
        return await client.request(method, f"/v1/charity/{path}", headers=piet, **more)

    made = await call("POST", "registry", json=CHARITY | {"country": "IT"})
    assert (made.status_code, made.json()["number_checked"]) == (201, True)
    wrong = await call("POST", "registry", json=CHARITY | {"country": "IT", "number": "1"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "charity_bad_number")
    today = datetime.now(UTC).date()
    body = {
        "document": "Extract",
        "verified_on": str(today),
        "review_due_on": str(today + timedelta(days=9)),
    }
    verified = await call("POST", "registry/terra/verify", json=body)
    assert (verified.status_code, verified.json()["cannot_receive"]) == (200, None)
    assert {each["slug"] for each in (await call("GET", "registry")).json()} == {"aqua", "terra"}
    draft = {
        "slug": "trees",
        "charity": "terra",
        "currency": "EUR",
        "rate_micros": 7_500,
        "goal_micros": 1_000_000,
        "surplus": "next_campaign",
        "texts": {"en": {"title": "A wood"}},
    }
    assert (await call("PUT", "drafts/trees", json=draft)).status_code == 200
    strange = draft | {"texts": {"en": {"title": "A wood"}, "xx": {"title": "?"}}}
    refused = await call("PUT", "drafts/trees", json=strange)
    assert (refused.status_code, refused.json()["field"]) == (400, "texts")
    for name, value, field in (
        ("slug", "a/b", "slug"),
        ("starts_at", "2027-01-01T00:00:00", "starts_at"),
        ("goal_micros", 1, "goal_micros"),
    ):
        bad = await call("PUT", "drafts/trees", json=draft | {name: value})
        assert (bad.status_code, bad.json()["field"]) == (400, field)
    asked = {"params": {"en": "A tree", "it": "Un albero"}, "content": picture(300, 300)}
    assert (await call("POST", "campaigns/trees/pictures", **asked)).status_code == 204
    started = await call("POST", "drafts/trees/start")
    assert started.json()["pictures"][0]["alt"] == "A tree"  # the draft's picture is the campaign's
    texts = {"texts": {code: {"title": f"Wood {code}"} for code in LOCALES}}
    changed = await call("PUT", "campaigns/trees/texts", json=texts)
    assert changed.json()["title"] == "Wood en"
    pledge = {"campaign": "trees", "member": "beta", "ratio_bps": 10_000, "cap_points": 100}
    match = await call("POST", "matches", json=pledge)
    assert match.status_code == 201
    assert (await call("POST", f"matches/{match.json()['id']}/end")).json()["used_points"] == 0
    digest = started.json()["pictures"][0]["hash"]
    assert (await call("DELETE", f"campaigns/trees/pictures/{digest}")).status_code == 204
    closed = await call("POST", "campaigns/trees/close", json={"reason": "Planted."})
    assert (closed.json()["open"], closed.json()["closed_reason"]) == (False, "Planted.")
    suspended = await call("POST", "registry/terra/suspend", json={"reason": "Gone."})
    assert "suspended" in suspended.json()["cannot_receive"]
    assert (await call("PUT", "drafts/more", json=draft | {"slug": "more"})).status_code == 200
    assert (await call("DELETE", "drafts/more")).status_code == 204
    async with cause.runtime.database.begin() as session:
        charity = await session.scalar(sa.select(Charity).where(Charity.slug == "terra"))
    assert charity is not None
    ann = await sign_in(Role.PARTICIPANT)
    answer = await client.get("/v1/charity/registry", headers=ann)
    assert answer.status_code == 403
