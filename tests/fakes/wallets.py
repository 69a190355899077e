"""Apple's push service and Google Wallet, as far as tickets need them: they remember and misbehave.

Apple speaks HTTP/2 and asks for the certificate of the passes; Google gives a token to who signs
for it, and has only what somebody saved.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import threading
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded

HANG_UP = 0
"""In place of a status: the connection ends without an answer."""


class ApplePush:
    """The push service: which phones were told, over how many connections."""

    def __init__(self, certificate: Path, believes: Path) -> None:
        self.told: Counter[str] = Counter()
        self.topics: set[str] = set()
        self.connections = 0
        self.trouble: deque[tuple[int, str]] = deque()
        """Status and reason for the next calls, before it behaves again."""
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        self._tls.load_verify_locations(believes)
        self._tls.verify_mode = ssl.CERT_REQUIRED
        self._tls.set_alpn_protocols(["h2"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _run(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), self._tls.wrap_socket(plain, server_side=True) as it:
                self.connections += 1
                self._serve(it)

    def _serve(self, line: ssl.SSLSocket) -> None:
        h2 = H2Connection(H2Configuration(client_side=False))
        h2.initiate_connection()
        line.sendall(h2.data_to_send())
        asked: dict[int, dict[str, str]] = {}
        while got := line.recv(65_536):
            for event in h2.receive_data(got):
                if isinstance(event, RequestReceived):
                    heads = [(str_of(name), str_of(value)) for name, value in event.headers or ()]
                    asked[event.stream_id or 0] = dict(heads)
                elif isinstance(event, StreamEnded):
                    number = event.stream_id or 0
                    status, body = self._answer(asked.pop(number))
                    if status == HANG_UP:
                        return
                    h2.send_headers(number, [(":status", str(status))])
                    h2.send_data(number, body, end_stream=True)
            line.sendall(h2.data_to_send())

    def _answer(self, asked: dict[str, str]) -> tuple[int, bytes]:
        token = asked[":path"].removeprefix("/3/device/")
        if self.trouble:
            status, reason = self.trouble.popleft()
            return status, json.dumps({"reason": reason}).encode()
        self.topics.add(asked["apns-topic"])
        self.told[token] += 1
        return 200, b""


def str_of(text: bytes | str) -> str:
    return text.decode() if isinstance(text, bytes) else text


class GoogleWallet:
    """Classes and objects by id; an object is there once somebody saved it."""

    def __init__(self, account: str, key: RSAPublicKey) -> None:
        self.classes: dict[str, dict[str, Any]] = {}
        self.objects: dict[str, dict[str, Any]] = {}
        self.calls = 0
        self.trouble: deque[int] = deque()
        self.keeps_class = False
        """It takes no ticket over to another class."""
        self._account, self._key = account, key
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                server._handle(self)

            def do_PATCH(self) -> None:
                server._handle(self)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def save(self, link: str) -> None:
        """Somebody follows the link of a ticket and saves it: what is there already stays."""
        told = self._believed(link.rsplit("/", 1)[1])["payload"]
        for each in told["eventTicketClasses"]:
            self.classes.setdefault(each["id"], each)
        for each in told["eventTicketObjects"]:
            self.objects.setdefault(each["id"], each)

    def _believed(self, token: str) -> dict[str, Any]:
        head, body, signature = token.split(".")
        self._key.verify(_decoded(signature), f"{head}.{body}".encode(), PKCS1v15(), SHA256())
        told: dict[str, Any] = json.loads(_decoded(body))
        assert told["iss"] == self._account
        return told

    def _handle(self, asked: BaseHTTPRequestHandler) -> None:
        sent = asked.rfile.read(int(asked.headers["Content-Length"]))
        status, told = self._answer(asked.command, asked.path, asked.headers, sent)
        if status == HANG_UP:
            asked.close_connection = True
            return
        body = json.dumps(told).encode()
        asked.send_response(status)
        asked.send_header("Content-Length", str(len(body)))
        asked.end_headers()
        asked.wfile.write(body)

    def _answer(self, method: str, path: str, heads: Any, sent: bytes) -> tuple[int, Any]:
        if path == "/token":
            told = self._believed(parse_qs(sent.decode())["assertion"][0])
            assert told["scope"].endswith("wallet_object.issuer")
            return 200, {"access_token": "good"}
        self.calls += 1
        if heads["Authorization"] != "Bearer good":
            return 401, {}
        if self.trouble:
            return self.trouble.popleft(), {}
        kind, _, name = path.removeprefix("/v1/").partition("/")
        shelf = {"eventTicketClass": self.classes, "eventTicketObject": self.objects}[kind]
        body = json.loads(sent)
        if method == "POST":
            shelf[body["id"]] = body
            return 200, body
        if name not in shelf:
            return 404, {}
        moves = "classId" in body and body["classId"] != shelf[name].get("classId")
        if self.keeps_class and moves:
            return 400, {}
        shelf[name].update(body)
        return 200, shelf[name]


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
