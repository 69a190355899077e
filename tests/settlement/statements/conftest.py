"""A month in which everything happened, closed."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
import pytest_asyncio
import sqlalchemy as sa

from marketplace.coalition.models import Contract
from marketplace.db import Database
from settlement.statements import service
from settlement.statements.service import Drawn
from tests.factories import Coalition
from tests.ledger.busy import make_busy
from tests.settlement.closing import close_window

RATES = {"alpha": 125, "shop": 333, "gamma": 50, "operator": 10}


@pytest_asyncio.fixture
async def month(coalition: Coalition, owner: Database) -> UUID:
    """A closed window with issues, captures, refunds, expiry, debts, and fees by contract."""
    async with owner.begin() as session:
        for name, bps in RATES.items():
            await session.execute(
                sa.update(Contract).where(Contract.reference == f"C-{name}").values(fee_bps=bps)
            )
    await make_busy(coalition)
    async with owner.begin() as session:
        await session.execute(
            sa.update(Contract).where(Contract.reference == "C-gamma").values(fee_bps=50)
        )
    return await close_window(owner)


Signed = Callable[..., Awaitable[bytes]]


async def draw(
    coalition: Coalition, member: str, *, window: UUID | None = None, settlement: str = ""
) -> tuple[Drawn, bytes, bytes]:
    """A statement as drawn up, its signed form and its table."""
    signed, table = io.BytesIO(), io.BytesIO()
    async with coalition.runtime.database.begin() as session:
        subject = (
            await service.of_window(session, window)
            if window
            else await service.of_settlement(session, settlement)
        )
        drawn = await service.draw_up(
            session,
            coalition.runtime.settings,
            subject,
            await service.reader_of(session, member),
            actor="test",
            signed=signed,
            table=table,
        )
    return drawn, signed.getvalue(), table.getvalue()


@pytest.fixture
def signed(coalition: Coalition) -> Signed:
    """`await signed("alpha", window=...)`: the signed form."""

    async def make(member: str, **subject: object) -> bytes:
        return (await draw(coalition, member, **subject))[1]  # type: ignore[arg-type]

    return make
