"""The clearing house as its people use it, one step at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from marketplace.ids import uuid7
from marketplace.ledger.domain import Finding
from marketplace.ledger.models import Exposure, SettlementWindow
from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime
from settlement.clearing import accounts, books, checks, driving, legs, repository, service
from settlement.clearing.domain import AccountKind, LegStatus
from settlement.clearing.models import Settlement, SettlementLeg
from settlement.windows import service as windows
from tests.factories import Coalition
from tests.settlement.clearing.fakes import FakeBank, FakeFileRail

ANNA, BORIS = "person:anna", "person:boris"
BANK = UUID(int=77)
"""The clearing house's bank account."""
BOOKED_ON = date(2026, 1, 5)


class House:
    """Steps of finance. Anna records, Boris approves."""

    def __init__(self, coalition: Coalition) -> None:
        self.coalition = coalition
        self.runtime: Runtime = coalition.runtime
        self.paper, self.online = FakeFileRail(), FakeBank()
        self.rails: dict[str, Any] = {"paper": self.paper, "online": self.online}

    async def close_window(self) -> UUID:
        """Close the window that is open; another opens."""
        async with self.runtime.database.begin() as session:
            return (await windows.close(session, actor=ANNA)).window_id

    async def window(self, window_id: UUID) -> str:
        """The status of a window."""
        async with self.runtime.database.begin() as session:
            return (await session.get_one(SettlementWindow, window_id)).status.value

    async def draft(self, **options: Any) -> Settlement:
        """Net every closed window."""
        async with self.runtime.database.begin() as session:
            return await service.draft(session, actor=ANNA, **options)

    async def record(self, settlement: Settlement, actor: str = ANNA) -> None:
        """Vouch for it."""
        async with self.runtime.database.begin() as session:
            await service.record(session, settlement.id, actor=actor)

    async def approve(self, settlement: Settlement, actor: str = BORIS) -> None:
        """Vouch for it too."""
        async with self.runtime.database.begin() as session:
            await service.approve(session, settlement.id, actor=actor)

    async def abort(self, settlement: Settlement) -> None:
        """Undo it."""
        async with self.runtime.database.begin() as session:
            await service.abort(session, settlement.id, actor=ANNA, note="a test")

    async def submit(self, settlement: Settlement, **options: Any) -> None:
        """Send it off."""
        async with self.runtime.database.begin() as session:
            await service.submit(session, settlement.id, actor=ANNA, **options)

    async def approved(self, **options: Any) -> Settlement:
        """A settlement of all closed windows that two people vouch for."""
        made = await self.draft(**options)
        await self.record(made)
        await self.approve(made)
        return made

    async def drive(self) -> driving.Driven:
        """One pass of the worker; whatever waits for a look-up is due."""
        async with self.runtime.database.begin() as session:
            await session.execute(
                sa.update(SettlementLeg)
                .where(SettlementLeg.due_at.is_not(None))
                .values(due_at=sa.func.clock_timestamp())
            )
        return await driving.drive(self.runtime.database, self.rails)

    async def accounts(self, rail: str, *names: str, currency: str = "EUR") -> None:
        """Approved accounts of these members, of all without names."""
        async with self.runtime.database.begin() as session:
            for name in names or self.coalition.members:
                made = await accounts.propose(
                    session,
                    member_id=self.coalition.members[name],
                    currency=currency,
                    rail=rail,
                    account={"number": f"{name}-7"},
                    actor=ANNA,
                )
                await accounts.approve(session, made.id, actor=BORIS)

    async def legs(self, settlement: Settlement) -> dict[str, SettlementLeg]:
        """Legs by the slug of their member (bilaterally `debtor>creditor`; again: `slug-R1`)."""
        slugs = {member_id: slug for slug, member_id in self.coalition.members.items()}
        async with self.runtime.database.begin() as session:
            found = await repository.legs(session, settlement.id)
        named = {}
        for leg in found:
            name = slugs[leg.member_id]
            if leg.counterparty_id:
                name += f">{slugs[leg.counterparty_id]}"
            if "-R" in leg.reference:
                name += leg.reference[leg.reference.rindex("-R") :]
            named[name] = leg
        return named

    async def book(self, leg: SettlementLeg) -> None:
        """The bank shows the money of a leg."""
        async with self.runtime.database.begin() as session:
            await legs.book(
                session,
                leg.id,
                booked_on=BOOKED_ON,
                entry_id=uuid7(),
                bank_account_id=BANK,
                actor="bank",
            )

    async def book_all(self, settlement: Settlement) -> None:
        """The bank shows everything that it has been sent."""
        for leg in (await self.legs(settlement)).values():
            if leg.status is LegStatus.SUBMITTED:
                await self.book(leg)

    async def status(self, settlement: Settlement) -> str:
        """How far it has come."""
        async with self.runtime.database.begin() as session:
            return (await repository.find(session, settlement.id)).status.value

    async def exposure(self, name: str) -> tuple[int, int]:
        """What a capped member uses, and what it has paid ahead as its cap knows it."""
        async with self.runtime.database.begin() as session:
            row = await session.get_one(Exposure, self.coalition.members[name])
            return row.used_micros, row.prefunded_micros

    async def balances(self) -> dict[AccountKind, int]:
        """What the books hold, by kind of account."""
        sums: dict[AccountKind, int] = {}
        async with self.runtime.database.begin() as session:
            for each in await books.balances(session):
                sums[each.account] = sums.get(each.account, 0) + each.balance_micros
        return {account: micros for account, micros in sums.items() if micros}

    async def findings(self) -> Sequence[Finding]:
        """What is wrong with the ledger and the books: nothing."""
        async with self.runtime.database.begin() as session:
            return await verify(session) + await _own(self.runtime)


async def _own(runtime: Runtime) -> list[Finding]:
    async with runtime.database.begin() as session:
        return await verify(session, checks=checks.CHECKS)
