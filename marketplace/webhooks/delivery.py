"""Delivers what is due: a thread for each endpoint that is called, a lease on it meanwhile.

A message is marked after the endpoint has answered. A crash in between sends it again, under the
same `webhook-id`: at least once, and in the order of a burn.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import MarketplaceError
from marketplace.outbound import Answer, Outbound
from marketplace.secrets import Vault
from marketplace.signing import sign
from marketplace.webhooks import queue, telling
from marketplace.webhooks.domain import (
    ANSWER_KEPT_BYTES,
    BUSY,
    LONGEST_PAUSE_S,
    Attempt,
    Claimed,
    Message,
)

T = TypeVar("T")
log = logging.getLogger(__name__)

ENDPOINTS_AT_ONCE: Final = 16
FAILING_AT_ONCE: Final = 6
"""Of these, endpoints whose last call failed: they may take the whole time-out each."""
OF_A_MEMBER_AT_ONCE: Final = 8
"""Of these, endpoints of one member, which may be as slow as it likes."""
CALLS_AT_ONCE: Final = 4
"""Calls to one endpoint at once; messages of one burn follow each other."""
BATCH: Final = 32
TURN_S: Final = 20.0
"""How long an endpoint is called on before others have their turn."""
TIMEOUT_S: Final = 10.0
LEASE: Final = timedelta(seconds=TURN_S + BATCH / CALLS_AT_ONCE * TIMEOUT_S + 30)
"""Longer than a turn and the batch that began within it may take."""
LOOK_S: Final = 0.5
GIVE_UP_EVERY_S: Final = 60.0
"""An endpoint that fails may have millions of messages due, which costs seconds; nobody waits for
them to be given up, and all others for the round to begin."""


class Transact(Protocol):
    """Runs work in a transaction of its own, from a thread."""

    def __call__(self, work: Callable[[AsyncSession], Coroutine[Any, Any, T]], /) -> T: ...


class Deliverer:
    """Delivers what is due. One at a time in a process; any number of processes."""

    def __init__(
        self,
        transact: Transact,
        outbound: Outbound,
        vault: Vault,
        stopping: threading.Event,
    ) -> None:
        self._transact = transact
        self._outbound = outbound
        self._vault = vault
        self._stopping = stopping
        self._busy = threading.Lock()
        self._gave_up_at: float | None = None
        """When (monotonic) it was last looked what to give up."""

    def deliver_due(self) -> int:
        """Deliver until nothing is due or the process ends; returns how many calls were made."""
        if not self._busy.acquire(blocking=False):
            return 0  # one round of threads a process, however often beat asks
        try:
            self._give_up()
            with ThreadPoolExecutor(ENDPOINTS_AT_ONCE, thread_name_prefix="webhooks") as pool:
                return self._deliver_all(pool)
        finally:
            self._busy.release()

    def _give_up(self) -> None:
        """Give up, now and then, what has failed for long: all that is due is looked at for it."""
        if self._gave_up_at is not None and time.monotonic() - self._gave_up_at < GIVE_UP_EVERY_S:
            return
        self._transact(queue.expire)
        self._transact(telling.stop_failing)
        self._gave_up_at = time.monotonic()

    def _deliver_all(self, pool: ThreadPoolExecutor) -> int:
        running: dict[Future[int], bool] = {}
        total = 0
        while not self._stopping.is_set():
            failing = FAILING_AT_ONCE - sum(running.values())
            for claimed in self._claim(ENDPOINTS_AT_ONCE - len(running), failing):
                running[pool.submit(self._turn, claimed)] = claimed.failures > 0
            if not running:
                break
            done, _ = wait(running, timeout=LOOK_S, return_when=FIRST_COMPLETED)
            for each in done:
                del running[each]
                total += each.result()
        return total + sum(each.result() for each in running)

    def _claim(self, limit: int, failing: int) -> list[Claimed]:
        if limit <= 0:
            return []
        return self._transact(
            lambda s: queue.claim(
                s,
                limit=limit,
                failing=max(failing, 0),
                of_member=OF_A_MEMBER_AT_ONCE,
                lease=LEASE,
            )
        )

    def _turn(self, claimed: Claimed) -> int:
        """Call one endpoint until it has been told everything, fails, or its time is up."""
        calls = 0
        try:
            keys = self._keys(claimed)
            end = time.monotonic() + TURN_S
            may_go_on = True
            while may_go_on and time.monotonic() < end and not self._stopping.is_set():
                # Who fails is asked with one message, not with a batch.
                limit = 1 if claimed.failures else BATCH
                messages = self._transact(lambda s: queue.ready(s, claimed, limit))  # noqa: B023
                if not messages:
                    break
                went = self._call_each(claimed, keys, messages)
                calls += len(went)
                may_go_on = all(went) and not claimed.failures
        except Exception:
            # A fault of ours, or the database is away: the lease runs out, nothing is lost.
            log.exception("webhook endpoint %s could not be served", claimed.id)
        else:
            self._transact(lambda s: queue.release(s, claimed))
        return calls

    def _keys(self, claimed: Claimed) -> list[str]:
        secrets = [claimed.secret, claimed.previous_secret]
        return [self._vault.decrypt(each) for each in secrets if each is not None]

    def _call_each(
        self, claimed: Claimed, keys: Sequence[str], messages: Sequence[Message]
    ) -> list[bool]:
        """Call with messages of different burns; whether one may go on after each."""
        if len(messages) == 1:
            return [self._deliver(claimed, keys, messages[0])]
        went: list[bool] = []
        failed = threading.Event()

        def deliver(message: Message) -> None:
            if not failed.is_set() and not self._stopping.is_set():
                went.append(self._deliver(claimed, keys, message))
                if not went[-1]:
                    failed.set()

        with ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="webhook") as pool:
            for _ in pool.map(deliver, messages):
                pass
        return went

    def _deliver(self, claimed: Claimed, keys: Sequence[str], message: Message) -> bool:
        attempt = self._call(claimed.url, keys, message)
        return self._transact(lambda s: telling.record(s, claimed, message, attempt))

    def _call(self, url: str, keys: Sequence[str], message: Message) -> Attempt:
        body = message.body()
        headers = {"Content-Type": "application/json", **sign(keys, message.public_id, body)}
        started = time.monotonic()
        answer: Answer | None = None
        error: str | None = None
        try:
            answer = self._outbound.call(
                "POST",
                url,
                body=body,
                headers=headers,
                timeout_s=TIMEOUT_S,
                limit_bytes=ANSWER_KEPT_BYTES,
            )
        except MarketplaceError as failure:
            error = failure.detail
        return Attempt(
            duration_ms=int((time.monotonic() - started) * 1000),
            status=None if answer is None else answer.status,
            error=error,
            answer="" if answer is None else _readable(answer.body),
            retry_after_s=None if answer is None else _retry_after_s(answer),
        )


def _readable(body: bytes) -> str:
    """What came back as text that can be stored: PostgreSQL takes no NUL."""
    return body.decode("utf-8", "replace").replace("\x00", "\ufffd")


def _retry_after_s(answer: Answer) -> int | None:
    """The pause an endpoint asks for when it is busy, in seconds; dates are not read."""
    said = answer.headers.get("retry-after", "")
    if answer.status in BUSY and said.isascii() and said.isdigit():
        return min(int(said[:9]), LONGEST_PAUSE_S)
    return None
