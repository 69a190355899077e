"""Fifty people give at once, through two API processes, while others take their gifts back."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from charity import matching
from charity.domain import MatchMode
from charity.models import Match
from marketplace.identity.domain import Role
from marketplace.settings import Settings
from tests.charity.conftest import RATE_MICROS, Cause
from tests.charity.test_firm_matching import start
from tests.charity.test_recomputed import journal, last_facts, recompute
from tests.conftest import Headers
from tests.factories import make_session
from tests.web.test_serve import serving, wait_until_ready

CLIENTS: Final = 50
PEOPLE: Final = 10
AT: Final = "/v1/charity/gifts"
CAPS: Final = {"alpha": 613, "beta": 401, "acme": 307}
"""What matches add at most: billed, paid ahead by a member, from a firm's pool."""


class Crowd:
    """People at the doors of two processes."""

    def __init__(self, cause: Cause, address: str) -> None:
        self.cause, self.address = cause, address
        self.people: list[tuple[Headers, UUID]] = []
        self.matches: dict[str, UUID] = {}
        self.seen: list[dict[str, Any]] = []
        """Matches as the page of the campaign showed them meanwhile."""
        self.over = asyncio.Event()

    def client(self) -> httpx.AsyncClient:
        """Somebody with a connection of their own, so that either process answers."""
        return httpx.AsyncClient(base_url=self.address, timeout=120)

    async def gather(self) -> None:
        """People with points, and three matches that many of them will exhaust."""
        cause = self.cause
        await cause.start("roofs", grace_minutes=60)
        more: dict[str, Any] = {"campaign": "roofs", "ratio_bps": 5_000}
        billed = await cause.match("alpha", cap=CAPS["alpha"], **more)
        ahead = await cause.match("beta", cap=CAPS["beta"], mode=MatchMode.PREFUNDED, **more)
        await cause.pool()
        await cause.coalition.issue("acme", 1_000)
        firms, given = await start(cause, CAPS["acme"], campaign="roofs")
        await cause.deliver(given)
        self.matches = {"alpha": billed.id, "beta": ahead.id, "acme": firms}
        for number in range(PEOPLE):
            name = f"giver{number}"
            wallet = await cause.coalition.add_participant(name, firm="acme")
            await cause.coalition.issue(name, 5_000)
            token = await make_session(cause.coalition, Role.PARTICIPANT, of=name)
            self.people.append(({"Authorization": f"Bearer {token}"}, wallet))

    async def give(self, number: int) -> None:
        """Give, twice with the same key as an impatient person does; every third takes it back."""
        who, wallet = self.people[number % PEOPLE]
        body = {
            "campaign": "roofs",
            "wallet_id": str(wallet),
            "points": 41 + number,
            "key": secrets.token_hex(8),
        }
        async with self.client() as mine, self.client() as other:
            first, again = await asyncio.gather(
                *(each.post(AT, json=body, headers=who) for each in (mine, other))
            )
            assert {first.status_code, again.status_code} == {201}, (first.text, again.text)
            assert first.json()["id"] == again.json()["id"]
            if number % 3 == 0:
                path = f"{AT}/{first.json()['id']}/cancel"
                answers = await asyncio.gather(
                    *(each.post(path, headers=who) for each in (mine, other))
                )
                assert {each.status_code for each in answers} == {200}
                assert {each.json()["matched_points"] for each in answers} == {0}

    async def watch(self) -> None:
        """Somebody reloads the page of the campaign."""
        async with self.client() as client:
            while not self.over.is_set():
                page = (await client.get("/v1/charity/campaigns/roofs")).json()
                self.seen.append(page)

    async def rush(self) -> None:
        """Everybody at once."""
        watching = asyncio.create_task(self.watch())
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(CLIENTS):
                    group.create_task(self.give(number))
        finally:
            self.over.set()
        await watching

    async def used(self) -> dict[str, int]:
        """Points of each match that are given or promised."""
        async with self.cause.runtime.database.begin() as session:
            return {
                name: (await session.get_one(Match, match_id)).used_points
                for name, match_id in self.matches.items()
            }

    async def capture(self) -> None:
        """The time to take back is over; the worker delivers, gifts follow, seen by two at once."""
        await self.cause.travel(timedelta(hours=2))
        query = "select burn_id, wallet_id from charity_gift where status in ('held', 'cancelled')"
        async with self.cause.runtime.database.begin() as session:
            rows = (await (await session.connection()).exec_driver_sql(query)).all()
        pairs = [(str(burn), str(wallet)) for burn, wallet in rows]
        await asyncio.to_thread(self.cause.work.fulfil, "charity", pairs, False)
        await asyncio.gather(*(self.cause.follow() for _ in range(2)))


@pytest.fixture
async def crowd(cause: Cause, settings: Settings) -> AsyncIterator[Crowd]:
    """Two processes serve, and everybody is there."""
    with serving(settings, "--processes", "2", "--no-background") as (_, address):
        await asyncio.to_thread(wait_until_ready, address)
        made = Crowd(cause, address)
        await made.gather()
        yield made


async def test_no_cap_is_passed_and_every_point_is_where_it_is_said_to_be(crowd: Crowd) -> None:
    cause = crowd.cause
    await crowd.rush()
    assert crowd.seen
    for page in crowd.seen:  # at no moment
        assert all(each["used_points"] <= each["cap_points"] for each in page["matches"])
        raised = page["raised"]
        reserved = raised["matched_points"] + raised["promised_matched_points"]
        assert reserved <= sum(CAPS.values())
    # Who took theirs back made room; the next ones fill it to the last point, and not beyond.
    async with crowd.client() as client:
        page = (await client.get("/v1/charity/campaigns/roofs")).json()
        shown = {each["id"]: each["used_points"] for each in page["matches"]}
    used = await crowd.used()
    assert shown == {str(crowd.matches[name]): points for name, points in used.items()}
    for number in (401, 802):
        await crowd.give(number)
    assert await crowd.used() == CAPS

    await crowd.capture()
    assert await crowd.used() == CAPS
    facts = await last_facts(cause)
    by_matcher: Counter[str] = Counter()
    for told in facts.values():
        by_matcher.update({each.name: each.points for each in told.matchers})
    assert by_matcher == {name.title(): cap for name, cap in CAPS.items()}
    numbers = [each.number for each in await cause.receipts()]
    assert numbers == list(range(1, len(numbers) + 1))
    async with cause.runtime.database.begin() as session:
        await session.run_sync(matching.end_all, (await cause.campaign("roofs")).id, "test")

    found = recompute(await journal(cause))
    for burn, told in facts.items():
        assert (found.points[burn], found.micros[burn]) == (told.points, told.money_micros)
        assert found.added[burn] == told.matched_micros
    assert found.of("roofs", found.matched) == CAPS["alpha"] * RATE_MICROS
    assert found.of("roofs", found.added) == sum(CAPS.values()) * RATE_MICROS
    assert (await cause.owed())["beta"] == CAPS["beta"] * RATE_MICROS
    assert await cause.findings() == []
