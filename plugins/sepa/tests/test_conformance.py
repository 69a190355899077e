"""SEPA passes what every rail must that makes files."""

from __future__ import annotations

from marketplace.testing import FileRailConformance


class TestSepa(FileRailConformance):
    """With the fixtures of conftest.py."""
