"""A house full of hostile plugins: everybody else is served, and the culprits are named."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from marketplace.containment.probe import FOUND
from marketplace.db import Database
from marketplace.fulfilment import health
from marketplace.identity.domain import Role
from marketplace.notices.models import NoticeChannel, NoticeDelivery
from marketplace.registry.activation import activate
from marketplace.runtime import open_runtime
from marketplace.settings import Settings
from tests.containment.conftest import Start, stop
from tests.containment.hostile import CULPRITS, FULFIL, install
from tests.factories import make_person
from tests.fulfilment.conftest import Counter, Pairs
from tests.notices.conftest import tell_gift

DONE = ("captured", "done")
PATIENCE_S = 120.0


async def until_done(counter: Counter, pairs: Pairs) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while set(states := await counter.states(pairs)) != {DONE}:
        assert time.monotonic() < deadline, states
        await asyncio.sleep(0.2)


async def test_hostile_plugins_harm_only_their_own_burns(
    counter: Counter, start: Start, site: Path, owner: Database
) -> None:
    for slug, body in FULFIL.items():
        install(site, slug, fulfil=body)
        await counter.coalition.add_offer(slug, acceptor="shop", plugin=slug)
    await activate_all(counter, site)
    process = start("background")
    theirs = {slug: await counter.burn(2, offer=slug) for slug in CULPRITS}
    first = await counter.burn(5, offer="good")
    await until_done(counter, first)
    await until_blamed(owner, set(CULPRITS) - {"shouts"})
    more = await counter.burn(5, offer="good")
    await until_done(counter, more)

    for slug, pairs in theirs.items():
        states = await counter.states(pairs)
        assert {status for status, _ in states} == {"held"}, (slug, states)
    faults = await last_errors(owner)
    for slug, words in CULPRITS.items():
        assert re.search(words, faults.get(slug, "")), (slug, faults.get(slug))
    children = psutil.Process(process.pid).children(recursive=True)
    stop(process)
    _, alive = psutil.wait_procs(children, 5)
    assert alive == []
    assert await counter.verified()


async def activate_all(counter: Counter, site: Path) -> None:
    """Let every plugin of the site deliver, on the operator's word."""
    runtime = counter.coalition.runtime
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        async with runtime.database.begin() as session:
            for file in site.glob("hostile_*.py"):  # noqa: ASYNC240 - a handful of files
                slug = file.stem.removeprefix("hostile_")
                await activate(session, runtime.settings, slug, actor="test", reason="a test")


async def until_blamed(owner: Database, slugs: set[str]) -> None:
    """Wait until the breaker has counted a failure of each."""
    deadline = time.monotonic() + PATIENCE_S
    while missing := slugs - set(await last_errors(owner)):
        assert time.monotonic() < deadline, missing
        await asyncio.sleep(0.2)


async def last_errors(owner: Database) -> dict[str, str]:
    """What went wrong last, by plugin."""
    connection = await owner.connect_raw()
    try:
        rows = await connection.fetch("select plugin, last_error from supplier_health")
    finally:
        await connection.close()
    return {row["plugin"]: row["last_error"] for row in rows if row["last_error"]}


async def test_plugins_that_do_not_bear_being_loaded_keep_nothing_from_starting(
    counter: Counter, start: Start, site: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "good")
    install(site, "gone", more="os._exit(7)")
    install(site, "hung", more="time.sleep(600)")
    install(site, "clings", more=REGISTERS_FOR_EVER)
    await counter.coalition.add_offer("good", acceptor="shop", plugin="good")
    await activate_all(counter, site)
    process = start("background", plugin_start_s="2")
    await until_done(counter, await counter.burn(2, offer="good"))
    stop(process)

    # What the probe found is handed to the next process, which loads the rest.
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv(FOUND, "{}")
    quick = replace(settings, plugin_start_s=2.0)
    async with open_runtime(quick) as runtime:
        assert "good" in runtime.suppliers
        why = runtime.plugins.disabled
        async with runtime.database.begin() as session:
            states = {each.plugin: each for each in await health.suppliers(session, runtime)}
    assert "status 7" in why["gone"]
    assert "in time" in why["hung"]
    assert "in time" in why["clings"]
    assert states["gone"].wrong == [f"It is disabled: {why['gone']}"]


REGISTERS_FOR_EVER = """
@api.hookimpl
def marketplace_register_tasks(host):
    while True:
        try:
            time.sleep(1)
        except BaseException:
            pass
"""


OBSERVES = """
@api.hookimpl
def marketplace_after_burn_fulfilled(fact):
    {body}
"""


async def test_observers_that_hang_or_exit_delay_nobody(
    counter: Counter, start: Start, site: Path
) -> None:
    install(site, "good")
    install(site, "deaf", more=OBSERVES.format(body="time.sleep(600)"))
    install(site, "leaver", more=OBSERVES.format(body="os._exit(1)"))
    await counter.coalition.add_offer("good", acceptor="shop", plugin="good")
    await counter.coalition.add_offer("deaf", acceptor="shop", plugin="deaf")
    await activate_all(counter, site)
    process = start("background")
    for _ in range(3):
        await until_done(counter, await counter.burn(2, offer="good"))
    stop(process)
    assert await counter.verified()


NOTIFIES = """
class Notifier:
    channel = "{slug}.post"
    label = "Post"
    address_label = "Address"

    def accept(self, address):
        return address

    def send(self, notices):
        {body}
        return [api.Sent(reference=each.reference) for each in notices]


@api.hookimpl
def marketplace_register_notifiers(host):
    return [Notifier()]
"""


async def test_a_notifier_that_exits_keeps_no_other_from_carrying(
    counter: Counter, start: Start, site: Path, owner: Database
) -> None:
    install(site, "carries", more=NOTIFIES.format(slug="carries", body="pass"))
    install(site, "leaves", more=NOTIFIES.format(slug="leaves", body="os._exit(9)"))
    await activate_all(counter, site)
    ann = await make_person(counter.coalition, Role.PARTICIPANT, email="ann@acme.example")
    async with counter.coalition.runtime.database.begin() as session:
        for slug in ("carries", "leaves"):
            session.add(
                NoticeChannel(
                    person_id=ann.id,
                    channel=f"{slug}.post",
                    address="here",
                    categories=["gifts"],
                    confirmed_at=datetime.now(UTC),
                )
            )
    await tell_gift(counter.coalition, ann)
    start("background")
    deadline = time.monotonic() + PATIENCE_S
    while True:
        async with counter.coalition.runtime.database.begin() as session:
            rows = (await session.scalars(sa.select(NoticeDelivery))).all()
        found = {row.channel: row for row in rows}
        if found["carries.post"].sent_at is not None and found["leaves.post"].error is not None:
            break
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    assert "status 9" in found["leaves.post"].error
    assert found["leaves.post"].sent_at is None
