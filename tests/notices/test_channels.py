"""Notices over a plugin's channel: chosen, confirmed, carried, whatever the plugin does wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa

from marketplace import api
from marketplace.db import Database
from marketplace.exchange import closures
from marketplace.exchange.domain import Cause
from marketplace.identity.models import Person
from marketplace.notices.domain import Category, MailStatus
from marketplace.notices.models import NoticeChannel, NoticeDelivery
from marketplace.notices.service import preferences, set_preferences
from tests.conftest import Headers
from tests.factories import Coalition
from tests.notices.conftest import Post, rows, run_sql, tell_gift

CHANNEL = "acme.sms"
MOBILE = "+48 600 100 200"
KEPT = "+48600100200"
ALL = [each.value for each in Category if each is not Category.ACCOUNT]


class Sms:
    """A text message service that can misbehave."""

    channel = CHANNEL
    label = api.lazy("Text message")
    address_label = "Mobile number"

    def __init__(self) -> None:
        self.received: list[api.Notice] = []
        self.answer: Callable[[api.Notice], Any] = lambda each: api.Sent(reference=each.reference)
        self.calls = 0

    def accept(self, address: str) -> str:
        """Digits after a plus."""
        kept = address.replace(" ", "")
        if not (kept.startswith("+") and kept[1:].isdigit()):
            raise api.InvalidRequest("A mobile number begins with + and the country.")
        return kept

    def send(self, notices: Sequence[api.Notice]) -> Sequence[api.NoticeOutcome]:
        """Receives all, then answers as it is told to."""
        self.calls += 1
        self.received += notices
        return [answer for each in notices if (answer := self.answer(each)) is not None]


@pytest.fixture
def sms() -> Sms:
    return Sms()


@pytest_asyncio.fixture
async def web(coalition: Coalition, client: httpx.AsyncClient, sms: Sms) -> httpx.AsyncClient:
    """The pages, of a house that has the channel."""
    coalition.runtime.notifiers[CHANNEL] = sms
    return client


@pytest_asyncio.fixture
async def worker(post: Post, sms: Sms) -> AsyncIterator[Post]:
    """A worker that has the channel."""
    post.home.runtime.carriers[CHANNEL] = sms
    post.work = type(post.work)(post.home)
    yield post


async def carry(worker: Post) -> int:
    """Send what is due over the channel."""
    return await asyncio.to_thread(worker.work.send_notices, CHANNEL)


async def choose(
    web: httpx.AsyncClient, headers: Headers, address: str = MOBILE, categories: Any = ALL
) -> httpx.Response:
    """Save the form of the channel at /me, and look at /me."""
    answer = await web.post(
        f"/me/channels/{CHANNEL}",
        data={"address": address, "category": categories},
        headers=headers,
    )
    assert answer.status_code == 303
    return answer


def link_of(notice: api.Notice) -> str:
    """The path of the page a notice leads to."""
    assert notice.link.startswith("https://rewards.example/")
    return urlsplit(notice.link).path


async def rows_of(coalition: Coalition) -> Sequence[NoticeChannel]:
    async with coalition.runtime.database.begin() as session:
        return (await session.scalars(sa.select(NoticeChannel))).all()


async def deliveries(coalition: Coalition) -> Sequence[NoticeDelivery]:
    return await rows(coalition, NoticeDelivery)


@pytest_asyncio.fixture
async def reached(
    web: httpx.AsyncClient, worker: Post, sms: Sms, signed_in: Headers
) -> list[api.Notice]:
    """Ann has confirmed her number; what she was sent since."""
    await choose(web, signed_in)
    await carry(worker)
    assert (await web.post(link_of(sms.received[0]))).status_code == 200
    sms.received.clear()
    return sms.received


# -- choosing --------------------------------------------------------------------------------------


async def test_nothing_is_sent_to_an_address_before_its_owner_has_confirmed_it(
    web: httpx.AsyncClient,
    worker: Post,
    sms: Sms,
    ann: Person,
    signed_in: Headers,
    coalition: Coalition,
) -> None:
    await choose(web, signed_in)
    page = await web.get("/me", headers=signed_in)
    assert "Not confirmed yet" in page.text
    assert KEPT in page.text
    await tell_gift(coalition, ann)
    assert await carry(worker) == 1
    [question] = sms.received
    assert (question.address, question.subject) == (KEPT, "Is this you?")

    looked = await web.get(link_of(question))
    assert KEPT in looked.text
    await tell_gift(coalition, ann, "gift:2")
    assert await carry(worker) == 0  # looking confirms nothing

    done = await web.post(link_of(question))
    assert "hears from us" in done.text
    await tell_gift(coalition, ann, "gift:3")
    assert await carry(worker) == 1
    notice = sms.received[-1]
    assert notice.subject == "Bob sent you a gift: Mug"
    assert link_of(notice) == "/rewards/1"
    assert "Confirmed" in (await web.get("/me", headers=signed_in)).text


async def test_another_address_is_to_be_confirmed_again(
    web: httpx.AsyncClient,
    worker: Post,
    reached: list[api.Notice],
    coalition: Coalition,
    ann: Person,
    signed_in: Headers,
) -> None:
    await choose(web, signed_in, "+39 333 1234567")
    await tell_gift(coalition, ann)
    await carry(worker)
    [question] = reached
    assert question.address == "+393331234567"
    assert question.subject == "Is this you?"


async def test_a_link_of_an_address_that_was_replaced_confirms_nothing(
    web: httpx.AsyncClient, worker: Post, sms: Sms, signed_in: Headers, coalition: Coalition
) -> None:
    await choose(web, signed_in)
    await carry(worker)
    await choose(web, signed_in, "+39 333 1234567")
    assert (await web.post(link_of(sms.received[0]))).status_code == 404
    [row] = await rows_of(coalition)
    assert row.confirmed_at is None


@pytest.mark.parametrize("token", ["x", "A" * 90, "%00", "=" * 9])
async def test_a_link_that_is_none_of_ours_is_not_found(token: str, web: httpx.AsyncClient) -> None:
    for method in ("GET", "POST"):
        answer = await web.request(method, f"/me/channels/confirm/{token}")
        assert answer.status_code == 404


@pytest.mark.parametrize("address", ["", "   ", "call me", "+48 " + "6" * 300])
async def test_what_is_no_address_is_said_and_not_kept(
    address: str, web: httpx.AsyncClient, signed_in: Headers, coalition: Coalition
) -> None:
    answer = await choose(web, signed_in, address)
    page = await web.get("/me", headers={**signed_in, "Cookie": flash_of(answer)})
    assert "begins with +" in page.text or "1 to 200 characters" in page.text
    assert await rows_of(coalition) == []


def flash_of(answer: httpx.Response) -> str:
    return answer.headers["set-cookie"].split(";")[0]


async def test_a_channel_or_category_that_does_not_exist_is_refused(
    web: httpx.AsyncClient, signed_in: Headers
) -> None:
    form = {"address": MOBILE, "category": "account"}
    answer = await web.post(f"/me/channels/{CHANNEL}", data=form, headers=signed_in)
    assert answer.status_code == 400
    answer = await web.post("/me/channels/acme.fax", data=form, headers=signed_in)
    assert answer.status_code == 404


async def test_nobodys_phone_is_flooded_with_questions(
    web: httpx.AsyncClient, signed_in: Headers, coalition: Coalition
) -> None:
    for last in range(7):
        await choose(web, signed_in, f"+4860010020{last}")
    assert len(await deliveries(coalition)) == 5


async def test_an_accept_that_breaks_is_the_channels_fault_and_said_so(
    web: httpx.AsyncClient,
    sms: Sms,
    signed_in: Headers,
    coalition: Coalition,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for broken in (lambda _: 1 / 0, lambda _: exit(3), lambda _: 7, lambda _: ""):
        monkeypatch.setattr(sms, "accept", broken)
        await choose(web, signed_in)
    assert await rows_of(coalition) == []
    assert "acme.sms" in caplog.text


# -- carrying --------------------------------------------------------------------------------------


async def test_only_what_was_chosen_is_carried_and_only_while_it_is_chosen(
    web: httpx.AsyncClient,
    worker: Post,
    reached: list[api.Notice],
    coalition: Coalition,
    ann: Person,
    signed_in: Headers,
) -> None:
    await choose(web, signed_in, MOBILE, ["wishes"])  # the same number needs no new question
    await tell_gift(coalition, ann)
    assert await carry(worker) == 0
    await choose(web, signed_in, MOBILE, ["gifts"])
    await tell_gift(coalition, ann, "gift:2")
    await web.post(f"/me/channels/{CHANNEL}", data={"leave": "yes"}, headers=signed_in)
    assert await carry(worker) == 0  # it waited, and is not wanted any more
    assert (await deliveries(coalition))[-1].error == "not wanted any more"
    assert reached == []


async def test_what_waits_is_not_told_to_another_address_before_that_is_confirmed(
    web: httpx.AsyncClient,
    worker: Post,
    sms: Sms,
    reached: list[api.Notice],
    signed_in: Headers,
    coalition: Coalition,
    ann: Person,
) -> None:
    await tell_gift(coalition, ann)
    await choose(web, signed_in, "+48 600 999 999")
    await carry(worker)
    assert [(each.address, each.subject) for each in reached] == [("+48600999999", "Is this you?")]
    assert (await web.post(link_of(reached.pop()))).status_code == 200
    await carry(worker)
    assert [each.address for each in reached] == ["+48600999999"]


async def test_a_notice_wanted_nowhere_else_is_carried(
    worker: Post, reached: list[api.Notice], coalition: Coalition, ann: Person
) -> None:
    async with coalition.runtime.database.begin() as session:
        wanted = [
            type(each)(category=each.category, in_app=False, email="none")  # type: ignore[arg-type]
            for each in await preferences(session, ann.id)
        ]
        await set_preferences(session, ann.id, wanted)
    await tell_gift(coalition, ann)
    assert await carry(worker) == 1
    assert [each.subject for each in reached] == ["Bob sent you a gift: Mug"]


async def test_it_comes_in_the_language_of_the_person(
    worker: Post, reached: list[api.Notice], coalition: Coalition, ann: Person, owner: Database
) -> None:
    await run_sql(owner, "update person set locale = 'it'")
    await tell_gift(coalition, ann)
    await carry(worker)
    assert reached[0].language == "it"
    assert reached[0].subject == "Bob ti ha fatto un regalo: Mug"


Wrong = Callable[[api.Notice], Any]


def leaves(each: api.Notice) -> Any:
    raise SystemExit(each.reference)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda _: 1 / 0, id="raises"),
        pytest.param(leaves, id="exits"),
        pytest.param(lambda _: None, id="says nothing"),
        pytest.param(lambda _: "sent", id="says a word"),
        pytest.param(lambda _: api.Sent(reference="another's"), id="speaks of another"),
        pytest.param(lambda each: api.Sent(reference=each), id="answers a notice"),
        pytest.param(
            lambda each: api.Retry(reference=each.reference, reason="full", after_s=9), id="retry"
        ),
    ],
)
async def test_what_was_not_surely_sent_comes_again_under_the_same_reference(
    wrong: Wrong,
    worker: Post,
    sms: Sms,
    reached: list[api.Notice],
    coalition: Coalition,
    ann: Person,
    owner: Database,
) -> None:
    sms.answer, good = wrong, sms.answer
    await tell_gift(coalition, ann)
    assert await carry(worker) == 0
    row = (await deliveries(coalition))[-1]
    assert (row.status, row.attempts) == (MailStatus.DUE, 1)
    assert row.error
    assert await carry(worker) == 0  # not at once
    sms.answer = good
    await run_sql(owner, "update notice_delivery set due_at = now() where due_at is not null")
    assert await carry(worker) == 1
    assert len({each.reference for each in reached}) == 1


async def test_a_refusal_is_for_good_and_shown_to_the_operator(
    worker: Post,
    sms: Sms,
    reached: list[api.Notice],
    coalition: Coalition,
    ann: Person,
    owner: Database,
) -> None:
    sms.answer = lambda each: api.Rejected(reference=each.reference, reason="no such number")
    await tell_gift(coalition, ann)
    await carry(worker)
    row = (await deliveries(coalition))[-1]
    assert (row.status, row.error, row.due_at) == (MailStatus.FAILED, "no such number", None)


async def test_words_that_cannot_be_stored_send_nothing_twice(
    worker: Post,
    sms: Sms,
    reached: list[api.Notice],
    coalition: Coalition,
    ann: Person,
    owner: Database,
) -> None:
    sms.answer = lambda each: api.Rejected(reference=each.reference, reason="no\x00such\ud800\n")
    await tell_gift(coalition, ann)
    await carry(worker)
    row = (await deliveries(coalition))[-1]
    assert (row.status, row.error, row.due_at) == (MailStatus.FAILED, "no such", None)

    def fail(_: api.Notice) -> api.NoticeOutcome:
        raise RuntimeError("a\x00b")

    sms.answer = fail
    await tell_gift(coalition, ann, "gift:2")
    await carry(worker)
    row = (await deliveries(coalition))[-1]
    assert (row.status, row.error) == (MailStatus.DUE, "send: RuntimeError: a b")


async def test_a_plugin_that_is_not_active_carries_nothing_and_is_not_offered(
    web: httpx.AsyncClient,
    worker: Post,
    reached: list[api.Notice],
    coalition: Coalition,
    ann: Person,
    signed_in: Headers,
) -> None:
    async with coalition.runtime.database.begin() as session:
        await closures.close(session, "acme", Cause.NOT_ACTIVE, actor="test")
    await tell_gift(coalition, ann)
    assert await carry(worker) == 0
    assert "Text message" not in (await web.get("/me", headers=signed_in)).text
    answer = await web.post(
        f"/me/channels/{CHANNEL}", data={"address": MOBILE, "category": "gifts"}, headers=signed_in
    )
    assert answer.status_code == 404
    async with coalition.runtime.database.begin() as session:
        await closures.reopen(session, "acme", Cause.NOT_ACTIVE, actor="test")
    assert await carry(worker) == 1
    assert [each.subject for each in reached] == ["Bob sent you a gift: Mug"]


async def test_a_worker_that_died_while_sending_is_followed_by_another(
    worker: Post, reached: list[api.Notice], coalition: Coalition, ann: Person, owner: Database
) -> None:
    await tell_gift(coalition, ann)
    # Claimed, and never heard of again.
    await run_sql(
        owner,
        "update notice_delivery set attempts = 1, due_at = now() - interval '1 second' "
        "where due_at is not null",
    )
    assert await carry(worker) == 1
    assert (await deliveries(coalition))[-1].attempts == 2


async def test_what_is_too_late_is_dropped(
    worker: Post, reached: list[api.Notice], coalition: Coalition, ann: Person, owner: Database
) -> None:
    await tell_gift(coalition, ann)
    await run_sql(owner, "update notice_delivery set give_up_at = now() where due_at is not null")
    assert await carry(worker) == 0
    assert (await deliveries(coalition))[-1].status is MailStatus.EXPIRED
    assert reached == []
