"""The hot path: some addresses are answered on the connection, before an ASGI request is made.

A task, a scope, routing and middleware cost a burn two thirds of its time in the API process
(figures in docs/operations/performance.md). What is answered here is the good case only: a direct
handler that meets anything out of the ordinary declines, and the application answers as if it had
not been asked. So every address here is an ordinary route too, which describes it and states its
Access.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from marketplace.errors import (
    PROBLEM_MEDIA_TYPE,
    HeadTooLarge,
    InvalidRequest,
    MarketplaceError,
)
from marketplace.web.one_write import CorkedTransport, OneWriteProtocol
from marketplace.web.request_id import HEADER, request_id_of

log = logging.getLogger(__name__)

LONGEST_BODY = 8_192
"""Bytes; longer bodies go the long way."""
LARGEST_HEAD = 65_536
"""Bytes of address and headers, or of what may follow a body. One that begins behind another
request is counted from the next read on: a read is a quarter of a megabyte at most."""
PATIENCE_S = 30.0
"""How long a new connection may say nothing, a head may take from its first byte on, and the next
LEAST_BYTES of a body may. After an answer a connection may be quiet for as long as the server says
(`timeout_keep_alive`), and what is left of a body that was answered early has to come by then."""
LEAST_BYTES = 1_024
LINGER_S = 2.0
"""How long what a refused client still sends is taken and dropped: a connection that is closed upon
it would lose the answer."""
PROBLEM_LINES = b"content-type: %b\r\nconnection: close\r\n" % PROBLEM_MEDIA_TYPE.encode()
ALWAYS = b"x-content-type-options: nosniff\r\n" + HEADER + b": "

WHOLE, HEAD, BODY, TRAILER = range(4)
"""What of a request is on its way: nothing where all that has begun is whole."""

Headers = list[tuple[bytes, bytes]]


class DirectRequest(NamedTuple):
    """A request as a direct handler sees it: header names in lower case, the query undecoded."""

    headers: Headers
    fields: dict[bytes, bytes]
    """The headers by name; no name comes twice."""
    query: bytes
    body: bytes


Answer = Callable[[int, bytes, bytes], None]
"""`answer(status, header_lines, body)`: to be called once, at once or later. Each header line ends
in CRLF; length, date and request id are added."""
DirectHandler = Callable[[DirectRequest, Answer], bool]
"""Takes a request and returns True, or returns False (or raises) to let the application answer. A
handler that returned False has changed nothing and does not call `answer`."""
DirectRoutes = dict[tuple[bytes, bytes], DirectHandler]
"""By method and path. The application keeps them as `app.state.direct`."""


class DirectCycle:
    """What uvicorn's protocol asks about the request in hand, for one that is answered directly."""

    __slots__ = (
        "_protocol",
        "disconnected",
        "keep_alive",
        "message_event",
        "request_id",
        "response_complete",
    )

    def __init__(self, protocol: DirectProtocol, request_id: bytes, *, keep_alive: bool) -> None:
        self._protocol = protocol
        self.request_id = request_id
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_complete = False
        self.message_event = NOBODY_WAITS

    def answer(self, status: int, header_lines: bytes, body: bytes) -> None:
        """Send the answer; a client that has gone is not told."""
        if self.response_complete:
            raise RuntimeError("a direct handler answered twice")
        self.response_complete = True
        if not self.disconnected:
            self._protocol.send_answer(self, status, header_lines, body)


NOBODY_WAITS = asyncio.Event()


