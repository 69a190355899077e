"""The exposure rows of issuers whose contract has a cap, and what is carried beside windows.

A row holds what is held, what was captured and not refunded in windows that are not settled, and
what is carried: what a settled window left unpaid. Whoever settles windows changes rows here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.models import CarriedExposure
from marketplace.db import raw_connection
from marketplace.ledger.models import Exposure

EXPOSURE_LOCK: Final = 7_219_004_532
"""Advisory lock: shared by those who settle, alone by who gives members their first row."""

WITHOUT_ROW = """
select id from unnest($1::uuid[]) as m(id)
where not exists (select 1 from exposure where member_id = id)
"""

OPEN = """
insert into exposure (member_id, used_micros)
select m.id,
       coalesce(drawn.micros, 0) - coalesce(settled.micros, 0) + coalesce(carried.micros, 0)
from unnest($1::uuid[]) as m(id)
left join lateral (
    select sum(case d.kind when 'draw' then d.points else -d.points end * l.price_micros) as micros
    from draw d join lot l on l.wallet_id = d.wallet_id and l.id = d.lot_id
    where d.issuer_id = m.id
) drawn on true
left join lateral (
    select sum(o.funded_micros) as micros
    from obligation o join settlement_window w on w.id = o.window_id
    where o.issuer_id = m.id and o.kind in ('capture', 'refund') and w.status = 'settled'
) settled on true
left join lateral (
    select sum(c.micros) as micros from carried_exposure c where c.member_id = m.id
) carried on true
"""


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """Something unpaid begins to count against a cap, or, below zero, counts no more."""

    origin: str
    """What is not paid, in the words of whoever settles."""
    cause_id: UUID
    """What made it so; once for each origin."""
    member_id: UUID
    currency: str
    micros: int


async def open_exposures(session: AsyncSession, member_ids: Collection[UUID]) -> None:
    """Give each of these members an exposure row: what is held, and captured and not settled.

    A burn that is being written took a member without a row for uncapped; holding back all draws
    until this transaction ends keeps the sum right, and the burn's own check sees the new row.
    Whoever settles waits too, and then finds the new rows to change.
    """
    await session.flush()
    connection = await raw_connection(session)
    rows = await connection.fetch(WITHOUT_ROW, list(member_ids))
    if rows:
        await connection.execute("select pg_advisory_xact_lock($1)", EXPOSURE_LOCK)
        await connection.execute("select marketplace_lock_draws()")
        await connection.execute(OPEN, [row["id"] for row in rows])


async def hold_openings(session: AsyncSession) -> None:
    """Nobody gets a first exposure row before this transaction ends. Before windows are settled
    and before `change_exposures`, and before any exposure row is locked."""
    lock = sa.func.pg_advisory_xact_lock_shared(sa.cast(EXPOSURE_LOCK, sa.BigInteger))
    await session.execute(sa.select(lock))


async def change_exposures(
    session: AsyncSession,
    lower: Mapping[UUID, int],
    carried: Sequence[Carried] = (),
    *,
    also: Collection[UUID] = (),
) -> None:
    """Lower exposures by so many micros a member, and write down and add what is carried.

    `also`: members whose rows the caller changes after this. They are locked with the others, in
    one order, for two passes could wait for a burn that waits for them.
    """
    if carried:
        rows = [msgspec.structs.asdict(each) for each in carried]
        await session.execute(sa.insert(CarriedExposure), rows)
    less = Counter(lower)
    for each in carried:
        less[each.member_id] -= each.micros
    if also:
        changing = {*also, *(member_id for member_id in less if less[member_id])}
        await session.execute(
            sa.select(Exposure.member_id)
            .where(Exposure.member_id.in_(changing))
            .order_by(Exposure.member_id)
            .with_for_update()
        )
    # By id, as everybody locks them; members without a cap have no row.
    for member_id in sorted(less, key=str):
        if less[member_id]:
            await session.execute(
                sa.update(Exposure)
                .where(Exposure.member_id == member_id)
                .values(used_micros=Exposure.used_micros - less[member_id])
            )
