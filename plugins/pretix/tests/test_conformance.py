"""A partner's pretix does what every supplier must."""

from __future__ import annotations

from pathlib import Path

from marketplace.testing import Simulation, SupplierConformance


class TestPretix(SupplierConformance):
    """The kit's checks, with the double."""


class TestSimulation(Simulation):
    """Everything that `marketplace plugins check pretix` does."""

    target = Path(__file__).parents[1]
