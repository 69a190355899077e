"""All SQL of issuing: set-wise, from a temporary table on the asyncpg connection of a transaction.

Locks are taken in one order: issuers (advisory), the open window, wallets by id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from marketplace.ids import take_keys
from marketplace.ledger.windows import insist
from marketplace.notices.feed import ISSUED
from marketplace.webhooks.feed import ISSUED as ISSUED_WEBHOOKS

SMALL = "issuance_input"
"""Kept by its connection and emptied at every commit: a request costs no new catalog rows."""
LARGE = "issuance_file"
"""Made for one file and dropped with its transaction: its statistics mislead nobody later."""

COLUMNS = (
    "position",
    "key",
    "issuer_id",
    "reference",
    "wallet_id",
    "points",
    "effective_at",
    "expires_at",
)
Row = tuple[int, int, UUID, str, UUID, int, datetime | None, datetime | None]
"""An item as it is staged, in the order of COLUMNS."""

MAX_VALUE_MICROS = 4 * 10**18
"""Most that one issuance may be worth: what fits a bigint, with room to add."""
MAX_REPORTED = 1000
"""Wrong items reported one by one; all are counted."""

CREATE = """
create temporary table {exists} {stage} (
    position bigint not null, key bigint not null, issuer_id uuid not null,
    reference text not null, wallet_id uuid not null, points bigint not null,
    effective_at timestamptz, expires_at timestamptz
) on commit {commit}
"""

# Sorts and hashes of a file fit in memory. A file before it in this transaction left its table.
LARGE_SESSION = """
set local work_mem = '128MB'; drop table if exists pg_temp.{stage}
"""

# `same` where what an item says agrees with the lot its reference made before.
TAKE_ALREADY = """
with gone as (
    delete from {stage} s using lot l
    where l.issuer_id = s.issuer_id and l.reference = s.reference
    returning s.position, s.reference,
        l.wallet_id = s.wallet_id and l.points = s.points
        and (s.effective_at is null or s.effective_at = l.effective_at)
        and (s.expires_at is null or s.expires_at = l.expires_at) as same
),
other as (select position, reference from gone where not same)
select (select count(*) from gone where same), (select count(*) from other),
       array(select (position, reference) from other order by position limit $1)
"""

HAS_REPEATED = """
select exists (select 1 from {stage} group by issuer_id, reference having count(*) > 1)
"""

TAKE_REPEATED = """
with repeated as (
    select issuer_id, reference, min(position) as first
    from {stage} group by issuer_id, reference having count(*) > 1
),
gone as (
    delete from {stage} s using repeated r, {stage} f
    where s.issuer_id = r.issuer_id and s.reference = r.reference
      and f.position = r.first and s.position > r.first
    returning s.position, s.reference,
        f.wallet_id = s.wallet_id and f.points = s.points
        and (s.effective_at is null or s.effective_at = coalesce(f.effective_at, $2))
        and (s.expires_at is null or s.expires_at is not distinct from f.expires_at) as same
),
other as (select position, reference from gone where not same or $3)
select (select count(*) from gone where same), (select count(*) from other),
       array(select (position, reference) from other order by position limit $1)
"""

IN_FORCE = """
c.member_id = s.issuer_id and c.role <> 'acceptor'
and c.valid_from <= coalesce(s.effective_at, $1)
and (c.valid_to is null or c.valid_to > coalesce(s.effective_at, $1))
"""

# Asked for once: a function in a plain sub-select is called for every row.
WRONG = f"""
with locked as materialized (select marketplace_locked_until() as until),
judged as (
    select s.position, case
        when w.id is null then 'unknown_wallet'
        when s.effective_at > $1 then 'effective_in_future'
        when coalesce(s.effective_at, $1) < locked.until then 'period_locked'
        when c.id is null then 'no_issuing_contract'
        when s.expires_at <= coalesce(s.effective_at, $1) then 'invalid_expiry'
        when s.points > $2 / c.price_micros then 'value_too_large'
    end as code
    from {{stage}} s
    cross join locked
    left join wallet w on w.id = s.wallet_id
    left join contract c on {IN_FORCE}
)
select position, code, count(*) over () as total
from judged where code is not null order by position limit $3
"""

# What a point's issuer pays when it is issued: Funding.pooled_price_micros. In numeric, because a
# price times its share may pass 2^63.
POOLED_PRICE = """
case c.funding when 'redemption' then 0 when 'issuance' then c.price_micros
     else div(c.price_micros::numeric * c.pooled_bps, 10000)::bigint end
