"""The box office does what every supplier must."""

from __future__ import annotations

import pytest
from marketplace_conference.plugin import marketplace_register_suppliers
from marketplace_conference.schemas import NewCategory

from marketplace import api
from marketplace.testing import Lab, SupplierConformance

from .conftest import Hall


class TestBoxOffice(SupplierConformance):
    """The kit's checks, with an event that has places for all of them."""

    @pytest.fixture
    def supplier(self, host: api.Host) -> api.Supplier:
        return marketplace_register_suppliers(host)[0]

    @pytest.fixture
    def sku(self, hall: Hall) -> str:
        stand = NewCategory(
            sku=hall.stand, name="Stand", session="day", quota="floor", most_at_once=1_000
        )
        hall.put(quotas={"floor": 5_000}, categories=[stand])
        return hall.stand

    @pytest.fixture
    def empty_sku(self, lab: Lab, hall: Hall) -> str:
        return "no-such-event"
