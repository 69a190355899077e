"""One order, with all that is known of it before pretix is asked: pure, no I/O."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from marketplace import api
from marketplace_pretix import asking, words
from marketplace_pretix.asking import Asks, Bundled
from marketplace_pretix.repository import Sent
from marketplace_pretix.telling import State, Told

OUT_OF_SIGHT: Final = frozenset(("token", "event"))
"""Troubles of which pretix itself is asked: they may be over."""


class Job(msgspec.Struct, frozen=True):
    """One order, with what we know of it."""

    order: api.Order
    sent: Sent
    told: Told | None
    state: State | None

    def unfit(self) -> api.Lazy | None:
        """Why it must not be ordered so, in words for the participant; None where it may."""
        order, state = self.order, self.state
        asks = Asks() if state is None or order.sandbox else state.asks
        if not asks.fits(order.quantity):
            return words.TOO_FEW if order.quantity < asks.least else words.TOO_MANY
        if state is not None and state.trouble not in (None, *OUT_OF_SIGHT) and not order.sandbox:
            return words.NOT_SOLD
        if self.told is None:
            return words.NOT_TOLD if asks.must_be_told or order.selection else None
        if self.told.reference not in (None, order.reference):
            return words.USED
        told = (self.told.member_id, self.told.sku, self.told.quantity)
        if told != (order.acceptor_id, order.sku, order.quantity):
            return words.NOT_TOLD
        wrong = any(asking.problems(each, asks) for each in self.told.people)
        return words.NOT_TOLD if wrong else None

    def people(self) -> list[dict[str, Any]]:
        """What the positions of the order say about who comes."""
        if self.told is None or self.state is None:
            return []
        return [asking.position(each, self.state.asks) for each in self.told.people]

    @property
    def cart(self) -> str | None:
        """Where seats are held for it."""
        return None if self.told is None else self.told.cart

    @property
    def bundled(self) -> list[Bundled]:
        """What comes with each unit of it."""
        return [] if self.state is None else self.state.asks.bundled
