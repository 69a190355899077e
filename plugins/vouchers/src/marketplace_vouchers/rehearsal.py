"""How the simulator orders vouchers. The plugin's outside world is its own database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from marketplace.testing import Goods, Rehearsal, Trouble
from marketplace_vouchers import series
from marketplace_vouchers.schemas import NewSeries

NO_OTHER = "vouchers are made in the plugin's own database, no other system is asked"


class VoucherRehearsal(Rehearsal):
    """One series for all scenarios, and a sku that has none."""

    without: ClassVar[Mapping[Trouble, str]] = {
        Trouble.PENDING: "a voucher is issued at once or not at all; " + NO_OTHER,
        Trouble.PRICE: "the owner issues its own vouchers; nobody asks a price",
        Trouble.MALFORMED: NO_OTHER,
        Trouble.PARTIAL: NO_OTHER,
    }
    sku = "REHEARSAL"

    def goods(self, units: int) -> Goods:
        """A series of which any number can be issued."""
        self.lab.offer(self.host.slug, self.sku)
        new = NewSeries(
            sku=self.sku,
            name="Rehearsal",
            value_micros=25_000_000,
            currency="EUR",
            valid_days=30,
        )
        series.make(self.host, self.lab.member("shop"), new, actor="cli:rehearsal")
        return Goods(sku=self.sku, empty_sku="NO-SERIES")
