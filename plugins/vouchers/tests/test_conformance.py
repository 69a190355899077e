"""The vouchers do what every supplier must."""

from __future__ import annotations

import pytest
from marketplace_vouchers import series
from marketplace_vouchers.plugin import marketplace_register_suppliers
from marketplace_vouchers.schemas import NewSeries

from marketplace import api
from marketplace.testing import Lab, SupplierConformance


class TestVouchers(SupplierConformance):
    """The kit's checks, with a series of which any number is issued."""

    @pytest.fixture
    def supplier(self, host: api.Host) -> api.Supplier:
        return marketplace_register_suppliers(host)[0]

    @pytest.fixture
    def sku(self, lab: Lab, host: api.Host, sku: str) -> str:
        lab.offer("vouchers", sku)
        new = NewSeries(
            sku=sku, name="Spa", value_micros=75_000_000, currency="EUR", valid_days=365
        )
        series.make(host, lab.member("shop"), new, actor="cli:test")
        return sku

    @pytest.fixture
    def empty_sku(self) -> str:
        return "no-series"
