"""Which page of a plugin comes before points are burnt for an offer of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Final

from marketplace.asides import Asides
from marketplace.contract.registering import BeforeBurn

log = logging.getLogger(__name__)

ANSWER_S: Final = 2.0


class Beforehand:
    """Those of one process, by plugin."""

    def __init__(self, asked: Mapping[str, BeforeBurn]) -> None:
        self._asked = asked
        self._asides = Asides("the page before a burn")

    async def page(self, slug: str, offer_reference: str, quantity: int) -> str | None:
        """The path of the page, below the plugin's own; None where there is none, or no answer."""
        ask = self._asked.get(slug)
        if ask is None:
            return None
        path = await self._asides.ask(slug, partial(ask, offer_reference, quantity), ANSWER_S)
        if path is not None and not path.startswith(f"/{slug}/"):
            log.error("plugin %s: %r is no page of it", slug, path)
            return None
        return path
