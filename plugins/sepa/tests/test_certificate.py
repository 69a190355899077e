"""SEPA passes every scenario of `marketplace plugins check` that it is about."""

from __future__ import annotations

from pathlib import Path

from marketplace.testing import Simulation


class TestCertificate(Simulation):
    """Its bank is files only: it has no trouble to play."""

    target = Path(__file__).parents[1]
