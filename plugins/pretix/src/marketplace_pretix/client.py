"""Calls a member's pretix: one call, its answer, and which servers do not answer just now."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from marketplace import api
from marketplace_pretix.settings import PretixSettings

TIMEOUT_S: Final = 10.0
HEALTH_TIMEOUT_S: Final = 0.45
"""Two calls tell how a server is doing, within a second."""
ANSWER_LIMIT_BYTES: Final = 4 * 1_048_576
MOST_PAGES: Final = 400
WITH_TAKEN_OUT: Final = "?include_canceled_positions=true"
REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
LONGEST: Final = 200
FAILURES: Final = 5
"""Calls in a row without an answer, after which a server is left alone."""
ALONE_S: Final = 30.0


class Refused(Exception):
    """A list was asked for, and pretix answered something else."""


class Pretix:
    """A member's server, as its settings say. Raises what `Outbound.call` raises."""

    def __init__(self, outbound: api.Outbound, settings: PretixSettings) -> None:
        self._outbound = outbound
        self._token = settings.token
        self._base = f"{settings.address}/api/v1/organizers/{settings.organizer}"

    def call(
        self, method: str, path: str, body: bytes = b"", *, timeout_s: float = TIMEOUT_S
    ) -> api.Answer:
        """One call below the organizer; the answer, whatever its status.

        No X-Idempotency-Key: pretix keeps it apart from body and path and stores refusals with it
        for a day. The order's own code is what makes a repeat harmless.
        """
        return self._outbound.call(
            method,
            self._base + path,
            body=body,
            headers={
                "Authorization": f"Token {self._token}",
                "Accept": "application/json",
                # Words of refusals are looked at in this language.
                "Accept-Language": "en",
                **({"Content-Type": "application/json"} if body else {}),
            },
            timeout_s=timeout_s,
            limit_bytes=ANSWER_LIMIT_BYTES,
        )

    def order(self, event: str, code: str, *, timeout_s: float = TIMEOUT_S) -> api.Answer:
        """The order of a code, with tickets that were taken out of it; 404 where the event has
        none, 403 where we may not know.
        """
        path = order_path(event, code, WITH_TAKEN_OUT)
        return self.call("GET", path, timeout_s=timeout_s)

    def list(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """What a list holds, page by page. Refused."""
        for _, found in self.pages(path, **query):
            yield from found

    def pages(
        self, path: str, **query: str
    ) -> Iterator[tuple[Mapping[str, str], Sequence[dict[str, Any]]]]:
        """The pages of a list, with the headers of each. Refused."""
        for page in range(1, MOST_PAGES + 1):
            words = urlencode({**query, "page": str(page)})
            answer = self.call("GET", f"{path}{'&' if '?' in path else '?'}{words}")
            if answer.status != 200 or answer.truncated:
                raise Refused(f"{path}: {status_of(answer)}")
            try:
                found = msgspec.json.decode(answer.body, type=dict[str, Any])
                rows = msgspec.convert(found["results"], list[dict[str, Any]])
            except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError):
                raise Refused(f"{path}: the answer is not pretix's") from None
            yield answer.headers, rows
            if found.get("next") is None:
                return
        raise Refused(f"{path}: more than {MOST_PAGES} pages")


def orders_path(event: str) -> str:
    """Of all orders of an event."""
    return f"/events/{quote(event, safe='')}/orders/"


def order_path(event: str, code: str, more: str = "") -> str:
    """Of an order, or of something that is done to it."""
    return f"{orders_path(event)}{quote(code, safe='')}/{more}"


def status_of(answer: api.Answer) -> str:
    """What an answer that is none comes to, in words; where it leads elsewhere, to where."""
    if answer.status in REDIRECTS:
        there = answer.headers.get("location", "")[:LONGEST]
        return f"The address leads elsewhere, to {there}: give that one, as it begins there."
    return f"pretix answered with status {answer.status}"


def is_proof_of_absence(answer: api.Answer) -> bool:
    """Whether pretix itself says that it has no such order.

    A token that may not see the event is answered 403, and what stands between answers no JSON.
    """
    try:
        found = msgspec.json.decode(answer.body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return answer.status == 404 and set(found) == {"detail"}


class Patience:
    """Which servers do not answer just now, so that they cost the others no time."""

    def __init__(self) -> None:
        self._failures: dict[Hashable, int] = {}
        self._until: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def is_out(self, server: Hashable) -> bool:
        """Whether it is left alone for the moment."""
        with self._lock:
            return time.monotonic() < self._until.get(server, 0.0)

    def answered(self, server: Hashable) -> None:
        """It answered, whatever it said."""
        with self._lock:
            self._failures.pop(server, None)
            self._until.pop(server, None)

    def failed(self, server: Hashable) -> None:
        """It did not answer."""
        with self._lock:
            self._failures[server] = self._failures.get(server, 0) + 1
            if self._failures[server] >= FAILURES:
                self._until[server] = time.monotonic() + ALONE_S

    def silent(self) -> int:
        """How many servers are left alone now."""
        now = time.monotonic()
        with self._lock:
            return sum(now < until for until in self._until.values())
