"""Sending to the broker within a time: one that is connected but silent holds nobody up."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

SEND_S = 15.0
"""The longest that sending one message may take."""

GiveUp = Callable[[], None]
"""Closes the connections on which somebody may be waiting; the next send makes a new one."""


def keep_all() -> None:
    """Close nothing: there are no connections."""


async def in_time(give_up: GiveUp, send: Callable[..., None], *given: Any) -> None:
    """Call `send` on a thread; TimeoutError where it takes longer than SEND_S.

    Its connection is given up then. What it may send all the same comes twice, which is harmless.
    """
    try:
        await asyncio.wait_for(asyncio.to_thread(send, *given), SEND_S)
    except TimeoutError:
        # A thread of its own, for closing may take its time too and nobody waits for it.
        threading.Thread(target=_close, args=(give_up,), name="give up", daemon=True).start()
        raise


def _close(give_up: GiveUp) -> None:
    try:
        give_up()
    except Exception as error:
        log.warning("closing a silent connection failed (%s)", type(error).__name__)
