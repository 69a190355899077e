"""The hot path's shortcut: one address is answered before the framework routes.

Routing and middleware cost a burn a third of its time in the API process (figures in
docs/operations/performance.md). The handler is the same one that the application has as a route,
which describes it and states its Access; only the way to it is shorter.
"""

from __future__ import annotations

import logging

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from marketplace.errors import PROBLEM_MEDIA_TYPE, InternalError
from marketplace.web.request_id import HEADER, request_id

log = logging.getLogger(__name__)

ANSWER_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
"""Those of all answers that mean anything where no page is shown."""


class Shortcut:
    """An application that gives requests for `path` straight to `handler`."""

    def __init__(self, app: Litestar, path: str, handler: ASGIApp) -> None:
        self.app = app
        self._path = path
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        if scope["type"] != ScopeType.HTTP or scope["path"] != self._path:
            await self.app(scope, receive, send)
            return
        scope["litestar_app"] = self.app
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                own = (HEADER, request_id(scope).encode())
                message["headers"] = [*message["headers"], *ANSWER_HEADERS, own]
            await send(message)

        try:
            await self._handler(scope, receive, send_with_headers)
        except Exception:
            log.exception("request %s: %s crashed", request_id(scope), self._path)
            if started:
                raise
            await _apologise(scope, send_with_headers)


async def _apologise(scope: Scope, send: Send) -> None:
    problem = InternalError("Quote request_id when you report this.", request_id=request_id(scope))
    head = [(b"content-type", PROBLEM_MEDIA_TYPE.encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": head})
    await send({"type": "http.response.body", "body": problem.problem_json(), "more_body": False})
