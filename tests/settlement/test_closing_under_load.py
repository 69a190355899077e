"""Windows are closed without a pause while money moves: nothing is lost or counted twice."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from marketplace.coalition.domain import Breakage, ContractRole, Funding
from marketplace.host import PluginHost
from marketplace.ids import uuid7
from marketplace.ledger.totals import roll
from settlement.errors import StatusChanged
from settlement.windows.closing import close_window
from settlement.windows.service import Closed
from tests.factories import Coalition, days
from tests.ledger.driver import Driver
from tests.settlement.test_windows import assert_right, close, sums_of, totals_of

PEOPLE = 6
BURNS = 12
DEBTS = 40
MONEY = ("capture", "refund", "issuance", "expiry", "debt")


class Load:
    """Everybody who posts money, and those who close windows under their hands."""

    def __init__(self, coalition: Coalition, drive: Driver) -> None:
        self.coalition = coalition
        self.database = coalition.runtime.database
        self.drive = drive
        self.closed: list[Closed] = []
        self.stopping = False

    async def deliver(self, name: str, burns: list[UUID]) -> None:
        for number, burn in enumerate(burns):
            await self.drive.capture(name, burn)
            if number % 2:
                await self.drive.refund(name, burn, 3)
                await self.drive.refund(name, burn)

    async def issue(self, name: str) -> None:
        for _ in range(BURNS):
            await self.coalition.issue(name, 7, issuer="gamma")

    async def expire(self) -> None:
        while not self.stopping:
            await self.drive.expire()
            await asyncio.sleep(0.02)

    def owe(self, shop: str) -> None:
        host = PluginHost(
            "till", lambda: self.coalition.runtime.database, lambda: self.coalition.runtime.vault
        )
        members = self.coalition.members
        for number in range(DEBTS):
            with host.transaction() as session:
                host.owe(
                    session,
                    debtor_id=members[shop],
                    creditor_id=members["alpha"],
                    amount_micros=1 + number,
                    currency="EUR",
                    reference=f"{shop}-{number}",
                    reason="voucher",
                )

    async def close(self) -> None:
        while not self.stopping:
            try:
                await close_window(self.database.begin, self.closed.append, actor="test")
            except StatusChanged:
                continue

    async def roll(self) -> None:
        while not self.stopping:
            async with self.database.begin() as session:
                await roll(session)
            await asyncio.sleep(0.01)

    async def sit(self) -> None:
        """A transaction that writes something else, and takes its time."""
        while not self.stopping:
            async with self.database.begin() as session:
                await session.execute(sa.text("select pg_current_xact_id()"))
                await asyncio.sleep(0.3)

    async def run(self, burns: dict[str, list[UUID]]) -> None:
        """All of it at once, until the money has moved."""
        background: list[Coroutine[Any, Any, None]] = [
            self.close(),
            self.close(),
            self.roll(),
            self.sit(),
            self.expire(),
        ]
        _ = self.database.sync_engine  # made here, once, before two threads ask for it
        tasks = [asyncio.create_task(each) for each in background]
        await asyncio.gather(
            *(self.deliver(name, mine) for name, mine in burns.items()),
            self.issue("ann"),
            asyncio.to_thread(self.owe, "shop"),
            asyncio.to_thread(self.owe, "tickets"),
        )
        self.stopping = True
        await asyncio.gather(*tasks)


async def held_burns(coalition: Coalition, drive: Driver) -> dict[str, list[UUID]]:
    """People with burns to be delivered, of points that are funded one way and the other; and
    points that expire meanwhile.
    """
    await coalition.add_member(
        "gamma", role=ContractRole.BOTH, funding=Funding.ISSUANCE, breakage=Breakage.SHARED
    )
    await coalition.add_offer("pen", acceptor="tickets", points=10, cost_micros=70_001)
    burns: dict[str, list[UUID]] = {}
    for number in range(PEOPLE):
        name = f"person-{number}"
        await coalition.add_participant(name, firm="acme")
        await coalition.issue(name, 55, issuer="gamma")
        await coalition.issue(name, 100, issuer="alpha")
        burns[name] = [await drive.burn(name, "pen") for _ in range(BURNS)]
    soon = (await drive.later(days(0))) + days(1)
    for _ in range(5):
        await coalition.issue("bob", 9, issuer="gamma", reference=str(uuid7()), expires_at=soon)
    await drive.later(days(2))
    return burns


async def test_closing_without_a_pause_loses_nothing(coalition: Coalition) -> None:
    database = coalition.runtime.database
    async with Driver.start(coalition) as drive:
        burns = await held_burns(coalition, drive)
        load = Load(coalition, drive)
        await load.run(burns)
    await close(database)
    found = await sums_of(database)
    assert await totals_of(database) == found
    assert await totals_of(database, fresh=True) == found
    await assert_right(database)
    by_kind = dict.fromkeys(MONEY, 0)
    for (_, kind), row in found.items():
        by_kind[str(kind)] += row[0]
    assert by_kind["debt"] == 2 * DEBTS
    assert by_kind["capture"] >= PEOPLE * BURNS
    assert all(by_kind.values())
    # It was not one window that took it all.
    assert sum(not each.settled for each in load.closed) > 5
    assert len({each.window_id for each in load.closed}) == len(load.closed)
