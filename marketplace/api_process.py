"""One API process: uvicorn on a socket that `marketplace serve` bound."""

from __future__ import annotations

import asyncio
import socket
import sys

import uvicorn

from marketplace import heap, open_files
from marketplace.tied import say_on, say_started
from marketplace.web.direct import DirectProtocol

KEEP_ALIVE_S = 75
STOP_WITHIN_S = 5
BACKLOG = 4096
"""Connections that wait to be taken: what Linux allows at most unless it is told otherwise."""


class ApiServer(uvicorn.Server):
    """uvicorn that, once started, keeps the garbage collector off everything made so far."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then freeze: modules and routes live as long as the process does."""
        await super().startup(sockets)
        heap.freeze()
        if self.started:
            say_started()
            self._saying = asyncio.create_task(say_on(lambda: self.should_exit), name="say on")


def run_api(fd: int) -> None:
    """Serve on the listening socket `fd` until told to stop; settings from the environment."""
    open_files.allow_many()
    config = uvicorn.Config(
        "marketplace.app:asgi",
        factory=True,
        http=DirectProtocol,
        loop="asyncio" if sys.platform == "win32" else "uvloop",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )
    server = ApiServer(config)
    server.run(sockets=[socket.socket(fileno=fd)])
    if not server.started:
        sys.exit(3)
