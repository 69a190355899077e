"""Mails reach a real mail server, whatever it does to them; none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from uuid import UUID

import pytest

from marketplace import api
from marketplace.db import Database
from marketplace.faces import Faces
from marketplace.identity.models import Person
from marketplace.notices.domain import MailStatus
from marketplace.notices.sending import retry_after
from marketplace.notices.service import notify
from tests.factories import Coalition
from tests.notices.conftest import GIFT, Post, mails, run_sql, tell_gift
from tests.notices.mailserver import Postbox

NOW_DUE = "update mail set due_at = now() where due_at is not null"
Open = Callable[..., Awaitable[Post]]


@pytest.fixture(autouse=True)
async def gift(coalition: Coalition, ann: Person) -> None:
    """Ann was told of a gift."""
    await tell_gift(coalition, ann)


async def test_a_mail_is_sent_once_as_text_and_html(
    coalition: Coalition, ann: Person, post: Post, postbox: Postbox
) -> None:
    assert await post.send() == 1
    assert await post.send() == 0
    [message] = postbox.received
    assert postbox.recipients == [["ann@acme.example"]]
    assert message["Subject"] == "Bob sent you a gift: Mug"
    assert message["From"] == "Coalition Rewards <rewards@localhost>"
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    for body in (text.get_content(), html.get_content()):
        assert "https://rewards.example/rewards/1" in body
        assert "https://rewards.example/unsubscribe/" in body
    [mail] = await mails(coalition)
    assert (mail.status, mail.due_at, mail.address) == (MailStatus.SENT, None, "ann@acme.example")
    assert message["Message-ID"] == f"<{mail.id:x}.{ann.id.hex[-12:]}@rewards.example>"


async def test_a_mail_names_an_offer_as_its_reader_knows_it(
    coalition: Coalition, ann: Person, post: Post, postbox: Postbox
) -> None:
    asked = []

    class Polish:
        def describe(self, offer_ids: Sequence[UUID], language: str) -> dict[UUID, api.OfferFace]:
            asked.append((set(offer_ids), language))
            face = api.OfferFace(
                title="Kubek", language="pl", value_micros=1, currency="EUR", value_from="cost"
            )
            return dict.fromkeys(offer_ids, face)

    post.home.runtime.faces = Faces({"acme": [Polish()]})
    async with coalition.runtime.database.begin() as session:
        (await session.get_one(Person, ann.id)).locale = "pl"
        offer_id = coalition.offers["card"]
        context = {**GIFT, "offer": "Mug", "offer_id": str(offer_id)}
        await notify(
            session, kind="gift_received", once_key="gift:2", context=context, person_id=ann.id
        )
    assert await post.send() == 2
    by_name = [str(each["Subject"]) for each in postbox.received]
    assert sorted("Kubek" in each for each in by_name) == [False, True]
    assert sorted("Mug" in each for each in by_name) == [False, True]
    assert asked == [({offer_id}, "pl")]


async def test_a_recipient_refused_for_good_is_recorded_and_harms_nobody_else(
    coalition: Coalition, ann: Person, post: Post, postbox: Postbox
) -> None:
    await tell_gift(coalition, ann, "gift:2")
    postbox.moods = ["rcpt 550 no such user"]
    assert await post.send() == 1
    statuses = {mail.status: mail for mail in await mails(coalition)}
    assert set(statuses) == {MailStatus.SENT, MailStatus.FAILED}
    assert statuses[MailStatus.FAILED].error == "550 no such user"


@pytest.mark.parametrize("mood", ["rcpt 451 greylisted", "data 452 full"])
async def test_a_mail_deferred_is_sent_later(
    mood: str, coalition: Coalition, post: Post, postbox: Postbox, owner: Database
) -> None:
    postbox.moods = [mood]
    assert await post.send() == 0
    assert await post.send() == 0
    [mail] = await mails(coalition)
    assert (mail.status, mail.attempts, mail.error) == (MailStatus.DUE, 1, mood.partition(" ")[2])
    await run_sql(owner, NOW_DUE)
    assert await post.send() == 1


async def test_a_connection_that_breaks_after_the_text_sends_it_again_under_the_same_id(
    coalition: Coalition, ann: Person, post: Post, postbox: Postbox, owner: Database
) -> None:
    await tell_gift(coalition, ann, "gift:2")
    postbox.moods = ["drop"]
    assert await post.send() == 1  # the other one goes over a new connection
    await run_sql(owner, NOW_DUE)
    assert await post.send() == 1
    ids = [str(each["Message-ID"]) for each in postbox.received]
    assert len(ids) == 3
    assert len(set(ids)) == 2
    assert {mail.status for mail in await mails(coalition)} == {MailStatus.SENT}


async def test_a_crash_between_sending_and_marking_sends_it_again_under_the_same_id(
    coalition: Coalition,
    post: Post,
    postbox: Postbox,
    owner: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(post.work.sender, "_write", crash)
        with pytest.raises(KeyboardInterrupt):
            await post.do(lambda: _interrupted(post))
    assert await post.send() == 0  # the lease of the crashed process has not run out
    await run_sql(owner, NOW_DUE)
    assert await post.send() == 1
    first, second = postbox.received
    assert first["Message-ID"] == second["Message-ID"]


def _interrupted(post: Post) -> None:
    post.work.send_mails()


@pytest.mark.parametrize("mood", ["mail 550 not you", "mail 451 busy", "rcpt 421 closing"])
async def test_a_server_that_takes_nothing_from_us_costs_no_mail_its_life(
    mood: str, coalition: Coalition, post: Post, postbox: Postbox, owner: Database
) -> None:
    postbox.moods = [mood]
    assert await post.send() == 0
    [mail] = await mails(coalition)
    assert (mail.status, mail.attempts) == (MailStatus.DUE, 0)
    assert mood.partition(" ")[2] in (mail.error or "")
    await run_sql(owner, NOW_DUE)
    assert await post.send() == 1


async def test_no_server_at_the_address_keeps_mails_due(
    coalition: Coalition, open_post: Open
) -> None:
    post = await open_post(smtp_url="smtp://127.0.0.1:1")
    assert await post.send() == 0
    [mail] = await mails(coalition)
    assert (mail.status, mail.attempts) == (MailStatus.DUE, 0)
    assert "refused" in (mail.error or "")


async def test_two_workers_at_once_send_each_mail_once(
    coalition: Coalition, ann: Person, post: Post, postbox: Postbox, open_post: Open
) -> None:
    for number in range(60):
        await tell_gift(coalition, ann, f"more:{number}")
    other = await open_post(smtp_url=postbox.url)
    assert sum(await asyncio.gather(post.send(), other.send())) == 61
    assert len({str(each["Message-ID"]) for each in postbox.received}) == 61
    assert len(postbox.received) == 61


async def test_a_mail_too_late_to_be_of_use_is_dropped(
    coalition: Coalition, post: Post, postbox: Postbox, owner: Database
) -> None:
    await run_sql(owner, "update mail set give_up_at = now()")
    assert await post.send() == 0
    [mail] = await mails(coalition)
    assert (mail.status, mail.error) == (MailStatus.EXPIRED, "it could not be sent in time")
    assert postbox.received == []


async def test_a_person_shut_out_meanwhile_gets_no_mail(
    coalition: Coalition, post: Post, postbox: Postbox, owner: Database
) -> None:
    await run_sql(owner, "update person set disabled_at = now()")
    assert await post.send() == 0
    assert postbox.received == []


async def test_without_a_mail_server_mails_are_kept(coalition: Coalition, open_post: Open) -> None:
    post = await open_post()
    assert await post.send() == 0
    [mail] = await mails(coalition)
    assert (mail.status, mail.attempts) == (MailStatus.DUE, 0)


async def test_a_demonstration_writes_mails_to_files(
    coalition: Coalition, open_post: Open, tmp_path: Path
) -> None:
    post = await open_post(mail_dir=tmp_path / "mail")
    assert await post.send() == 1
    [file] = (tmp_path / "mail").iterdir()
    assert file.suffix == ".eml"
    assert b"Subject: Bob sent you a gift: Mug\n" in file.read_bytes()


def test_tries_come_at_growing_intervals_up_to_hours() -> None:
    minutes = [retry_after(attempt).total_seconds() / 60 for attempt in (1, 2, 3, 20, 300)]
    for waited, meant in zip(minutes, (1, 2, 4, 240, 240), strict=True):
        assert waited == pytest.approx(meant, rel=0.11)