class DirectProtocol(OneWriteProtocol):
    """uvicorn's HTTP protocol with direct handlers in front of the application."""

    transport: CorkedTransport  # type: ignore[assignment]

    def __init__(self, config: Any, server_state: ServerState, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, server_state, *args, **kwargs)
        # A wrapper around the application has no state: everything goes the long way then.
        state = getattr(config.loaded_app, "state", {})
        self._routes: DirectRoutes = state.get("direct", {})
        self._handler: DirectHandler | None = None
        self._fields: dict[bytes, bytes] = {}
        self._query = b""
        self._body = b""
        self._defaults: Headers = []
        self._default_lines = b""
        self._since_s: float | None = None
        """Since when its next bytes are waited for; None: from the end of this read on."""
        self._part = WHOLE
        self._head_bytes = 0
        self._body_bytes = 0
        self._read_bytes = 0
        self._is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected, and is waited for."""
        super().connection_made(transport)
        self._since_s = self.loop.time()
        self._look_again(self._look_s())

    def data_received(self, data: bytes) -> None:
        """Something has come: a request in most cases, which is whole."""
        if self._is_refused:
            return
        self._read_bytes = len(data)
        super().data_received(data)
        if self._part:
            self._note_part()

    def _note_part(self) -> None:
        """Not all of a request has come yet: how much is it, and how long does it take?"""
        if self._since_s is None:
            self._since_s = self.loop.time()
        if self._part != BODY:
            self._head_bytes += self._read_bytes
            if self._head_bytes > LARGEST_HEAD:
                self._refuse(HeadTooLarge())
            return
        self._body_bytes += self._read_bytes
        if self._body_bytes >= LEAST_BYTES:
            self._body_bytes = 0
            if self._handler is not None or self._is_in_hand():
                self._since_s = self.loop.time()

    def _is_in_hand(self) -> bool:
        """Whether somebody works on an answer."""
        return self.cycle is not None and not self.cycle.response_complete

    def on_message_begin(self) -> None:
        """A request begins; what only the application needs is made once it is known to be its."""
        self._part = HEAD
        self._head_bytes = 0
        self._since_s = None
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """The head has come: whose request is it?"""
        self._part = BODY
        self._since_s = None
        if self._head_bytes + self._read_bytes > LARGEST_HEAD and self._is_head_too_large():
            self._refuse(HeadTooLarge())
            raise HeadTooLarge  # which ends the parser
        path, _, self._query = self.url.partition(b"?")
        handler = self._routes.get((self.parser.get_method(), path))
        if handler is None:
            self._open_scope()
            return
        self._fields = dict(self.headers)
        if not self._is_plain():
            self._open_scope()
            return
        self._handler = handler
        self._body = b""

    def _is_head_too_large(self) -> bool:
        """Counted by the byte, where some of what came may be a body."""
        lines = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.url) + lines > LARGEST_HEAD

    def _open_scope(self) -> None:
        """Give the head to the application."""
        url, expects, headers = self.url, self.expect_100_continue, self.headers
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def _is_plain(self) -> bool:
        """Whether nothing about the head or the connection needs the server's own care."""
        return (
            not self._is_in_hand()
            and not self.expect_100_continue
            and self.parser.get_http_version() == "1.1"
            and not self.parser.should_upgrade()
            and len(self._fields) == len(self.headers)
        )

    def on_chunk_header(self) -> None:
        """A chunk of the body comes; behind the last one there may be headers again."""
        self._part = TRAILER
        self._head_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Some of the body has come."""
        self._part = BODY
        if self._handler is None:
            super().on_body(body)
            return
        self._body += body
        if len(self._body) > LONGEST_BODY:
            self._go_the_long_way()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._part = WHOLE
        self._read_bytes = 0  # the rest of this read is another's
        if self._handler is None:
            super().on_message_complete()
        elif not self._handled(self._handler):
            self._go_the_long_way()
            super().on_message_complete()
        self._handler = None

    def _handled(self, handler: DirectHandler) -> bool:
        before = self.cycle
        # Taken now: by the time of the answer they may be those of a pipelined request.
        request_id = request_id_of(self._fields.get(HEADER))
        cycle = DirectCycle(self, request_id, keep_alive=self.parser.should_keep_alive())
        self.cycle = cycle  # type: ignore[assignment]
        try:
            request = DirectRequest(self.headers, self._fields, self._query, self._body)
            handled = handler(request, cycle.answer)
        except Exception:
            log.exception("a direct handler crashed; the application answers what it did not")
            handled = cycle.response_complete
        if not handled:
            self.cycle = before
        return handled

    def _go_the_long_way(self) -> None:
        self._handler = None
        self._open_scope()
        if self._body:
            super().on_body(self._body)

    def send_answer(
        self, cycle: DirectCycle, status: int, header_lines: bytes, body: bytes
    ) -> None:
        """Write an answer in one go and make the connection ready for the next request."""
        if self.server_state.default_headers is not self._defaults:  # new ones each second
            self._defaults = self.server_state.default_headers
            self._default_lines = b"".join([b"%b: %b\r\n" % each for each in self._defaults])
        lines = [STATUS_LINE[status], self._default_lines]
        lines += (ALWAYS, cycle.request_id, b"\r\n", header_lines)
        if not cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        lines += (b"content-length: %d\r\n\r\n" % len(body), body)
        self.transport.write_now(b"".join(lines))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP."""
        self._refuse(InvalidRequest(msg))

    def _refuse(self, error: MarketplaceError) -> None:
        """Say why what comes on this connection is read no further, and end it."""
        if self._is_refused:
            return
        self._is_refused = True
        if self._is_in_hand():
            self.transport.close()  # to say it now would be to answer the request in hand
            return
        cycle = DirectCycle(self, request_id_of(None), keep_alive=True)
        cycle.answer(error.status, PROBLEM_LINES, error.problem_json())
        self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)

    def on_response_complete(self) -> None:
        """The connection is quiet, unless more requests wait on it."""
        self._since_s = self.loop.time()
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()

    def _unset_keepalive_if_required(self) -> None:
        """The timer stays: to end it and make another for each request costs more than to look."""

    def _look_s(self) -> float:
        return min(PATIENCE_S, self.timeout_keep_alive)

    def _look_again(self, after_s: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            after_s, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if it is waited for too long, else look again when it may be."""
        if self.flow.read_paused or (self._is_in_hand() and self._part in (WHOLE, HEAD)):
            self._since_s = None  # it waits for us
            self._look_again(self._look_s())
            return
        now_s = self.loop.time()
        if self._since_s is None:
            self._since_s = now_s
        is_quiet = self._part == WHOLE and self.cycle is not None
        most_s = self.timeout_keep_alive if is_quiet else PATIENCE_S
        left_s = self._since_s + most_s - now_s
        if left_s > 0:
            self._look_again(left_s)
        else:
            super().timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, and its timer with it."""
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
