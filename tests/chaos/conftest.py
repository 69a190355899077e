"""Fixtures of the tests of the harness."""

from __future__ import annotations

from tests.ledger.conftest import drive  # noqa: F401 - a fixture
