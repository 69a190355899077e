"""One life, told step by step, that goes where random lives rarely go; and planted faults in it.

The oracle agrees all the way. With a fault planted in the product it does not: it can fail.
"""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest
import sqlalchemy as sa

from marketplace.db import Database
from settlement.clearing import netting
from settlement.clearing import service as clearing
from settlement.disputes import contras
from tests.conftest import FreshDatabase
from tests.ledger.driver import Driver
from tests.settlement.chain.machine import Chain
from tests.settlement.chain.naive import Terms

TERMS = [
    Terms("EUR", 7_001, "redemption", 5_000, "operator", 0),
    Terms("EUR", 8_333, "redemption", 5_000, "issuer", 33),
    Terms("EUR", 9_999, "redemption", 5_000, "shared", 150),
]
REACHED = {
    "left lines out",
    "took lines in again",
    "a line of a settled window was rejected",
    "a line of a settled window was upheld",
    "settled to the end",
    "refunded",
    "a refund of an undone line was undone",
    "money came back of a settlement that was settled",
    "a default after a leg was returned",
}


def live(fresh_database: FreshDatabase) -> Counter[str]:
    """The life; what it reached, and how often."""
    life = type("Life", (Chain,), {"fresh_database": staticmethod(fresh_database)})()
    try:
        _live(life)
    finally:
        life.leave()
    reached: Counter[str] = life.reached
    return reached


def _live(life: Chain) -> None:
    life.start(TERMS)
    burn = life.ask("ann", "m2", "EUR", 200, 1_234_567)
    assert burn is not None
    life.deliver(burn)
    life.close()
    ours, theirs = [each for each in life.disputable() if each.payer != "m2"]
    life.object(ours, ours.payer)
    life.object(theirs, theirs.payer)
    first = life.draft(1)
    life.to_the_end(first)
    life.prove()
    life.contra(burn, 10)
    life.end(ours, "rejected")
    life.end(theirs, "upheld")
    # Half of it from the lot whose line was undone just now.
    life.contra(burn, 100)
    life.pass_of_clock()
    life.contra(burn, 10)
    life.close()
    life.to_the_end(life.draft(1))
    life.prove()
    debtor = next(leg for leg in first.legs if leg.paid < 0)
    life.come_back(first, debtor)
    made = life.cover(first, debtor, by_creditors=False)
    if made is not None:
        life.to_the_end(made)
    life.prove()
    life.wind_up()


def rounded_up(base: int, bps: int) -> int:
    """A fee of a part of a micro is a micro."""
    return -(-base * bps // 10_000)


async def nothing_frozen(*_: object) -> list[object]:
    """A line under dispute is settled all the same."""
    return []


async def nothing_standing(*_: object) -> list[object]:
    """What takes an undone line back once more is left as it is."""
    return []


async def into_the_old_window(self: Driver, wallet: str, burn_id: UUID, points: int) -> None:
    """A refund is dated back to where its burn was."""
    await REFUND(self, wallet, burn_id, points)
    url = self.coalition.runtime.settings.database_url
    assert url
    owner = Database(url, role=None, pool_size=0)
    async with owner.begin() as session:
        await session.execute(sa.text("set local session_replication_role = replica"))
        await session.execute(sa.text(BACK))
    await owner.close()


REFUND = Driver.refund
BACK = """
update obligation o set window_id = c.window_id
from obligation c where o.kind = 'refund' and c.kind = 'capture' and c.burn_id = o.burn_id
"""
FAULTS = {
    "fees are rounded up": (netting, "share", rounded_up, "look_at"),
    "a frozen line is counted": (clearing, "frozen", nothing_frozen, "look_at"),
    "an undone line is undone again": (contras, "standing", nothing_standing, "take_rows"),
    "a contra in the old window": (Driver, "refund", into_the_old_window, "take_rows"),
}
"""What is put in the place of what, and which comparison of the oracle notices."""


def test_the_oracle_agrees_where_random_lives_rarely_go(fresh_database: FreshDatabase) -> None:
    assert live(fresh_database).keys() >= REACHED


@pytest.mark.parametrize("fault", FAULTS)
def test_the_oracle_notices(
    fresh_database: FreshDatabase, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, name, wrong, noticing = FAULTS[fault]
    monkeypatch.setattr(where, name, wrong)
    with pytest.raises(AssertionError) as noticed:
        live(fresh_database)
    assert noticing in {entry.name for entry in noticed.traceback}
