"""The rail does what every rail must, with Stripe's double on the other side."""

from __future__ import annotations

from pathlib import Path

from marketplace.testing import RailConformance, Simulation


class TestStripe(RailConformance):
    """The kit's checks."""


class TestSimulation(Simulation):
    """Everything that `marketplace plugins check stripe` does."""

    target = Path(__file__).parents[1]
