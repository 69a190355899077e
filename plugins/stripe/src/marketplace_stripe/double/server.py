"""The double over HTTP, on this machine only: keys of idempotency, and troubles on demand."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

import msgspec

from marketplace_stripe.double import answering, house, keeping
from marketplace_stripe.double.params import decoded
from marketplace_stripe.double.world import Refused, World

KEPT_S: Final = 86_400
"""How long a key is known."""
Trouble: TypeAlias = Literal[
    "lost",
    "down",
    "error",
    "stored error",
    "limit",
    "slow",
    "locked",
    "page",
    "cut",
    "torn",
]
"""`lost`: done, and the answer lost; `down`: neither; `error`: 500 after doing it, kept under the
key; `stored error`: 500 without doing it, kept too; `limit`: 429; `slow`: two seconds; `locked`:
429 with lock_timeout, after doing it; `page`: 503 with a page of HTML, after doing it; `cut`: done,
and half the JSON; `torn`: done, and the connection breaks in the body."""
SLOW_S: Final = 2.0
CLOCK: Final = "/double/clock"
"""Not Stripe's: `at` (seconds since 1970) sets the double's clock, nothing sets it right again."""
HOUSE: Final = "/double/house"
"""Not Stripe's either: what happens to the house's own balance; see `house.act`."""
SERVER_ERROR: Final = {"error": {"type": "api_error", "message": "Something went wrong."}}
TOO_MANY: Final = {
    "error": {
        "type": "invalid_request_error",
        "code": "rate_limit",
        "message": "Too many requests.",
    }
}
LOCKED: Final = {
    "error": {
        "type": "invalid_request_error",
        "code": "lock_timeout",
        "message": "This object cannot be accessed right now.",
    }
}
PAGE: Final = b"<html><body><h1>503 Service Unavailable</h1></body></html>"
IN_USE: Final = {
    "error": {
        "type": "idempotency_error",
        "code": "idempotency_key_in_use",
        "message": "There is currently another in-progress request using this key.",
    }
}
OTHER: Final = {
    "error": {
        "type": "idempotency_error",
        "message": "Keys for idempotent requests can only be used with the same parameters they "
        "were first used with.",
    }
}


class Answered(msgspec.Struct):
    """What a key was answered."""

    digest: str
    at: int
    status: int = 0
    """0 while it is being worked on."""
    body: Any = None


class Torn(msgspec.Struct, frozen=True):
    """A body that ends before it should."""

    content: bytes
    announced: int


Bend: TypeAlias = Callable[[str, int, Any], tuple[int, Any]]
"""Path, status and body of an answer as it would be; returns another."""


class Double:
    """A running double. `with Double() as double: double.address ...`"""

    def __init__(
        self,
        key: str | None = None,
        port: int = 0,
        *,
        webhook_key: str | None = None,
        keep: Path | None = None,
    ) -> None:
        self.world = World()
        self.found = keep is not None and keeping.load(self.world, keep)
        """Whether the state of an earlier run was there."""
        self._keep = keep
        self.key = key or f"rk_test_{secrets.token_hex(8)}"
        """A new one unless told: a key is of one account, and a port may serve two doubles."""
        self.webhook_key = webhook_key or f"whsec_{secrets.token_hex(16)}"
        self.trouble: Trouble | None = None
        """Of every request, while it is set."""
        self.next_troubles: list[Trouble] = []
        """Of the next requests that change something, one each."""
        self.bends: list[Bend] = []
        """What becomes of every answer before it goes out."""
        self.asked: list[tuple[str, str, str]] = []
        """Method, path and key of idempotency of every request."""
        self._keys: dict[str, Answered] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def save(self) -> None:
        """Keep the state, where it is to be kept."""
        if self._keep is not None:
            with self.world.lock:
                keeping.save(self.world, self._keep)

    @contextmanager
    def having(self, trouble: Trouble) -> Iterator[None]:
        """Every request has this trouble, for the length of the block."""
        self.trouble = trouble
        try:
            yield
        finally:
            self.trouble = None

    def signed(
        self, event: dict[str, Any], *, key: str | None = None, age_s: int = 0
    ) -> tuple[bytes, str]:
        """An event as a webhook carries it: body, and the header `Stripe-Signature`."""

        body = json.dumps(event).encode()
        moment = int(time.time()) - age_s
        signed = f"{moment}.".encode() + body
        digest = hmac.new((key or self.webhook_key).encode(), signed, hashlib.sha256).hexdigest()
        return body, f"t={moment},v1={digest}"

    def answer(self, method: str, target: str, key: str, form: str) -> tuple[int, Any] | None:
        """Status and body; None: the connection breaks without an answer."""
        self.asked.append((method, urlsplit(target).path, key))
        trouble = self.trouble
        if trouble is None and method == "POST" and self.next_troubles:
            trouble = self.next_troubles.pop(0)
        if trouble == "down":
            return None
        if trouble == "limit":
            return 429, TOO_MANY
        if trouble == "slow":
            time.sleep(SLOW_S)
        status, body = self._once(method, target, key, form, trouble)
        if trouble == "lost":
            return None
        if trouble == "locked":
            return 429, LOCKED
        if trouble == "page":
            return 503, PAGE
        for bend in self.bends:
            status, body = bend(urlsplit(target).path, status, copy.deepcopy(body))
        if trouble in ("cut", "torn"):
            content = json.dumps(body).encode()
            half = content[: len(content) // 2]
            return status, half if trouble == "cut" else Torn(half, len(content))
        return status, body

    def _once(
        self, method: str, target: str, key: str, form: str, trouble: Trouble | None
    ) -> tuple[int, Any]:
        """The same key is answered the same, errors too."""
        if method != "POST" or not key:
            return self._do(method, target, form)
        digest = hashlib.sha256(f"{target} {form}".encode()).hexdigest()
        with self.world.lock:
            known = self._keys.get(key)
            if known is not None and self.world.now() - known.at < KEPT_S:
                if known.digest != digest:
                    return 400, OTHER
                return (known.status, known.body) if known.status else (409, IN_USE)
            kept = self._keys[key] = Answered(digest, self.world.now())
        status, body = (500, SERVER_ERROR)
        if trouble != "stored error":
            status, body = self._do(method, target, form)
        if trouble == "error":
            status, body = 500, SERVER_ERROR
        kept.status, kept.body = status, body
        return status, body

    def _do(self, method: str, target: str, form: str) -> tuple[int, Any]:
        parts = urlsplit(target)
        asked = decoded(form if method == "POST" else parts.query)
        with self.world.lock:
            try:
                if parts.path == CLOCK:
                    self.world.ahead_s = int(asked["at"]) - int(time.time()) if asked else 0
                    return 200, {"now": self.world.now()}
                if parts.path == HOUSE:
                    return 200, house.act(self.world, asked)
                return 200, answering.answer(self.world, method, parts.path, asked)
            except Refused as refused:
                return refused.status, refused.body
            finally:
                if method == "POST":
                    # Before it is answered: what was answered is never forgotten.
                    self.save()

    def _handler(double) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the request
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Nothing: keys are in no log."""

            def do_GET(self) -> None:
                self._serve("")

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self._serve(self.rfile.read(length).decode())

            def _serve(self, form: str) -> None:
                if self.headers.get("Authorization") != f"Bearer {double.key}":
                    words = {"type": "invalid_request_error", "message": "Invalid API Key provided"}
                    self._send(401, {"error": words})
                    return
                key = self.headers.get("Idempotency-Key") or ""
                found = double.answer(self.command, self.path, key, form)
                if found is None:
                    self.close_connection = True
                else:
                    self._send(*found)

            def _send(self, status: int, body: Any) -> None:
                kind = "text/html" if body is PAGE else "application/json"
                if isinstance(body, Torn):
                    content, length, self.close_connection = body.content, body.announced, True
                else:
                    content = body if isinstance(body, bytes) else json.dumps(body).encode()
                    length = len(content)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(length))
                self.send_header("Request-Id", f"req_{secrets.token_hex(8)}")
                self.end_headers()
                self.wfile.write(content)

        return Handler
