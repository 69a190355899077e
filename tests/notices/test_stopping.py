"""Mails are ended from the mail itself: by a person on a page, or by a mail program's button."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest

from marketplace.identity.domain import Role
from marketplace.identity.models import Person
from marketplace.notices.addresses import StopMails, unsubscribe_token
from marketplace.notices.domain import Category, Email, MailStatus, Preference
from marketplace.notices.service import preferences, set_preferences
from tests.conftest import SECRET_KEY
from tests.factories import Coalition, make_person
from tests.notices.conftest import Post, mails, tell_gift
from tests.notices.mailserver import Postbox

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


async def wishes(coalition: Coalition, person: Person) -> dict[Category, Email]:
    async with coalition.runtime.database.begin() as session:
        return {each.category: each.email for each in await preferences(session, person.id)}


@pytest.fixture
async def link(coalition: Coalition, ann: Person, post: Post, postbox: Postbox) -> str:
    """The path in the List-Unsubscribe header of a mail about a gift."""
    await tell_gift(coalition, ann)
    await post.send()
    [message] = postbox.received
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    header = str(message["List-Unsubscribe"])
    assert header.startswith("<https://rewards.example/unsubscribe/")
    assert header.endswith(">")
    return urlsplit(header[1:-1]).path


@pytest.mark.parametrize("kind", ["form", "multipart"])
async def test_a_mail_programs_button_ends_the_category_signed_out(
    kind: str, coalition: Coalition, client: httpx.AsyncClient, ann: Person, link: str
) -> None:
    if kind == "form":
        answer = await client.post(link, data=ONE_CLICK)
    else:
        answer = await client.post(link, files={"List-Unsubscribe": (None, "One-Click")})
    assert answer.status_code == 200
    after = await wishes(coalition, ann)
    assert after.pop(Category.GIFTS) is Email.NONE
    assert Email.NONE not in after.values()
    assert (await client.post(link, data=ONE_CLICK)).status_code == 200


async def test_looking_at_the_link_ends_nothing(
    coalition: Coalition, client: httpx.AsyncClient, ann: Person, link: str
) -> None:
    answer = await client.get(link)
    assert answer.status_code == 200
    assert "a***@acme.example" in answer.text
    assert "ann@acme.example" not in answer.text
    assert (await wishes(coalition, ann))[Category.GIFTS] is Email.NOW


async def test_everything_can_be_ended_on_the_page(
    coalition: Coalition, client: httpx.AsyncClient, ann: Person, link: str
) -> None:
    answer = await client.post(link, data={"what": "everything"})
    assert "no more mails from us" in answer.text
    assert set((await wishes(coalition, ann)).values()) == {Email.NONE}


async def test_a_digests_link_ends_what_comes_in_that_digest(
    coalition: Coalition, client: httpx.AsyncClient, ann: Person
) -> None:
    async with coalition.runtime.database.begin() as session:
        wish = Preference(category=Category.WISHES, in_app=True, email=Email.WEEKLY)
        await set_preferences(session, ann.id, [wish])
    token = unsubscribe_token(coalition.runtime.vault, StopMails(ann.id, Email.DAILY))
    assert "Daily digest" in (await client.get(f"/unsubscribe/{token}")).text
    await client.post(f"/unsubscribe/{token}", data=ONE_CLICK)
    after = await wishes(coalition, ann)
    assert (after[Category.POINTS], after[Category.WISHES]) == (Email.NONE, Email.WEEKLY)


async def test_a_mail_that_waits_for_another_try_is_dropped_too(
    coalition: Coalition, client: httpx.AsyncClient, ann: Person, post: Post, postbox: Postbox
) -> None:
    await tell_gift(coalition, ann)
    postbox.moods = ["data 451 later"]
    await post.send()
    token = unsubscribe_token(coalition.runtime.vault, StopMails(ann.id, Category.GIFTS))
    await client.post(f"/unsubscribe/{token}", data=ONE_CLICK)
    [mail] = await mails(coalition)
    assert mail.status is MailStatus.EXPIRED
    await tell_gift(coalition, ann, "gift:2")
    assert len(await mails(coalition)) == 1


@pytest.mark.parametrize("token", ["x", "AAAA", "A" * 70, "%00", "ж", "=" * 9])
async def test_a_link_that_is_none_of_ours_is_not_found(
    token: str, client: httpx.AsyncClient
) -> None:
    for method in ("GET", "POST"):
        assert (await client.request(method, f"/unsubscribe/{token}")).status_code == 404


async def test_nobody_makes_a_link_for_another_person_or_category(
    coalition: Coalition, client: httpx.AsyncClient, ann: Person
) -> None:
    bob = await make_person(coalition, Role.PARTICIPANT, "bob")
    good = unsubscribe_token(coalition.runtime.vault, StopMails(ann.id, Category.GIFTS))
    theirs = unsubscribe_token(coalition.runtime.vault, StopMails(bob.id, Category.GIFTS))
    mixed = good[:22] + theirs[22:]
    assert (await client.post(f"/unsubscribe/{mixed}")).status_code == 404
    assert (await wishes(coalition, bob))[Category.GIFTS] is Email.NOW
    assert SECRET_KEY not in good
