"""Running totals of settlement windows: counted in the background, exact behind a watermark.

Every obligation and debt knows the number of the transaction that wrote it. Transactions below the
oldest one that still runs are over, so what they wrote is counted once and for all, and the
watermark moves up to there. The rest of a window is counted when it is closed: then nothing can be
added to it any more, whatever else is running. One at a time counts: it locks the mark. Locks are
taken in one order: windows, then the mark.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.domain import Funding
from marketplace.errors import UsageError
from marketplace.ledger.domain import ObligationKind
from marketplace.ledger.models import TOTAL_KEY
from marketplace.ledger.windows import insist

DEBT: Final = "debt"
"""`Total.kind` of money that members owe each other outside burns."""
KINDS: Final[dict[str, ObligationKind | Literal["debt"]]] = {
    DEBT: DEBT,
    **{kind.value: kind for kind in ObligationKind},
}
FUNDINGS: Final[dict[str | None, Funding | None]] = {
    None: None,
    **{funding.value: funding for funding in Funding},
}
END: Final = 2**62
"""Above the number of every transaction."""


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one window that have all this in common, summed. Micros of `currency`."""

    window_id: UUID
    currency: str
    kind: ObligationKind | Literal["debt"]
    funding: Funding | None
    """None for debts."""
    issuer_id: UUID
    """Of a debt: the debtor."""
    acceptor_id: UUID | None
    """Who `cost_micros` goes to; of a debt the creditor."""
    contract_id: UUID | None
    """The issuer's, of the lots; None for debts."""
    acceptor_contract_id: UUID | None
    """The acceptor's; None where nobody's terms matter."""
    count: int
    points: int
    funded_micros: int
    cost_micros: int
    """Of a debt both are its amount."""
    first_txid: int
    last_txid: int
    """The rows are among those of these transactions."""


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """How far the totals are behind."""

    rows: int
    """Committed obligations and debts that are in no total yet."""
    rolled_at: datetime
    """Real time of the last count."""


_KEY: Final = ", ".join(TOTAL_KEY)
_SUMS: Final = "count, points, funded_micros, cost_micros"

# Obligations and debts, alike.
LINES: Final = """
select window_id, currency::text as currency, kind::text as kind, funding, issuer_id, acceptor_id,
       contract_id, acceptor_contract_id, points, funded_micros, cost_micros, txid, posted_at
from obligation
union all
select window_id, currency::text, 'debt', null, debtor_id, creditor_id, null, null, 0,
       amount_micros, amount_micros, txid, posted_at
from member_debt
"""

# What is in no total yet. Both bounds are there for the planner too: with one it thinks of a third
# of the table. Nearly all rows are younger than the last count from scratch: an index of that finds
# the whole table, so it is kept from being used. Windows are an array, read once: joined, they have
# the rows read once for each, and two are there while one is closed.
UNCOUNTED: Final = """
l.txid >= :start and l.txid < :stop
and l.posted_at + interval '0' > (select rebuilt_at from window_total_mark)
and l.window_id = any(array(
    select id from settlement_window where status in ('open', 'closing')))
"""


def summed(where: str) -> str:
    """SQL that sums the lines which meet a condition, by what totals have in common."""
    return f"""
select {_KEY}, count(*) as count, sum(points)::numeric as points,
       sum(funded_micros)::numeric as funded_micros, sum(cost_micros)::numeric as cost_micros,
       min(txid) as first_txid, max(txid) as last_txid
from ({LINES}) as l where {where} group by {_KEY}"""


def _add(where: str) -> sa.TextClause:
    return sa.text(f"""
with added as (
    insert into window_total as t ({_KEY}, {_SUMS}, first_txid, last_txid) {summed(where)}
    on conflict ({_KEY}) do update set
        count = t.count + excluded.count, points = t.points + excluded.points,
        funded_micros = t.funded_micros + excluded.funded_micros,
        cost_micros = t.cost_micros + excluded.cost_micros,
        first_txid = least(t.first_txid, excluded.first_txid),
        last_txid = greatest(t.last_txid, excluded.last_txid)
    returning 1
)
select count(*) from added""")


_ROLL: Final = _add(UNCOUNTED)
_COMPLETE: Final = _add(f"(l.txid < :horizon or l.window_id = :window_id) and {UNCOUNTED}")
_REBUILD: Final = _add("l.window_id in (select id from settlement_window)")

