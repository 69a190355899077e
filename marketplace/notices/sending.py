"""Sends due mails: claimed in one transaction, sent outside any, each outcome written at once.

A mail is marked after the server has taken it. A crash in between sends it again under the same
Message-ID; so does a connection that breaks while the server has the whole mail.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, Final, Protocol, TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.notices import queue
from marketplace.notices.compose import Composer, UnusableAddress
from marketplace.notices.domain import Claimed
from marketplace.notices.transport import Away, Deferred, Doubtful, Line, Refused, Transport

T = TypeVar("T")
log = logging.getLogger(__name__)

BATCH: Final = 25
LEASE: Final = timedelta(minutes=15)
"""Longer than a batch may take: each of its mails meets a few time-outs of the connection."""
AWAY: Final = timedelta(minutes=1)
FIRST_RETRY_S: Final = 60
LONGEST_RETRY_S: Final = 4 * 3600
TOO_LATE: Final = "it could not be sent in time"


class Transact(Protocol):
    """Runs work in a transaction of its own, from a thread."""

    def __call__(self, work: Callable[[AsyncSession], Coroutine[Any, Any, T]], /) -> T: ...


class Outcome(msgspec.Struct, frozen=True):
    """How a try went: sent, refused for good (`error`), or to be tried again (`later`)."""

    error: str | None = None
    later: bool = False


class Sender:
    """Sends what is due. One at a time in a process; any number of processes."""

    def __init__(
        self,
        transact: Transact,
        composer: Composer,
        transport: Transport | None,
        stopping: threading.Event,
        titled: Callable[[Sequence[Claimed]], Sequence[Claimed]],
    ) -> None:
        self._transact = transact
        self._composer = composer
        self._transport = transport
        self._stopping = stopping
        self._titled = titled
        self._busy = threading.Lock()

    def send_due(self) -> int:
        """Send until nothing is due, the server is away, or the process ends; returns how many."""
        if not self._busy.acquire(blocking=False):
            return 0  # a slow server must not take more than one thread
        try:
            why = queue.NO_SERVER if self._transport is None else TOO_LATE
            self._transact(lambda session: queue.drop_useless(session, why))
            return 0 if self._transport is None else self._send_all(self._transport)
        finally:
            self._busy.release()

    def _send_all(self, transport: Transport) -> int:
        total = 0
        while not self._stopping.is_set():
            mails = self._transact(lambda s: queue.claim(s, limit=BATCH, lease=LEASE))
            if not mails:
                break
            sent, is_away = self._send_batch(transport, self._titled(mails))
            total += sent
            if is_away:
                break
        return total

    def _send_batch(self, transport: Transport, mails: Sequence[Claimed]) -> tuple[int, bool]:
        """Send over one line; returns how many were sent, and whether the server is away."""
        left, sent = list(mails), 0
        try:
            with transport.open() as line:
                while left and not self._stopping.is_set():
                    sent += self._send_one(line, left[0])
                    left.pop(0)
        except Away as error:
            log.error("no mail can be sent: %s", error)
            self._release(left, str(error))
            return sent, True
        except Doubtful as error:
            # The line is broken; the others go over a new one.
            log.warning("mail %d may have been sent: %s", left[0].id, error)
            doubt = f"{error}; it may have arrived, and is sent again under the same Message-ID"
            self._write(left[0], Outcome(doubt, later=True))
            self._release(left[1:], None)
            return sent, False
        self._release(left, None)
        return sent, False

    def _send_one(self, line: Line, mail: Claimed) -> bool:
        """Send a mail and write down how that went; raises Away or Doubtful."""
        try:
            message = self._composer.message(mail)
        except UnusableAddress as error:
            self._write(mail, Outcome(str(error)))
            return False
        except Exception as error:
            # A fault of ours: it must neither keep the others waiting nor cost this mail its life.
            log.exception("mail %d to person %s cannot be made", mail.id, mail.person_id)
            self._write(mail, Outcome(f"it cannot be made: {error}", later=True))
            return False
        try:
            line.send(message)
        except Refused as error:
            log.warning("mail %d to person %s is refused: %s", mail.id, mail.person_id, error)
            self._write(mail, Outcome(str(error)))
            return False
        except Deferred as error:
            self._write(mail, Outcome(str(error), later=True))
            return False
        self._write(mail, Outcome())
        return True

    def _write(self, mail: Claimed, outcome: Outcome) -> None:
        error = outcome.error
        if error is None:
            self._transact(lambda session: queue.mark_sent(session, mail))
        elif outcome.later:
            after = retry_after(mail.attempt)
            self._transact(lambda session: queue.mark_later(session, mail, error, after))
        else:
            self._transact(lambda session: queue.mark_failed(session, mail, error))

    def _release(self, mails: Sequence[Claimed], error: str | None) -> None:
        if mails:
            after = timedelta(0) if error is None else AWAY
            self._transact(lambda session: queue.release(session, mails, error, after))


def retry_after(attempt: int) -> timedelta:
    """How long to wait after this many tries: 1, 2, 4 ... minutes, 4 hours at most, spread."""
    seconds = min(FIRST_RETRY_S * 2 ** min(attempt - 1, 16), LONGEST_RETRY_S)
    return timedelta(seconds=seconds * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load
