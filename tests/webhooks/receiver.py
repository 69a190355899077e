"""A member's own web server: keeps what it is told, verifies it, and can misbehave."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from standardwebhooks.webhooks import Webhook


class Heard(msgspec.Struct):
    """One call."""

    id: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        told: dict[str, Any] = msgspec.json.decode(self.body)
        return told

    def is_signed_by(self, secret: str) -> bool:
        """Whether the other implementation of the standard takes it."""
        try:
            Webhook(secret).verify(self.body, self.headers)
        except Exception:
            return False
        return True


class Receiver:
    """`answer(heard)` gives status, headers and body; it may also wait."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self._calls = threading.Semaphore(0)
        self.answer: Callable[[Heard], tuple[int, dict[str, str], bytes]] = ok
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                heard = Heard(self.headers["webhook-id"], dict(self.headers.items()), body)
                receiver.heard.append(heard)
                receiver._calls.release()
                status, headers, answer = receiver.answer(heard)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    @property
    def types(self) -> list[str]:
        return [each.event["type"] for each in self.heard]

    def wait_for_call(self) -> None:
        """Return once there was one more call than was waited for before."""
        assert self._calls.acquire(timeout=300)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def ok(_: Heard) -> tuple[int, dict[str, str], bytes]:
    return 204, {}, b""


def failing(status: int, **headers: str) -> Callable[[Heard], tuple[int, dict[str, str], bytes]]:
    """Always answers so."""
    return lambda _: (status, {k.replace("_", "-"): v for k, v in headers.items()}, b"no\x00pe")