_LOCK_WINDOW: Final = sa.text("select id from settlement_window where status = 'open' for update")
_MOVE_MARK: Final = sa.text("""
update window_total_mark
set watermark = :stop, system_identifier = (select system_identifier from pg_control_system()),
    rolled_at = statement_timestamp()
""")
# Not the time of the counting: were the clock set back after it, rows to come would be before it.
_RENEW_MARK: Final = sa.text(f"""
update window_total_mark
set rebuilt_at = (select coalesce(max(posted_at), '-infinity') from ({LINES}) as l)
""")
_CLOCK_RIGHT: Final = sa.text(f"""
select coalesce(max(posted_at) < statement_timestamp(), true) from ({LINES}) as l
""")
# Behind it no transaction runs any more. It grows only: a mark that was waited for is not behind.
_HORIZON: Final = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_LOCK_MARK: Final = sa.text(f"""
select watermark, greatest({_HORIZON}, watermark) as horizon from window_total_mark for update
""")
_WATERMARK: Final = sa.text("select watermark from window_total_mark")
# Its transactions are of another cluster, or of this one before it was restored.
_ELSEWHERE: Final = sa.text("""
select m.watermark > pg_snapshot_xmax(pg_current_snapshot())::text::bigint
       or m.system_identifier <> (select system_identifier from pg_control_system())
from window_total_mark m
""")


# Rows that are not counted yet are the newest, which the planner knows least: it takes them for
# next to none. They are found by the index of transactions; what they have in common is gathered in
# memory rather than sorted on disk; compiling would take longer than the little there is to count.
SEEKING: Final = {
    "enable_seqscan": "off",
    "enable_sort": "off",
    "enable_incremental_sort": "off",
    "jit": "off",
    "work_mem": "64MB",
}
_SET: Final = "set_config('{0}', :{0}, true)"
_RESTORE: Final = sa.text("select " + ", ".join(_SET.format(name) for name in SEEKING))
# Each is read before it is set: what is selected is computed from left to right.
_SEEK: Final = sa.text(
    "select "
    + ", ".join(f"current_setting('{name}') as {name}, {_SET.format(name)}" for name in SEEKING)
)


@asynccontextmanager
async def _seeking(session: AsyncSession) -> AsyncIterator[None]:
    """Plan the statements inside for few rows at the end of large tables."""
    row = (await session.execute(_SEEK, SEEKING)).mappings().one()
    before = {name: row[name] for name in SEEKING}
    yield
    await session.execute(_RESTORE, before)


async def roll(session: AsyncSession) -> int:
    """Count what is new behind the oldest transaction that still runs; returns lines of totals.

    Whoever counts at the same time is waited for.
    """
    mark = await _take_mark(session)
    if mark.horizon <= mark.watermark:
        return 0
    bounds = {"start": mark.watermark, "stop": mark.horizon}
    async with _seeking(session):
        changed: int = (await session.execute(_ROLL, bounds)).scalar_one()
    await session.execute(_MOVE_MARK, {"stop": mark.horizon})
    return changed


async def complete(session: AsyncSession, window_id: UUID) -> None:
    """Count what `roll` counts, and the rest of a window that nothing can be added to any more.

    In the same transaction, and while its mark is locked, the window must become `closed`: from
    then on its rows count as counted.
    """
    mark = await _take_mark(session)
    bounds = {"start": mark.watermark, "stop": END, "horizon": mark.horizon}
    async with _seeking(session):
        await session.execute(_COMPLETE, {**bounds, "window_id": window_id})
    await session.execute(_MOVE_MARK, {"stop": mark.horizon})


async def _take_mark(session: AsyncSession) -> Any:
    """Lock the mark and read it; count from scratch where the numbers of transactions began anew.

    That is so after a restore into another database cluster. The statements after this see what
    was counted, and what was committed, while we waited.
    """
    anew = await session.scalar(_ELSEWHERE)
    if anew:
        # Nobody posts money meanwhile. The windows are locked before the mark.
        await insist(lambda: session.scalar(_LOCK_WINDOW))
    mark = (await session.execute(_LOCK_MARK)).one()
    if anew and await session.scalar(_ELSEWHERE):
        await _rebuild(session)
        mark = (await session.execute(_LOCK_MARK)).one()
    return mark


