"""A message that is not fit to be read is thrown away, and the worker goes on."""

from __future__ import annotations

import json
import queue
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from amqp.exceptions import ChannelError
from celery import Celery
from celery.worker import state
from kombu.transport.memory import Channel

from marketplace import worker as processes
from marketplace.fulfilment.consuming import AGAIN_S, HardyConsumer
from marketplace.worker import IN_MEMORY, controller, declare_queues, make_app

pytestmark = pytest.mark.filterwarnings("ignore")  # Celery's own, as in a worker process
PATIENCE_S = 120.0
GOOD = json.dumps([[], {}, {}])
HEADERS = {"task": "marketplace.note", "id": "1"}
JSON: dict[str, Any] = {"content_type": "application/json", "content_encoding": "utf-8"}

POISON: dict[str, dict[str, Any]] = {
    "empty": {"body": "", **JSON},
    "a number": {"body": "5", **JSON},
    "null": {"body": "null", **JSON},
    "an empty list": {"body": "[]", **JSON},
    "four things": {"body": "[1, 2, 3, 4]", **JSON},
    "no lists": {"body": "[1, 2, 3]", **JSON},
    "an object": {"body": "{}", **JSON},
    "an object with arguments": {"body": '{"args": 1}', **JSON},
    "no json": {"body": "{", **JSON},
    "no utf-8": {"body": b"\xff\xfe", **JSON},
    "no content type": {"body": GOOD},
    "a strange content type": {"body": GOOD, "content_type": "a/b", "content_encoding": "utf-8"},
    "a strange encoding": {"body": GOOD, **JSON, "content_encoding": "utf-99"},
    "pickle": {"body": b"x", "content_type": "application/x-python-serialize"},
    "no id": {"body": GOOD, **JSON, "headers": {"task": "marketplace.note"}},
    "an id that is a list": {"body": GOOD, **JSON, "headers": {**HEADERS, "id": [1]}},
    "a task that is a list": {"body": GOOD, **JSON, "headers": {**HEADERS, "task": [1]}},
    "an unknown task without id": {"body": "5", **JSON, "headers": {"task": "nobody"}},
    "nothing but an object": {"body": '{"task": "nobody"}', **JSON, "headers": {}},
    "nothing": {"body": "", "headers": {}},
    "not compressed": {"body": GOOD, **JSON, "headers": {**HEADERS, "compression": "gzip"}},
    "a strange limit": {"body": GOOD, **JSON, "headers": {**HEADERS, "timelimit": "abc"}},
    "a strange time": {"body": GOOD, **JSON, "headers": {**HEADERS, "eta": "tomorrow"}},
}


@pytest.fixture
def app() -> Celery:
    """An app on the broker in memory with a queue nobody else knows."""
    made = make_app(IN_MEMORY, [secrets.token_hex(4)])
    declare_queues(made)
    return made


class Noted:
    """What a worker on the app's queue noted, while its thread lives."""

    def __init__(self, app: Celery) -> None:
        self.words: queue.SimpleQueue[str] = queue.SimpleQueue()
        app.task(self.note, name="marketplace.note", shared=False)
        app.set_default()
        working = controller(app, [_queue(app)])
        self.thread = threading.Thread(target=working.start, daemon=True)

    def note(self, words: str) -> None:
        """The body of the task."""
        self.words.put(words)

    def next(self) -> str:
        """The next words; fails where the thread has ended."""
        ends = time.monotonic() + PATIENCE_S
        while True:
            with suppress(queue.Empty):
                return self.words.get(timeout=0.2)
            assert self.thread.is_alive(), "the worker's thread ended"
            assert time.monotonic() < ends, "nothing came"


@pytest.fixture
def noted(app: Celery) -> Iterator[Noted]:
    """A worker that works until the test ends, and must live so long."""
    state.should_stop = state.should_terminate = None
    made = Noted(app)
    made.thread.start()
    yield made
    alive = made.thread.is_alive()
    state.should_stop = 0
    made.thread.join(PATIENCE_S)
    state.should_stop = None
    assert alive


def _queue(app: Celery) -> str:
    return next(name for name in app.amqp.queues if name != processes.CORE_QUEUE)


def _publish(app: Celery, body: Any, **how: Any) -> None:
    with app.connection_for_write() as connection:
        producer = connection.Producer()
        channel = producer.channel
        message = channel.prepare_message(
            body,
            headers=how.get("headers", HEADERS),
            content_type=how.get("content_type"),
            content_encoding=how.get("content_encoding"),
            properties={"delivery_mode": 2},
        )
        channel.basic_publish(message, exchange="marketplace", routing_key=_queue(app))


def _send_good(app: Celery, words: str) -> None:
    app.send_task("marketplace.note", args=(words,), queue=_queue(app))


def test_a_good_message_after_each_bad_one_is_carried_out(
    app: Celery, noted: Noted, caplog: pytest.LogCaptureFixture
) -> None:
    for what, each in POISON.items():
        _publish(app, **each)
        _send_good(app, f"after {what}")
        assert noted.next() == f"after {what}"
    # And many of them take no place of good ones.
    for each in [*POISON.values()] * 3:
        _publish(app, **each)
    _send_good(app, "after all")
    assert noted.next() == "after all"
    assert "was thrown away" in caplog.text
    with app.connection_for_write() as connection:
        left = connection.default_channel.queue_declare(_queue(app), passive=True)
    assert left.message_count == 0


def _lost(message: Any) -> None:
    raise ConnectionResetError("the broker is away")


def test_a_connection_that_is_lost_is_left_to_celery() -> None:
    consumer = HardyConsumer.__new__(HardyConsumer)
    consumer.connection_errors, consumer.channel_errors = (OSError,), (ValueError,)
    with pytest.raises(ConnectionResetError):
        consumer._hardy(_lost)(None)


def test_a_broker_that_is_full_for_a_while_ends_no_thread(
    app: Celery, noted: Noted, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a Redis without memory, or one that only reads, refuses what taking a message needs.
    refused = threading.Semaphore(0)
    took = Channel._get

    def refuse(*_: Any) -> Any:
        refused.release()
        raise ChannelError("command not allowed when used memory > 'maxmemory'")

    _send_good(app, "before")
    assert noted.next() == "before"
    monkeypatch.setattr(Channel, "_get", refuse)
    began = time.monotonic()
    for _ in range(3):
        assert refused.acquire(timeout=PATIENCE_S)
    assert time.monotonic() - began > 1.5 * AGAIN_S  # nor does it ask without pause
    monkeypatch.setattr(Channel, "_get", took)
    _send_good(app, "after")
    assert noted.next() == "after"
