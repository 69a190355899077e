"""Routes that a crowd calls: many answered by one call of a plugin, which harms nobody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest

from marketplace import api
from marketplace.app import create_app
from marketplace.containment import crowds
from marketplace.containment import routes as limits
from marketplace.identity.domain import Role, Scope
from marketplace.runtime import Runtime
from marketplace.web.direct import DirectRequest
from tests.conftest import Headers, run_lifespan
from tests.containment.test_api_process import with_routes
from tests.web.problems import problem

Make = Callable[..., Awaitable[Headers]]
BUYERS = api.access(roles=[Role.PARTICIPANT], scope=Scope.BURNS_WRITE)
BROWSERS = api.access(roles=[Role.PARTICIPANT], page=True)


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for."""

    number: int


class Given(msgspec.Struct, frozen=True):
    """What is given."""

    number: int
    beside: int


class TooLate(api.Conflict):
    code = "too_late"


def read(fields: api.Fields) -> Wish:
    """A wish of a form."""
    return Wish(int(fields["number"][0]))


def show(page: api.Page, asked: Wish, told: Given | api.MarketplaceError) -> api.Html:
    """The page for it; thirteens are a fault of the plugin's."""
    if isinstance(told, api.MarketplaceError):
        raise told
    if asked.number == 13:
        raise ValueError("thirteen")
    return page.redirect(f"/fair/given/{told.number}/{told.beside}")


class Counter:
    """A plugin's work: sevens are refused, nines make it fail, the rest is given."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.opened = threading.Event()
        self.opened.set()
        self.answers: Sequence[Any] | None = None

    def __call__(self, asked: Sequence[tuple[api.Principal, Any]]) -> Sequence[Any]:
        self.calls.append(len(asked))
        self.opened.wait(60)
        if any(each.number == 9 for _, each in asked):
            raise ValueError("nine")
        if self.answers is not None:
            return self.answers
        return [
            TooLate() if each.number == 7 else Given(each.number, len(asked)) for _, each in asked
        ]


@pytest.fixture
def work() -> Counter:
    """What the plugin does."""
    return Counter()


@asynccontextmanager
async def served(runtime: Runtime, work: Counter) -> AsyncIterator[httpx.AsyncClient]:
    """A house with a plugin that a crowd calls."""
    give = api.crowd_post(
        "/wishes", work, takes=Wish, gives=Given, opt=BUYERS, summary="Wish", description="Wish."
    )
    form = api.crowd_form("/wish", work, reads=read, gives=Given, shows=show, opt=BROWSERS)
    with_routes(runtime, "fair", [give, form])
    app = create_app(runtime)
    transport = httpx.ASGITransport(app=app)
    async with (
        run_lifespan(app),
        httpx.AsyncClient(transport=transport, base_url="http://here.test") as client,
    ):
        client.app = app  # type: ignore[attr-defined]
        yield client


async def until(so: Callable[[], bool]) -> None:
    while not so():  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.01)


def on_the_connection(
    client: httpx.AsyncClient, number: object, headers: Headers
) -> asyncio.Future[tuple[int, Any]]:
    """Ask as a browser's connection does, round the application."""
    handler = client.app.state.direct[b"POST", b"/v1/fair/wishes"]  # type: ignore[attr-defined]
    future: asyncio.Future[tuple[int, Any]] = asyncio.get_running_loop().create_future()

    def answer(status: int, _: bytes, body: bytes) -> None:
        future.set_result((status, msgspec.json.decode(body)))

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    if not handler(
        DirectRequest(raw, dict(raw), b"", msgspec.json.encode({"number": number})), answer
    ):
        future.set_result((0, {}))
    return future


async def test_those_who_come_meanwhile_are_answered_together(
    runtime: Runtime, sign_in: Make, api_key: Make, work: Counter
) -> None:
    people = [await sign_in(Role.PARTICIPANT), await api_key("shop", Scope.BURNS_WRITE)]
    stranger = await sign_in(Role.FINANCE)
    unknown = {"Authorization": "Bearer mk_" + "x" * 43}
    async with served(runtime, work) as client:
        work.opened.clear()
        first = on_the_connection(client, 1, people[0])
        await until(lambda: bool(work.calls))
        later = [on_the_connection(client, n, people[n % 2]) for n in (2, 3, 7)]
        refused = [on_the_connection(client, 4, each) for each in (stranger, unknown)]
        typed = asyncio.create_task(
            client.post("/v1/fair/wishes", json={"number": 5}, headers=people[0])
        )
        await until(lambda: typed.done() or len(_queue(client)) == 6)
        work.opened.set()
        assert await first == (201, {"number": 1, "beside": 1})
        told = [await each for each in later]
        assert told[:2] == [(201, {"number": n, "beside": 4}) for n in (2, 3)]
        assert (told[2][0], told[2][1]["code"]) == (409, "too_late")
        codes = [(await each)[1]["code"] for each in refused]
        assert codes == ["missing_permission", "not_authenticated"]
        assert (await typed).json() == {"number": 5, "beside": 4}
        assert work.calls == [1, 4]
        problem(await client.post("/v1/fair/wishes", json={"number": 5}), 401, "not_authenticated")
        bad = await client.post("/v1/fair/wishes", json={"number": "x"}, headers=people[0])
        problem(bad, 400, "invalid_request")
        assert await on_the_connection(client, "x", people[0]) == (0, {})