async def _rebuild(session: AsyncSession) -> None:
    """Count everything from scratch. The open window and the mark are locked.

    What was written before has numbers that transactions to come will have too; it is told apart
    by the time at which it was posted.
    """
    if not (await session.execute(_CLOCK_RIGHT)).scalar_one():
        raise UsageError(
            "The ledger has rows that were posted later than it is by the clock of the database "
            "server. Set that clock right: totals are counted from scratch after a restore."
        )
    horizon = await session.scalar(sa.text(f"select {_HORIZON}"))
    await session.execute(sa.text("delete from window_total"))
    await session.execute(_REBUILD)
    await session.execute(_RENEW_MARK)
    await session.execute(_MOVE_MARK, {"stop": horizon})


_COUNTED: Final = f"""
select {_KEY}, {_SUMS}, first_txid, last_txid from window_total
where window_id = any(:window_ids)
"""
# Sums may pass 2^63: as text they are read several times faster than as decimals.
_READ: Final = f"""
select {_KEY}, count, points::text, funded_micros::text, cost_micros::text, first_txid, last_txid
from window_total where window_id = any(:window_ids)
"""
_FRESH: Final = f"""
select {_KEY.replace("kind", "kind::text")}, sum(count)::bigint, sum(points)::text,
       sum(funded_micros)::text, sum(cost_micros)::text, min(first_txid), max(last_txid),
       (select watermark from window_total_mark) as watermark
from (
    {_COUNTED}
    union all
    {summed("l.window_id = any(:window_ids) and " + UNCOUNTED)}
) as part group by {_KEY}
"""


async def totals(
    session: AsyncSession, window_ids: Collection[UUID], *, fresh: bool = False
) -> list[Total]:
    """Totals of these windows, in no order: complete and final where a window is closed.

    Those of the open window are what was counted last; with `fresh` everything committed.
    """
    ids = list(window_ids)
    if not fresh:
        rows = await session.execute(sa.text(_READ), {"window_ids": ids})
        return [_total(row) for row in rows]
    statement = sa.text(_FRESH)
    while True:
        start = await session.scalar(_WATERMARK)
        bounds = {"window_ids": ids, "start": start, "stop": END}
        async with _seeking(session):
            found = [tuple(row) for row in await session.execute(statement, bounds)]
        if all(row[-1] == start for row in found):
            return [_total(row) for row in found]
        # Somebody counted in between: read again from where the totals end now.


def _total(row: Sequence[Any]) -> Total:
    return Total(
        window_id=row[0],
        currency=row[1],
        kind=KINDS[row[2]],
        funding=FUNDINGS[row[3]],
        issuer_id=row[4],
        acceptor_id=row[5],
        contract_id=row[6],
        acceptor_contract_id=row[7],
        count=int(row[8]),
        points=int(row[9]),
        funded_micros=int(row[10]),
        cost_micros=int(row[11]),
        first_txid=row[12],
        last_txid=row[13],
    )


class Counted(msgspec.Struct, frozen=True):
    """What the totals of one window count."""

    lines: int
    """Obligations and debts."""
    member_ids: frozenset[UUID]
    """Those on either side of them."""


_COUNTS: Final = sa.text("""
select coalesce(sum(count), 0)::bigint, array_agg(distinct issuer_id),
       array_agg(distinct acceptor_id)
from window_total where window_id = :window_id
""")


async def counted(session: AsyncSession, window_id: UUID) -> Counted:
    """What the totals of a window count, and whom it concerns."""
    lines, *sides = (await session.execute(_COUNTS, {"window_id": window_id})).one()
    return Counted(int(lines), frozenset({each for side in sides for each in side or ()} - {None}))


_LAG: Final = sa.text(f"""
select (select count(*) from ({LINES}) as l where {UNCOUNTED}), rolled_at from window_total_mark
""")


async def lag(session: AsyncSession) -> Lag:
    """How far the totals are behind."""
    bounds = {"start": await session.scalar(_WATERMARK), "stop": END}
    async with _seeking(session):
        rows, rolled_at = (await session.execute(_LAG, bounds)).one()
    return Lag(rows=rows, rolled_at=rolled_at)
