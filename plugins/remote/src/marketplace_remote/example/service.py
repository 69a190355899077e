"""The service: three addresses over plain `http.server`. Put TLS in front of it.

`misbehave` makes it do what partners' services do on bad days, for tests and for trying out what
the marketplace makes of it.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Sequence
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from marketplace_remote.example.shop import Json, Shop
from marketplace_remote.example.signing import NotSigned, sign, verify

ACTIONS = {"/orders": "order", "/orders/lookup": "lookup"}
SLOW_S = 1.5
FAR = "http://169.254.169.254/latest/meta-data/"


class Mischief(StrEnum):
    """What may go wrong. Those that take the order take it as always, then fail."""

    NONE = "none"
    DOWN = "down"
    """Closes the connection; nothing is taken."""
    ERROR = "error"
    """Answers 500; nothing is taken."""
    REDIRECT = "redirect"
    """Sends the caller into a private network."""
    LOST = "lost"
    """Takes the order, then closes the connection."""
    SLOW = "slow"
    """Takes the order, then answers late."""
    LATER = "later"
    """Accepts orders and delivers when `deliver_waiting` is called."""
    PARTIAL = "partial"
    """Takes and answers the first order only."""
    TWICE = "twice"
    """Gives every outcome twice."""
    MALFORMED = "malformed"
    """Answers something that is no JSON, well signed."""
    UNSIGNED = "unsigned"
    WRONG_KEY = "wrong-key"
    OTHER_ID = "other-id"
    """Signs well, with the id of another message."""
    OLD = "old"
    """Signs well, an hour ago."""
    WRONG_COUNT = "wrong-count"
    """Delivers one artefact too many."""
    ENDLESS = "endless"
    """Never stops answering."""


class Service:
    """A partner's service on this machine; `url` says where."""

    def __init__(
        self,
        their_keys: Sequence[str],
        our_keys: Sequence[str],
        *,
        shop: Shop | None = None,
        port: int = 0,
        slow_s: float = SLOW_S,
    ) -> None:
        self.their_keys = list(their_keys)
        """Of the marketplace: requests are signed with one of them."""
        self.our_keys = list(our_keys)
        self.shop = shop or Shop()
        self.mischief = Mischief.NONE
        self.slow_s = slow_s
        self.seen: set[str] = set()
        """Requests that were acted on: a recorded one is refused."""
        self.requests = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> Service:
        """Serve in a thread."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def report(self, marketplace_url: str, member: str, references: Sequence[str]) -> int:
        """Tell the marketplace that orders have an outcome; returns its status."""
        body = json.dumps({"references": list(references)}).encode()
        headers = {
            "Content-Type": "application/json",
            **sign(self.our_keys, f"msg_{secrets.token_hex(16)}", body),
        }
        address = f"{marketplace_url}/v1/remote/callbacks?member={member}"
        with urlopen(Request(address, body, headers), timeout=10) as answer:  # noqa: S310
            return int(answer.status)

    # -- one request ---------------------------------------------------------------------------

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Json | None:
        """What is answered to a request that is signed; None where there is no such address."""
        message_id = verify(self.their_keys, headers, body)
        if message_id in self.seen:
            raise NotSigned("this request was seen before")
        self.seen.add(message_id)
        if (method, path) == ("GET", "/health"):
            return {"ok": True, "message": ""}
        if method != "POST" or path not in ACTIONS:
            return None
        asked = json.loads(body)
        if asked["action"] != ACTIONS[path]:
            raise NotSigned("it was signed for another address")
        if path == "/orders/lookup":
            return {"outcomes": self.shop.lookup(asked["orders"])}
        orders = asked["orders"][:1] if self.mischief is Mischief.PARTIAL else asked["orders"]
        return {"outcomes": self.shop.order(orders, later=self.mischief is Mischief.LATER)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._serve("GET")

            def do_POST(self) -> None:
                self._serve("POST")

            def _serve(self, method: str) -> None:
                service.requests += 1
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                mischief = service.mischief
                if mischief is Mischief.DOWN:
                    return
                if mischief in (Mischief.ERROR, Mischief.REDIRECT):
                    self._refuse(500 if mischief is Mischief.ERROR else 302)
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                try:
                    found = service.answer(method, urlsplit(self.path).path, headers, body)
                except (NotSigned, ValueError, KeyError, TypeError) as error:
                    self._refuse(401, str(error))
                    return
                if found is None:
                    self._refuse(404)
                    return
                self._say(headers["webhook-id"], found, mischief)

            def _say(self, message_id: str, found: Json, mischief: Mischief) -> None:
                if mischief is Mischief.LOST:
                    return
                if mischief is Mischief.SLOW:
                    time.sleep(service.slow_s)
                body = _spoilt(found, mischief)
                if mischief is Mischief.OTHER_ID:
                    message_id = "msg_another"
                signed = sign(service.our_keys, message_id, body)
                if mischief is Mischief.OLD:
                    signed["webhook-timestamp"] = str(int(time.time()) - 3600)
                if mischief is Mischief.WRONG_KEY:
                    signed = sign(service.their_keys, message_id, body)
                self.send_response(200)
                for name, value in ({} if mischief is Mischief.UNSIGNED else signed).items():
                    self.send_header(name, value)
                if mischief is not Mischief.ENDLESS:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                while mischief is Mischief.ENDLESS:
                    self.wfile.write(b" " * 65_536)

            def _refuse(self, status: int, why: str = "") -> None:
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", FAR)
                self.send_header("Content-Length", str(len(why.encode())))
                self.end_headers()
                self.wfile.write(why.encode())

            def log_message(self, *_: Any) -> None:
                """Quiet: bodies and addresses are nobody's business."""

            def handle(self) -> None:
                try:
                    super().handle()
                except ConnectionError:
                    self.close_connection = True

        return Handler


def _spoilt(found: Json, mischief: Mischief) -> bytes:
    """The answer, as it is sent on such a day."""
    if mischief is Mischief.MALFORMED:
        return b"<html>Welcome to our shop!</html>"
    outcomes = found.get("outcomes", [])
    if mischief is Mischief.TWICE:
        found = {"outcomes": [*outcomes, *outcomes]}
    if mischief is Mischief.WRONG_COUNT:
        found = {
            "outcomes": [
                {**each, "artefacts": [*each["artefacts"], *each["artefacts"][:1]]}
                if each["type"] == "fulfilled"
                else each
                for each in outcomes
            ]
        }
    return json.dumps(found).encode()
