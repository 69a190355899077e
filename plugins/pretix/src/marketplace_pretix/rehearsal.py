"""How the simulator plays a partner's pretix: the double, on this machine."""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

from marketplace import api
from marketplace.testing import Goods, Lab, Rehearsal, Trouble
from marketplace_pretix.double.server import Double, Mischief
from marketplace_pretix.settings import PretixSettings
from marketplace_pretix.supplier import PretixSupplier

PLAYED: Mapping[Trouble, Mischief] = {
    Trouble.LOST_ANSWER: Mischief.LOST,
    Trouble.SLOW: Mischief.SLOW,
    Trouble.DOWN: Mischief.DOWN,
    Trouble.MALFORMED: Mischief.MALFORMED,
    Trouble.PARTIAL: Mischief.ONE_ONLY,
}


class PretixRehearsal(Rehearsal):
    """A pretix with every trouble that one can have."""

    without: ClassVar[Mapping[Trouble, str]] = {
        Trouble.PENDING: "an order that pretix has taken as paid is a ticket at once",
        Trouble.PRICE: "orders come with their price, which is nothing: pretix asks for none",
    }

    def __init__(self, lab: Lab, host: api.Host, supplier: api.Supplier) -> None:
        super().__init__(lab, host, supplier)
        self.double = Double().start()
        atexit.register(self.double.stop)
        self.item = self.double.world.add(0)
        lab.enable(host.slug, "shop", settings_of(self.double))
        if isinstance(supplier, PretixSupplier):
            # What the double has not taken when its connection closes, it never takes.
            supplier.settle_s = 1.0

    def goods(self, units: int) -> Goods:
        """So many tickets more."""
        world = self.double.world
        with world.lock:
            world.sizes[self.item] = (world.sizes[self.item] or 0) + units
        return Goods(sku=f"{world.event}/{self.item}", empty_sku=f"{world.event}/999")

    @contextmanager
    def trouble(self, trouble: Trouble) -> Iterator[None]:
        """The server misbehaves."""
        self.double.taken = 0
        self.double.mischief = PLAYED[trouble]
        try:
            yield
        finally:
            self.double.mischief = Mischief.NONE

    def delivered(self, reference: str) -> int | None:
        """How many orders pretix made of it."""
        return self.double.world.created.get(reference, 0)


def settings_of(double: Double) -> PretixSettings:
    """What a member would say about the double."""
    return PretixSettings(
        url=double.url, organizer=double.world.organizer, token=double.world.token
    )
