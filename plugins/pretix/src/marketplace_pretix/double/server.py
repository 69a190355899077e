"""The double's server: plain `http.server` on this machine, which misbehaves on demand."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from marketplace_pretix.double.world import FORBIDDEN, NO_ORDER, Said, World

SLOW_S = 1.5


class Mischief(StrEnum):
    """What may go wrong. Those that take an order take it as always, then fail."""

    NONE = "none"
    DOWN = "down"
    """Closes the connection; nothing is taken."""
    LOST = "lost"
    """Does what it is asked, then closes the connection."""
    SLOW = "slow"
    """Does what it is asked, then answers late."""
    MALFORMED = "malformed"
    """Does what it is asked, then answers a page for people."""
    BROKEN = "broken"
    """Does what it is asked, then answers 500."""
    ONE_ONLY = "one-only"
    """Takes one order, then closes every connection that would order."""
    BUSY = "busy"
    """Answers 429; nothing is taken."""
    MOVED = "moved"
    """A proxy leads to another address; nothing is taken."""
    MAINTENANCE = "maintenance"
    """A proxy answers 503; nothing is taken."""
    BLIND = "blind"
    """The token may not see the event any more."""
    GONE = "gone"
    """A web server without a pretix behind it: 404, and a page for people."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    """Connections that wait to be taken; of the usual five, a burst of calls would lose some."""


class Double:
    """A pretix on this machine; `url` says where."""

    def __init__(
        self, world: World | None = None, *, slow_s: float = SLOW_S, below: str = ""
    ) -> None:
        """`below` is a path that a proxy serves it at, as in `/tickets`."""
        self.world = world or World()
        self.below = below
        self.mischief = Mischief.NONE
        self.slow_s = slow_s
        self.calls: list[tuple[str, str]] = []
        self.stored: dict[str, Said] = {}
        """By X-Idempotency-Key, whatever path and body: what was answered, refusals too."""
        self.taken = 0
        self.has_carts = True
        """Whether seats can be held; it is an experimental part of pretix."""
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}{below}"

    def start(self) -> Double:
        """Serve in a thread."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Said:
        """What pretix says to one call."""
        parts = urlsplit(target)
        if headers.get("authorization") != f"Token {self.world.token}":
            return 401, {"detail": "Invalid token."}
        key = headers.get("x-idempotency-key") if method == "POST" else None
        if key in self.stored:
            return self.stored[key or ""]
        query = dict(parse_qsl(parts.query))
        said = self._routed(method, parts.path, query, json.loads(body or b"{}"))
        if key and said[0] not in (409, 429, 500, 503):
            self.stored[key] = said
        return said

    def _routed(self, method: str, path: str, query: dict[str, str], body: Any) -> Said:
        world = self.world
        prefix = f"{self.below}/api/v1/organizers/{world.organizer}"
        if not path.startswith(self.below + "/api/"):
            return 404, b"<html>There is nothing here.</html>"
        if not path.startswith(prefix + "/"):
            return FORBIDDEN
        if not path.endswith("/"):
            return 301, b"<html>Moved</html>"
        words = path[len(prefix) :].strip("/").split("/")
        blind = self.mischief is Mischief.BLIND
        if words == ["events"]:
            return _page([] if blind else [world.about], query)
        if words == ["orders"]:
            return _page([] if blind else world.changed(query), query)
        if words[:2] != ["events", world.event] or blind or world.hidden:
            return FORBIDDEN
        if method == "POST" and not world.may_write:
            return FORBIDDEN
        return self._of_event(method, words[2:], query, body)

    def _of_event(self, method: str, words: list[str], query: dict[str, str], body: Any) -> Said:
        world = self.world
        match method, words:
            case "GET", []:
                return 200, world.about
            case "GET", ["settings"]:
                return 200, world.settings
            case "GET", ["questions"]:
                return _page(world.questions, query)
            case "GET", ["seats"] | ["subevents", _, "seats"]:
                return _page(world.free_seats(), query)
            case "POST", ["orders"]:
                self.taken += 1
                return world.order(body)
            case "POST", ["cartpositions", "bulk_create"] if self.has_carts:
                return world.hold(body)
            case "DELETE", ["cartpositions", number]:
                return world.let_go(number)
            case "GET", ["orders", code]:
                return world.get(code, query)
            case "POST", ["orders", code, "mark_canceled"]:
                return world.cancel(code)
            case "GET", ["orders", code, "download", "pdf"]:
                return world.pdf(code)
            case "GET", ["quotas"]:
                return _page(world.quotas(), query)
            case "GET", ["items"]:
                return _page(list(world.items.values()), query)
            case "GET", ["subevents"]:
                return _page(world.dates, query)
        return NO_ORDER

    def _before(self, ordering: bool) -> Said | None:
        """What is said, or None and silence is kept, before anything is done."""
        match self.mischief:
            case Mischief.BUSY:
                return 429, {"detail": "Request was throttled."}
            case Mischief.MOVED:
                return 301, b"<html>Moved</html>"
            case Mischief.MAINTENANCE:
                return 503, b"<html>We are back soon.</html>"
            case Mischief.GONE:
                return 404, b"<html>There is nothing here.</html>"
            case Mischief.ONE_ONLY if ordering and self.taken:
                raise ConnectionError
            case Mischief.DOWN:
                raise ConnectionError
        return None

    def _after(self, said: Said) -> Said:
        match self.mischief:
            case Mischief.LOST:
                raise ConnectionError
            case Mischief.SLOW:
                time.sleep(self.slow_s)
            case Mischief.MALFORMED:
                return 200, b"<html>Welcome to our shop!</html>"
            case Mischief.BROKEN:
                return 500, b"<html>Internal Server Error</html>"
        return said

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._serve("GET")

            def do_POST(self) -> None:
                self._serve("POST")

            def do_DELETE(self) -> None:
                self._serve("DELETE")

            def _serve(self, method: str) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                double.calls.append((method, urlsplit(self.path).path))
                ordering = method == "POST" and self.path.endswith("/orders/")
                said = double._before(ordering)
                if said is None:
                    said = double._after(double.answer(method, self.path, headers, body))
                status, found = said
                sent = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(sent)))
                self.send_header("X-Page-Generated", datetime.now(UTC).isoformat())
                if status in (301, 429):
                    self.send_header("Location", "https://tickets.example/")
                    self.send_header("Retry-After", "42")
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

            def handle(self) -> None:
                try:
                    super().handle()
                except ConnectionError:
                    self.close_connection = True

        return Handler


def _page(found: list[Any], query: dict[str, str]) -> Said:
    if query.get("page", "1") != "1":
        return 404, {"detail": "Invalid page."}
    return 200, {"count": len(found), "next": None, "previous": None, "results": found}