"""

FUNDED_AT_ISSUANCE = f"""
select count(*) from {{stage}} s join contract c on {IN_FORCE} and c.funding <> 'redemption'
"""

LOCK_WINDOW = "select id from settlement_window where status = 'open' for share"

# Sorted, so that a large file writes its index pages one after the other.
INSERT_LOTS = f"""
insert into lot (wallet_id, id, issuer_id, contract_id, reference, points, remaining, open,
                 currency, price_micros, pooled_price_micros, funding, effective_at, expires_at)
select s.wallet_id, s.key, s.issuer_id, c.id, s.reference, s.points, s.points, true, c.currency,
       c.price_micros, {POOLED_PRICE}, c.funding, coalesce(s.effective_at, $1),
       coalesce(s.expires_at,
                coalesce(s.effective_at, $1) + make_interval(days => c.points_valid_days),
                'infinity')
from {{stage}} s join contract c on {IN_FORCE}
order by s.wallet_id, s.key
"""

INSERT_TRANSFERS = """
insert into transfer (wallet_id, id, code, debit_account, debit_owner, credit_account,
                      credit_owner, unit, amount, lot_id, effective_at)
select wallet_id, key, 'issue', 'issuer_issued', issuer_id, 'wallet_available', wallet_id,
       'POINTS', points, key, coalesce(effective_at, $1)
from {stage}
order by wallet_id, key
"""

# An obligation takes the key of its lot; the second transfer of a lot needs one of its own.
INSERT_MONEY = f"""
with funded as (
    select s.*, c.id as contract_id, c.currency,
           ({POOLED_PRICE}) * s.points as micros,
           coalesce(s.effective_at, $1) as at,
           ($3::bigint[])[row_number() over (order by s.key)] as money_key
    from {{stage}} s join contract c on {IN_FORCE} and c.funding <> 'redemption'
),
moved as (
    insert into transfer (wallet_id, id, code, debit_account, debit_owner, credit_account,
                          credit_owner, unit, amount, lot_id, window_id, effective_at)
    select wallet_id, money_key, 'issue', 'issuer_receivable', issuer_id, 'issuer_pool', issuer_id,
           currency, micros, key, $2, at
    from funded
)
insert into obligation (wallet_id, id, window_id, kind, funding, issuer_id, contract_id, lot_id,
                        points, currency, funded_micros, cost_micros, effective_at)
select wallet_id, key, $2, 'issuance', 'issuance', issuer_id, contract_id, key, points, currency,
       micros, 0, at
