"""A remote partner does what every supplier must, through the wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketplace.testing import Simulation, SupplierConformance


class TestRemote(SupplierConformance):
    """The kit's checks, with the example service."""

    @pytest.fixture
    def empty_sku(self) -> str:
        return "never-filled"


class TestSimulation(Simulation):
    """Everything that `marketplace plugins check remote` does."""

    target = Path(__file__).parents[1]
