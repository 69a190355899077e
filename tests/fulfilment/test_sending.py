"""A broker that is connected but silent holds nobody up."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from kombu.exceptions import OperationalError

from marketplace.fulfilment import schedule, sending
from marketplace.fulfilment.relay import Relay
from marketplace.runtime import Runtime
from marketplace.worker import hanging_up, make_app, publisher
from tests.fulfilment.conftest import Counter, Mailbox
from tests.fulfilment.shop import FakeShop

PATIENCE_S = 120.0


class Silent:
    """A broker that answers nothing until its connection is given up."""

    def __init__(self) -> None:
        self.given_up = threading.Event()
        self.asked: list[Any] = []
        self.ended = threading.Event()

    def send(self, *given: Any) -> None:
        """Wait for an answer that does not come."""
        self.asked.append(given)
        assert self.given_up.wait(PATIENCE_S)
        self.ended.set()
        raise ConnectionResetError("closed")


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Silent]:
    """A silent broker for which nobody waits long."""
    monkeypatch.setattr(sending, "SEND_S", 0.3)
    made = Silent()
    yield made
    made.given_up.set()


async def test_a_silent_broker_ends_the_round_and_the_next_one_sends_all_once(
    counter: Counter, runtime: Runtime, shop: FakeShop, mailbox: Mailbox, silent: Silent
) -> None:
    runtime.suppliers[shop.slug] = shop
    pairs = await counter.burn(3)
    stuck = Relay(runtime, silent.send, give_up=silent.given_up.set)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stuck.round(), PATIENCE_S)
    assert len(silent.asked) == 1
    # Its thread is set free, and it is not told to send what is left.
    assert await asyncio.to_thread(silent.ended.wait, PATIENCE_S)
    # Nothing is locked any more: another relay sends all, once.
    good = Relay(runtime, mailbox.publish)
    assert [await good.round(), await good.round()] == [3, 0]
    assert sorted(mailbox.burns()) == sorted(burn_id for burn_id, _ in pairs)


async def test_a_connection_that_cannot_even_be_closed_holds_nobody_up(
    counter: Counter, runtime: Runtime, shop: FakeShop, mailbox: Mailbox, silent: Silent
) -> None:
    runtime.suppliers[shop.slug] = shop
    await counter.burn(1)

    def stay() -> None:
        assert silent.given_up.wait(PATIENCE_S)
        raise OSError("not connected")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Relay(runtime, silent.send, give_up=stay).round(), PATIENCE_S)
    assert await Relay(runtime, mailbox.publish).round() == 1


async def test_a_silent_broker_does_not_end_the_schedule(runtime: Runtime, silent: Silent) -> None:
    work = [schedule.Entry(task="a", queue="core", every_s=3600)]
    work.append(schedule.Entry(task="b", queue="core", every_s=3600))
    sent: list[str] = []
    stopping = threading.Event()

    def send(entry: schedule.Entry) -> None:
        if entry.task == "a":
            silent.send(entry)
        sent.append(entry.task)
        stopping.set()

    running = schedule.run_schedule(
        runtime.database, work, send, stopping, give_up=silent.given_up.set
    )
    with suppress(asyncio.CancelledError):
        await asyncio.wait_for(running, PATIENCE_S)
    assert sent == ["b"]
    assert silent.given_up.is_set()


@pytest.mark.parametrize("url", ["redis://localhost:1/0", "rediss://localhost:1/0"])
def test_a_thread_that_waits_for_a_silent_redis_is_set_free(url: str) -> None:
    # Closing the connection frees nobody there, as it does with AMQP.
    options = make_app(url, []).conf.broker_transport_options
    assert 1 < options["socket_timeout"] < sending.SEND_S


class SilentPort:
    """A port that takes connections and all they say, and answers nothing."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]


@pytest.mark.parametrize("url", ["amqp://guest:guest@127.0.0.1:{}//", "redis://127.0.0.1:{}/0"])
async def test_a_port_that_answers_nothing_ends_the_round(
    url: str, counter: Counter, runtime: Runtime, shop: FakeShop, mailbox: Mailbox, silent: Silent
) -> None:
    runtime.suppliers[shop.slug] = shop
    await counter.burn(2)
    port = SilentPort()
    app = make_app(url.format(port.port), [shop.slug])
    relay = Relay(runtime, publisher(app, 60.0), give_up=hanging_up(app))
    for _ in range(2):
        with pytest.raises((TimeoutError, OperationalError)):
            await asyncio.wait_for(relay.round(), PATIENCE_S)
    port.listening.close()
    assert await Relay(runtime, mailbox.publish).round() == 2
