"""A cap on an issuer that was uncapped starts from what it owes already."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from marketplace.coalition.domain import ContractRole
from marketplace.ids import next_key, uuid7
from marketplace.ledger.domain import DrawKind
from marketplace.ledger.models import Draw, Exposure, Lot
from tests.coalition.files import load
from tests.factories import PRICE_MICROS, Coalition

CAPPED = "{reference},{member},both,redemption,EUR,0.008,,,{cap},,{valid}"


async def exposures(coalition: Coalition) -> dict[UUID, int]:
    """Used micros by member."""
    async with coalition.runtime.database.begin() as session:
        rows = await session.execute(sa.select(Exposure.member_id, Exposure.used_micros))
        return {row.member_id: row.used_micros for row in rows}


async def draw(coalition: Coalition, lot: Lot, points: int, kind: DrawKind) -> None:
    """What the burn engine and its undoing leave behind."""
    values: dict[str, Any] = {
        "wallet_id": lot.wallet_id,
        "burn_id": uuid7(),
        "id": next_key(),
        "lot_id": lot.id,
        "issuer_id": lot.issuer_id,
        "kind": kind,
        "position": 0,
        "points": points,
        "effective_at": datetime.now(UTC),
    }
    async with coalition.runtime.database.begin() as session:
        await session.execute(sa.insert(Draw).values(values))


async def test_a_first_cap_counts_what_was_burnt_before(coalition: Coalition) -> None:
    ends = datetime(2030, 1, 1, tzinfo=UTC)
    gamma = await coalition.add_member("gamma", role=ContractRole.ISSUER, valid_to=ends)
    await coalition.issue("ann", 1_000, issuer="gamma")
    async with coalition.runtime.database.begin() as session:
        lot = (await session.scalars(sa.select(Lot).where(Lot.issuer_id == gamma))).one()
    await draw(coalition, lot, 300, DrawKind.DRAW)
    await draw(coalition, lot, 100, DrawKind.RESTORE)
    assert await exposures(coalition) == {}

    later = CAPPED.format(reference="G2", member="gamma", cap="50", valid="2030-01-01,2031-01-01")
    assert (await load(coalition.runtime, "contracts", later, dry_run=True)).new == 1
    assert await exposures(coalition) == {}
    assert (await load(coalition.runtime, "contracts", later)).new == 1
    assert await exposures(coalition) == {gamma: 200 * PRICE_MICROS}

    more = CAPPED.format(reference="G3", member="gamma", cap="70", valid="2031-01-01,")
    assert (await load(coalition.runtime, "contracts", later, more)).new == 1
    assert await exposures(coalition) == {gamma: 200 * PRICE_MICROS}


async def test_a_new_member_starts_at_zero_and_uncapped_ones_have_no_row(
    coalition: Coalition,
) -> None:
    await load(coalition.runtime, "members", "fresh,Fresh,DE,", "free,Free,DE,")
    lines = [
        CAPPED.format(reference="F1", member="fresh", cap="0", valid="2020-01-01,"),
        CAPPED.format(reference="F2", member="free", cap="", valid="2020-01-01,"),
    ]
    assert (await load(coalition.runtime, "contracts", *lines)).new == 2
    assert list((await exposures(coalition)).values()) == [0]
