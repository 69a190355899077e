"""How the simulator plays a partner's service: the example, on this machine."""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

from marketplace import api
from marketplace.testing import Goods, Lab, Rehearsal, Trouble
from marketplace_remote.example.service import Mischief, Service
from marketplace_remote.settings import RemoteSettings

SKU = "REHEARSAL"
PLAYED: Mapping[Trouble, Mischief] = {
    Trouble.LOST_ANSWER: Mischief.LOST,
    Trouble.SLOW: Mischief.SLOW,
    Trouble.DOWN: Mischief.DOWN,
    Trouble.PENDING: Mischief.LATER,
    Trouble.MALFORMED: Mischief.MALFORMED,
    Trouble.PARTIAL: Mischief.PARTIAL,
}


class RemoteRehearsal(Rehearsal):
    """A partner whose service has every trouble there is."""

    without: ClassVar[Mapping[Trouble, str]] = {}

    def __init__(self, lab: Lab, host: api.Host, supplier: api.Supplier) -> None:
        super().__init__(lab, host, supplier)
        ours, theirs = api.new_signing_key(), api.new_signing_key()
        self.service = Service([ours], [theirs]).start()
        atexit.register(self.service.stop)
        lab.enable(
            host.slug,
            "shop",
            RemoteSettings(url=self.service.url, our_key=ours, your_key=theirs),
        )

    def goods(self, units: int) -> Goods:
        """So many units more in the partner's stock."""
        self.service.shop.fill(SKU, units)
        return Goods(sku=SKU, empty_sku="NEVER-FILLED")

    @contextmanager
    def trouble(self, trouble: Trouble) -> Iterator[None]:
        """The service misbehaves, or asks more than is paid."""
        shop = self.service.shop
        if trouble is Trouble.PRICE:
            shop.price_micros[SKU] = 10**12
        else:
            self.service.mischief = PLAYED[trouble]
        try:
            yield
        finally:
            shop.price_micros.pop(SKU, None)
            self.service.mischief = Mischief.NONE
            shop.deliver_waiting()

    def delivered(self, reference: str) -> int | None:
        """How often the partner delivered an order."""
        return self.service.shop.deliveries.get(reference, 0)
