"""Calls a partner's service: signed, checked, left alone for a while when it does not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from typing import Final
from uuid import uuid4

from marketplace import api
from marketplace_remote.settings import RemoteSettings

TIMEOUT_S: Final = 20.0
HEALTH_TIMEOUT_S: Final = 0.9
ANSWER_LIMIT_BYTES: Final = 2 * 1_048_576
FAILURES: Final = 5
"""Calls in a row without an answer, after which a partner is left alone."""
ALONE_S: Final = 30.0


class Unclear(Exception):
    """The partner may have taken what was sent; its answer cannot be believed."""


def call(
    outbound: api.Outbound,
    settings: RemoteSettings,
    method: str,
    path: str,
    body: bytes,
    *,
    timeout_s: float,
) -> bytes:
    """The body of a signed answer with status 200.

    Raises AddressRefused or Unreachable while nothing was sent, Unanswered or Unclear after that.
    """
    message_id = f"msg_{uuid4().hex}"
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        **api.sign(settings.our_keys, message_id, body),
    }
    answer = outbound.call(
        method,
        settings.url.rstrip("/") + path,
        body=body,
        headers=headers,
        timeout_s=timeout_s,
        limit_bytes=ANSWER_LIMIT_BYTES,
    )
    if answer.status != 200:
        raise Unclear(f"the partner answered with status {answer.status}")
    if answer.truncated:
        raise Unclear("the partner's answer is too long")
    try:
        signed = api.verify(settings.your_keys, answer.headers, answer.body)
    except api.BadSignature:
        raise Unclear("the partner's answer is not signed as agreed") from None
    if signed != message_id:
        # A recorded answer to another call, perhaps.
        raise Unclear("the partner's answer belongs to another call")
    return answer.body


class Patience:
    """Which partners do not answer just now, so that they cost the others no time."""

    def __init__(self) -> None:
        self._failures: dict[Hashable, int] = {}
        self._until: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def is_out(self, partner: Hashable) -> bool:
        """Whether the partner is left alone for the moment."""
        with self._lock:
            return time.monotonic() < self._until.get(partner, 0.0)

    def answered(self, partner: Hashable) -> None:
        """It answered, whatever it said."""
        with self._lock:
            self._failures.pop(partner, None)
            self._until.pop(partner, None)

    def failed(self, partner: Hashable) -> None:
        """It did not answer."""
        with self._lock:
            self._failures[partner] = self._failures.get(partner, 0) + 1
            if self._failures[partner] >= FAILURES:
                self._until[partner] = time.monotonic() + ALONE_S

    def silent(self) -> int:
        """How many partners are left alone now."""
        now = time.monotonic()
        with self._lock:
            return sum(now < until for until in self._until.values())
