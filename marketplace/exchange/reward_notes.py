"""What plugins say of their delivered rewards, where these do not stand as they were delivered."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Final

from marketplace.asides import Asides
from marketplace.contract.registering import RewardNote
from marketplace.web.i18n import Lazy

log = logging.getLogger(__name__)

ANSWER_S: Final = 2.0


class RewardNotes:
    """Those of one process, by plugin."""

    def __init__(self, asked: Mapping[str, RewardNote]) -> None:
        self._asked = asked
        self._asides = Asides("the note of a reward")

    async def of(self, slug: str, reference: str) -> Lazy | None:
        """What is said of a reward; None where nothing is, or there is no answer."""
        ask = self._asked.get(slug)
        if ask is None:
            return None
        note = await self._asides.ask(slug, partial(ask, reference), ANSWER_S)
        if note is not None and not isinstance(note, Lazy):
            log.error("plugin %s: %r is no note of a reward", slug, note)
            return None
        return note
