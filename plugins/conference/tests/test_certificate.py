"""The box office passes every scenario of `marketplace plugins check` that it is about."""

from __future__ import annotations

from pathlib import Path

from marketplace.testing import Simulation


class TestCertificate(Simulation):
    """Its troubles are those of its own database; the others are excused, with reasons."""

    target = Path(__file__).parents[1]