from funded
"""

LOCK_WALLETS = """
select 1 from wallet where id in (select wallet_id from {stage}) order by id for no key update
"""

CREDIT_WALLETS = """
update wallet set available = available + given.points, version = version + 1
from (select wallet_id, sum(points)::bigint as points from {stage} group by wallet_id) as given
where wallet.id = given.wallet_id
"""

TOTALS = """
select issuer_id, count(*), sum(points)::bigint from {stage} group by issuer_id order by issuer_id
"""


# Points of mixed funding cost a part now and the rest as they are burnt.
WORTH = f"""
select c.currency::text, part.funding, sum(part.price::numeric * s.points)
from {{stage}} s join contract c on {IN_FORCE}
cross join lateral (select {POOLED_PRICE} as pooled) p
cross join lateral (values
    ('issuance', p.pooled), ('redemption', c.price_micros - p.pooled)
) as part (funding, price)
where part.price > 0
group by 1, 2 order by 1, 2
"""


class Taken(msgspec.Struct, frozen=True):
    """Items taken out of a stage because their reference was met before."""

    same: int
    """Those that say the same."""
    other: int
    """Those that say something else."""
    listed: list[tuple[int, str]]
    """(position, reference) of the first MAX_REPORTED others."""


async def lock_issuers(connection: Any, issuer_ids: Iterable[UUID]) -> None:
    """Let one transaction at a time issue for each of these members."""
    for issuer_id in sorted(issuer_ids):
        await connection.execute(
            "select pg_advisory_xact_lock(hashtextextended('issue ' || $1::text, 0))",
            str(issuer_id),
        )


async def business_time(connection: Any) -> datetime:
    """`marketplace_now()`."""
    moment: datetime = await connection.fetchval("select marketplace_now()")
    return moment


class Stage:
    """A temporary table that holds the items of one request or file."""

    def __init__(self, connection: Any, table: str) -> None:
        self.connection = connection
        self.table = table

    def _sql(self, text: str) -> str:
        return text.format(stage=self.table)

    async def open(self) -> None:
        """Make the table, or empty it where this transaction has used it before."""
        small = self.table == SMALL
        if not small:
            await self.connection.execute(self._sql(LARGE_SESSION))
        await self.connection.execute(
            CREATE.format(
                stage=self.table,
                exists="if not exists" if small else "",
                commit="delete rows" if small else "drop",
            )
        )
        if small:
            await self.connection.execute(self._sql("delete from {stage}"))

    async def add(self, rows: Sequence[Row]) -> None:
        """Copy rows in."""
        if rows:
            await self.connection.copy_records_to_table(self.table, records=rows, columns=COLUMNS)

    async def analyze(self) -> None:
        """Tell the planner what is in the table."""
        await self.connection.execute(self._sql("analyze {stage}"))

    async def take_already(self) -> Taken:
        """Take out the items whose reference has made a lot before."""
        row = await self.connection.fetchrow(self._sql(TAKE_ALREADY), MAX_REPORTED)
        return Taken(*row)

    async def take_repeated(self, now: datetime, *, refuse_all: bool) -> Taken:
        """Take out the items whose reference stands on an earlier item of this stage."""
        if not await self.connection.fetchval(self._sql(HAS_REPEATED)):
            return Taken(0, 0, [])
        row = await self.connection.fetchrow(
            self._sql(TAKE_REPEATED), MAX_REPORTED, now, refuse_all
        )
        return Taken(*row)

    async def wrong(self, now: datetime) -> tuple[int, list[tuple[int, str]]]:
        """How many items may not be issued, and (position, code) of the first MAX_REPORTED."""
        rows = await self.connection.fetch(self._sql(WRONG), now, MAX_VALUE_MICROS, MAX_REPORTED)
        return (rows[0]["total"] if rows else 0), [(row["position"], row["code"]) for row in rows]

    async def write(self, now: datetime) -> list[tuple[UUID, int, int]]:
        """Write every item left; returns (issuer, lots, points) of each issuer."""
        run = self.connection.execute
        funded = await self.connection.fetchval(self._sql(FUNDED_AT_ISSUANCE), now)
        window_id = await self._window() if funded else None
        await run(self._sql(INSERT_LOTS), now)
        await run(self._sql(INSERT_TRANSFERS), now)
        if funded:
            await run(self._sql(INSERT_MONEY), now, window_id, take_keys(funded))
        await run(self._sql(ISSUED), now)
        await run(self._sql(ISSUED_WEBHOOKS), now)
        # Last, so that burns of these wallets wait for nothing but the commit.
        await run(self._sql(LOCK_WALLETS))
        await run(self._sql(CREDIT_WALLETS))
        return await self.totals()

    async def _window(self) -> UUID:
        window_id: UUID = await insist(lambda: self.connection.fetchval(LOCK_WINDOW))
        return window_id

    async def worth(self, now: datetime) -> list[tuple[str, str, int]]:
        """(currency, funding, micros) of what the items cost their issuers."""
        rows = await self.connection.fetch(self._sql(WORTH), now)
        return [(row[0], row[1], int(row[2])) for row in rows]

    async def totals(self) -> list[tuple[UUID, int, int]]:
        """(issuer, items, points) of each issuer in the stage."""
        rows = await self.connection.fetch(self._sql(TOTALS))
        return [(row[0], row[1], row[2]) for row in rows]
