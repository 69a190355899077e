"""How the simulator fills a pool. The gift fund's outside world is its own database."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import ClassVar

from marketplace.testing import Goods, Rehearsal, Trouble
from marketplace_giftfund import service

NO_OTHER = "codes lie in the plugin's own database, no other system is asked"


class GiftFundRehearsal(Rehearsal):
    """One pool for all scenarios, and a sku that no pool has."""

    without: ClassVar[Mapping[Trouble, str]] = {
        Trouble.PENDING: "a code is given at once or not at all; " + NO_OTHER,
        Trouble.PRICE: "codes are bought before they are uploaded; nobody asks a price",
        Trouble.MALFORMED: NO_OTHER,
        Trouble.PARTIAL: NO_OTHER,
    }
    sku = "REHEARSAL"

    def goods(self, units: int) -> Goods:
        """Upload so many new codes."""
        self.lab.offer(self.host.slug, self.sku)
        codes = [secrets.token_hex(8).upper() for _ in range(units)]
        service.upload(self.host, self.sku, "\n".join(["code", *codes]), actor="cli:rehearsal")
        return Goods(sku=self.sku, empty_sku="NEVER-FILLED")
