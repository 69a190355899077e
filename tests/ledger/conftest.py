"""Fixtures of the ledger tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.factories import Coalition
from tests.ledger.driver import Driver


@pytest_asyncio.fixture
async def drive(coalition: Coalition) -> AsyncIterator[Driver]:
    """The exchange, running."""
    async with Driver.start(coalition) as driver:
        yield driver
