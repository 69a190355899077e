"""The gift fund does what every supplier must."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from marketplace_giftfund.plugin import marketplace_register_suppliers

from marketplace import api
from marketplace.testing import Lab, SupplierConformance


class TestGiftFund(SupplierConformance):
    """The kit's checks, with a pool of a thousand codes."""

    @pytest.fixture
    def supplier(self, host: api.Host) -> api.Supplier:
        return marketplace_register_suppliers(host)[0]

    @pytest.fixture
    def sku(self, lab: Lab, sku: str, fill: Callable[..., list[str]]) -> str:
        lab.offer("giftfund", sku)
        fill(sku, 1_000)
        return sku

    @pytest.fixture
    def empty_sku(self) -> str:
        return "never-filled"
