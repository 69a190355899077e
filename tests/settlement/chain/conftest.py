"""A clearing house over the small coalition."""

from __future__ import annotations

import pytest

from tests.factories import Coalition
from tests.settlement.clearing.house import House


@pytest.fixture
def house(coalition: Coalition) -> House:
    """Steps of finance."""
    return House(coalition)
