"""The vouchers pass every scenario of `marketplace plugins check` that they are about."""

from __future__ import annotations

from pathlib import Path

from marketplace.testing import Simulation


class TestCertificate(Simulation):
    """Their troubles are those of their own database; the others are excused, with reasons."""

    target = Path(__file__).parents[1]
