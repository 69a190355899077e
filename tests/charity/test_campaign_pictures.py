"""Pictures of campaigns: added with words, shown on lists and in wallets, dropped when unused."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import sqlalchemy as sa

from charity import campaigns, causes, pictures
from charity.describing import CampaignDescriber
from charity.models import Picture
from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Role
from marketplace.ids import uuid7
from marketplace.web.pictures import Encoded, UnknownPicture, encode
from tests.catalog.test_pictures import picture
from tests.charity.conftest import Cause
from tests.charity.test_pages import SignIn


async def add(cause: Cause, encoded: Encoded, slug: str = "wells", **alt: str) -> None:
    """Somebody adds a picture to a campaign."""
    async with cause.runtime.database.begin() as session:
        campaign = await campaigns.find(session, slug, lock=True)
        await pictures.add(session, campaign.id, encoded, alt, actor="test")


async def shown(cause: Cause, slug: str = "wells", language: str = "en") -> list[tuple[str, str]]:
    """(hash, words) of what is shown."""
    async with cause.runtime.database.begin() as session:
        view = await causes.one(session, slug, language)
    return [(each.hash, each.alt) for each in view.pictures]


async def known(cause: Cause) -> int:
    """Pictures that are kept."""
    async with cause.runtime.database.begin() as session:
        count = await session.scalar(sa.select(sa.func.count()).select_from(Picture))
    assert count is not None
    return count


async def test_pictures_have_words_and_an_order_and_go_when_nothing_shows_them(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    first, second = encode(picture(700, 500)), encode(picture(640, 480))
    await cause.start("roofs")
    await add(cause, first, en="A well", it="Un pozzo")
    await add(cause, second, en="A pump")
    await add(cause, first, "roofs", en="The same well")
    await add(cause, second, en="A hand pump")  # the same again: other words
    assert await shown(cause) == [(first.hash, "A well"), (second.hash, "A hand pump")]
    assert (await shown(cause, language="it"))[0] == (first.hash, "Un pozzo")
    async with cause.runtime.database.begin() as session:
        campaign = await campaigns.find(session, "wells", lock=True)
        await pictures.put_first(session, campaign.id, second.hash, actor="test")
    assert [each for each, _ in await shown(cause)] == [second.hash, first.hash]
    for path in ("/charity", "/charity/c/wells"):
        page = (await client.get(path)).text
        assert f"/v1/charity/pictures/{second.hash}-640.webp" in page
        assert 'alt="A hand pump"' in page
    file = await client.get(f"/v1/charity/pictures/{second.hash}-640.webp")
    assert file.headers["content-type"] == "image/webp"
    assert "immutable" in file.headers["cache-control"]
    for name in (f"{second.hash}-99.webp", "x.webp"):
        answer = await client.get(f"/v1/charity/pictures/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_picture")
    async with cause.runtime.database.begin() as session:
        for digest in (second.hash, first.hash):
            await pictures.drop(session, campaign.id, digest, actor="test")
        with pytest.raises(UnknownPicture):
            await pictures.drop(session, campaign.id, first.hash, actor="test")
    assert await known(cause) == 1  # the roofs still show the first


async def test_a_picture_needs_words_and_room(cause: Cause) -> None:
    made = encode(picture(200, 200))
    with pytest.raises(InvalidRequest, match="what is seen"):
        await add(cause, made, en=" ")
    for size in range(pictures.MOST):
        await add(cause, encode(picture(200 + size, 200)), en="A well")
    with pytest.raises(InvalidRequest, match="at most"):
        await add(cause, encode(picture(300, 300)), en="A well")


async def test_a_gift_is_called_by_its_campaign_wherever_it_is_named(
    cause: Cause, client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    made = encode(picture(700, 500))
    await add(cause, made, en="A well")
    offer_id = cause.coalition.offers["wells"]
    found = await asyncio.to_thread(
        CampaignDescriber(cause.host).describe, [offer_id, uuid7()], "it-IT"
    )
    (face,) = found.values()
    assert (face.title, face.language, face.path) == ("Pozzi", "it", "/charity/c/wells")
    assert face.picture is not None
    assert face.picture.address == f"/v1/charity/pictures/{made.hash}-640.webp"
    await cause.done(1_234)
    ann = await sign_in(Role.PARTICIPANT)
    for path in ("/rewards?section=ready", "/wallet"):
        page = (await client.get(path, headers={**ann, "Accept-Language": "it"})).text
        assert "Pozzi" in page, path
