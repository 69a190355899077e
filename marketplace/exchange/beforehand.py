"""Which page of a plugin comes before points are burnt for an offer of it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Final

from marketplace.contract.registering import BeforeBurn

log = logging.getLogger(__name__)

ANSWER_S: Final = 2.0
AT_ONCE: Final = 16
"""Questions that are being answered: a plugin that hangs keeps so many threads, and no page."""
_running: Final = threading.BoundedSemaphore(AT_ONCE)


async def page_before(
    asked: Mapping[str, BeforeBurn], slug: str, offer_reference: str, quantity: int
) -> str | None:
    """The path of the page, below the plugin's own; None where there is none, or no answer."""
    ask = asked.get(slug)
    if ask is None or not _running.acquire(blocking=False):
        return None
    answer: Future[str | None] = Future()

    def work() -> None:
        answer.set_running_or_notify_cancel()
        try:
            answer.set_result(ask(offer_reference, quantity))
        except BaseException as error:
            answer.set_exception(error)
        finally:
            _running.release()

    threading.Thread(target=work, name=f"before-burn-{slug}", daemon=True).start()
    try:
        path = await asyncio.wait_for(asyncio.wrap_future(answer), ANSWER_S)
    except Exception as error:
        log.error("plugin %s: what comes before a burn is not known: %r", slug, error)
        return None
    if path is not None and not path.startswith(f"/{slug}/"):
        log.error("plugin %s: %r is no page of it", slug, path)
        return None
    return path
