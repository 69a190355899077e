"""A clearing house, and a double of Stripe on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest
from marketplace_stripe.double.server import Double
from marketplace_stripe.rehearsal import settings_of

from marketplace.registry import service
from tests.factories import Coalition
from tests.settlement.clearing.house import ANNA, House


@pytest.fixture
def double() -> Iterator[Double]:
    """Stripe."""
    with Double() as made:
        yield made


@pytest.fixture
async def house(coalition: Coalition, double: Double) -> AsyncIterator[House]:
    """A clearing house whose rails are those of the plugins."""
    runtime = coalition.runtime
    async with runtime.database.begin() as session:
        given = msgspec.to_builtins(settings_of(double))
        await service.configure(session, runtime, "stripe", given, actor=ANNA)
    made = House(coalition)
    made.rails = dict(runtime.rails)
    yield made
    runtime.close_plugins()
