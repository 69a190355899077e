"""What a room of ours carries out for somebody, and amounts of single points."""

from __future__ import annotations

from msgspec.structs import replace

from marketplace.exchange.engine import BurnEngine
from marketplace.identity.domain import Principal
from marketplace.ids import uuid7
from tests.exchange.conftest import Ask, code
from tests.factories import Coalition


async def test_a_standing_order_needs_no_live_credential(
    coalition: Coalition, engine: BurnEngine, ask: Ask, operator: Principal
) -> None:
    await coalition.issue("ann", 2_000)
    gone = replace(operator, credential_id=uuid7())
    refused = await engine.submit(ask("ann", principal=gone, key="one"))
    held = await engine.submit(ask("ann", principal=replace(gone, standing=True), key="two"))
    assert (code(refused), code(held)) == ("not_authenticated", "held")


async def test_an_amount_of_points_may_be_large_and_pieces_may_not(
    coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await coalition.issue("ann", 9_000_000)
    await coalition.add_offer("point", acceptor="shop", points=1, cost_micros=7_000)
    await coalition.add_offer("pair", acceptor="shop", points=2, cost_micros=7_000)
    amount = await engine.submit(ask("ann", "point", quantity=5_000_000))
    pieces = await engine.submit(ask("ann", "pair", quantity=1_001))
    assert (code(amount), code(pieces)) == ("held", "limit_reached")