def _queue(client: httpx.AsyncClient) -> Sequence[Any]:
    handler = client.app.state.direct[b"POST", b"/v1/fair/wishes"]  # type: ignore[attr-defined]
    waiting: Sequence[Any] = handler.__self__.queue._queue
    return waiting


async def test_one_whose_wish_breaks_the_plugin_harms_nobody_else(
    runtime: Runtime, sign_in: Make, work: Counter
) -> None:
    ann = await sign_in(Role.PARTICIPANT)
    async with served(runtime, work) as client:
        told = await asyncio.gather(*(on_the_connection(client, n, ann) for n in (1, 9, 3)))
        assert [status for status, _ in told] == [201, 500, 201]
        assert work.calls == [3, 1, 1, 1]
        for answers in ([], [Wish(1)], "no"):
            work.answers = answers
            status, body = await on_the_connection(client, 1, ann)
            assert (status, body["code"]) == (500, "internal_error")


async def test_a_plugin_that_hangs_or_has_too_many_is_left_alone(
    runtime: Runtime, sign_in: Make, work: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REST_S", 600.0)
    ann = await sign_in(Role.PARTICIPANT)
    async with served(runtime, work) as client:
        work.opened.clear()
        first = on_the_connection(client, 1, ann)
        await until(lambda: bool(work.calls))
        monkeypatch.setattr(crowds, "MOST_WAITING", 1)
        second, third = (on_the_connection(client, n, ann) for n in (2, 3))
        assert (await third)[1]["code"] == "busy"
        work.opened.set()
        assert [(await each)[0] for each in (first, second)] == [201, 201]
        work.opened.clear()
        monkeypatch.setattr(crowds, "WORK_S", 0.2)
        fourth, fifth = (on_the_connection(client, n, ann) for n in (4, 5))
        assert [(await each)[1]["code"] for each in (fourth, fifth)] == ["busy", "busy"]
        problem(await client.post("/v1/fair/wishes", json={"number": 6}, headers=ann), 503, "busy")
        assert (await client.get("/health/live")).status_code == 200
        work.opened.set()


def by_form(
    client: httpx.AsyncClient, number: int, headers: Headers
) -> asyncio.Future[tuple[int, bytes, bytes]]:
    """Send the form as a browser's connection does, round the application."""
    handler = client.app.state.direct[b"POST", b"/v1/fair/wish"]  # type: ignore[attr-defined]
    future: asyncio.Future[tuple[int, bytes, bytes]] = asyncio.get_running_loop().create_future()
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"content-type", b"application/x-www-form-urlencoded"))
    body = f"number={number}".encode()
    assert handler(DirectRequest(raw, dict(raw), b"", body), lambda *told: future.set_result(told))
    return future


async def test_forms_wait_in_the_same_queue_and_everybody_is_shown_a_page(
    runtime: Runtime, sign_in: Make, work: Counter
) -> None:
    ann, stranger = await sign_in(Role.PARTICIPANT), await sign_in(Role.FINANCE)
    unknown = {"Authorization": "Bearer ms_" + "x" * 43}
    async with served(runtime, work) as client:
        work.opened.clear()
        first = on_the_connection(client, 1, ann)
        await until(lambda: bool(work.calls))
        forms = [by_form(client, n, ann) for n in (2, 7, 9, 13)]
        refused = [by_form(client, 3, each) for each in (stranger, unknown)]
        typed = asyncio.create_task(client.post("/v1/fair/wish", data={"number": 4}, headers=ann))
        await until(lambda: typed.done() or len(_queue(client)) == 7)
        work.opened.set()
        assert (await first)[0] == 201
        told = [await each for each in forms]
        assert [status for status, _, _ in told] == [303, 409, 500, 500]
        # The nine made the plugin fail, so each was tried by itself.
        assert b"location: /fair/given/2/1\r\n" in told[0][1]
        assert b"x-frame-options: DENY\r\n" in told[0][1]
        assert b"Things have changed meanwhile" in told[1][2]
        shown = [await each for each in refused]
        assert [status for status, _, _ in shown] == [403, 303]
        assert b"location: /sign-in" in shown[1][1]
        assert (await typed).headers["location"] == "/fair/given/4/1"
        assert work.calls[:2] == [1, 5]
