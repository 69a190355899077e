"""What must hold after a fault, asked of the database past all code that could be wrong with it.

Besides the product's own proof (`ledger verify`): every answer the clients got is true, nothing is
there that none was told of, and each code was handed out once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg
import msgspec

from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime
from tests.chaos.clients import REFUNDED_POINTS, Crowd, Record

SHOWN = 5
VOIDED_FOR = ("cancelled", "hold_timeout", "out of codes")

BURNS = """
select k.key, b.id::text, b.wallet_id, b.status::text, b.fulfilment::text, b.quantity, b.points,
       b.refunded_points, b.due_at, r.reason, r.burn_id is not null as resolved
from idempotency_key k
join burn b on b.id = k.subject_id and b.wallet_id = k.wallet_id
left join burn_resolution r on r.burn_id = b.id and r.wallet_id = b.wallet_id
where k.key like $1 || '-%' and k.key not like '%-refund'
"""
ARTEFACTS = """
select a.burn_id::text as burn_id, a.secret from artefact a
join idempotency_key k on k.subject_id = a.burn_id and k.key like $1 || '-%'
"""
CODES = """
select c.order_reference as burn_id, c.secret from giftfund_code c
join idempotency_key k on k.subject_id::text = c.order_reference and k.key like $1 || '-%'
"""
REFUNDS = """
select k.key, r.id::text, r.points from idempotency_key k
join refund r on r.id = k.subject_id and r.wallet_id = k.wallet_id
where k.key like $1 || '-%-refund'
"""
POINTS = "select sum(available + held)::bigint from wallet"
WHOLE = """
select (select count(*) from burn) - (select count(*) from idempotency_key k
        join burn b on b.id = k.subject_id and b.wallet_id = k.wallet_id) as unkeyed,
       (select count(*) from giftfund_code c where c.order_reference is not null
        and not exists (select from burn b where b.id::text = c.order_reference
                        and b.status = 'captured')) as strays
"""


class Findings(msgspec.Struct):
    """What is wrong; empty lists where nothing is."""

    lost: list[str] = []
    doubled: list[str] = []
    wrong: list[str] = []

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)

    def words(self) -> list[str]:
        """The first of each kind, in words."""
        return [
            line
            for kind in (self.lost, self.doubled, self.wrong)
            for line in [*kind[:SHOWN], *([f"... {len(kind)} in all"] if len(kind) > SHOWN else [])]
        ]


async def judge(
    connection: asyncpg.Connection, runtime: Runtime, crowd: Crowd, name: str, points_before: int
) -> Findings:
    """Compare what the clients were told with what is there."""
    found = Findings()
    burns = {row["key"]: row for row in await connection.fetch(BURNS, name)}
    found.lost += [f"{key}: never answered" for key in crowd.unanswered]
    found.doubled += [f"{key}: answered twice, differently" for key in crowd.contradictions]
    _compare_burns(found, crowd.records, burns)
    await _compare_codes(found, connection, runtime, name, burns)
    await _compare_refunds(found, connection, crowd, name)
    captured = [row for row in burns.values() if row["status"] == "captured"]
    right = points_before - sum(row["points"] - row["refunded_points"] for row in captured)
    left = await connection.fetchval(POINTS)
    if left != right:
        found.wrong.append(f"wallets have {left} points, not {right}")
    whole = await connection.fetchrow(WHOLE)
    if whole["unkeyed"]:
        found.doubled.append(f"{whole['unkeyed']} burns have no key")
    if whole["strays"]:
        found.doubled.append(f"{whole['strays']} codes were given to burns that are not captured")
    async with runtime.database.begin() as session:
        for finding in await verify(session):
            found.wrong.append(f"ledger verify: {finding.check}: {finding.total} rows")
    return found


def _compare_burns(found: Findings, records: Sequence[Record], burns: dict[str, Any]) -> None:
    known = {each.key: each for each in records}
    for key, row in burns.items():
        record = known.get(key)
        if row["status"] != "rejected" and (record is None or record.burn_id != row["id"]):
            found.doubled.append(f"{key}: burn {row['id']} is there, and no client was told of it")
    for each in records:
        if each.burn_id is None:
            continue
        row = burns.get(each.key)
        if row is None or row["id"] != each.burn_id or row["status"] == "rejected":
            found.lost.append(f"{each.key}: burn {each.burn_id} was accepted and is not there")
        elif row["status"] == "held":
            found.lost.append(f"{each.key}: still held, {row['fulfilment']}, due {row['due_at']}")
        elif row["status"] == "voided" and row["reason"] not in VOIDED_FOR:
            found.lost.append(f"{each.key}: voided for {row['reason']!r}")
        if row is not None and each.cancelled and row["status"] != "voided":
            found.wrong.append(f"{each.key}: cancelled, and {row['status']}")


async def _compare_codes(
    found: Findings,
    connection: asyncpg.Connection,
    runtime: Runtime,
    name: str,
    burns: dict[str, Any],
) -> None:
    artefacts = _clear(runtime, await connection.fetch(ARTEFACTS, name))
    given = _clear(runtime, await connection.fetch(CODES, name))
    for row in burns.values():
        burn_id, wanted = row["id"], row["quantity"] if row["status"] == "captured" else 0
        shown, from_pool = artefacts.get(burn_id, []), given.get(burn_id, [])
        if len(shown) < wanted or len(from_pool) < wanted:
            found.lost.append(f"burn {burn_id} is captured and has {len(shown)} codes")
        if len(shown) > wanted or len(from_pool) > wanted:
            found.doubled.append(f"burn {burn_id} ({row['status']}) has {len(from_pool)} codes")
        if sorted(shown) != sorted(from_pool):
            found.wrong.append(f"burn {burn_id} shows other codes than it was given")
    counts = Counter(code for codes in artefacts.values() for code in codes)
    found.doubled += [f"code {code[:4]}... was handed out {n} times" for code, n in _many(counts)]


def _clear(runtime: Runtime, rows: Iterable[Any]) -> dict[str, list[str]]:
    """Codes in clear, by burn."""
    codes: dict[str, list[str]] = {}
    for row in rows:
        codes.setdefault(row["burn_id"], []).append(runtime.vault.decrypt(row["secret"]))
    return codes


def _many(counts: Counter[str]) -> list[tuple[str, int]]:
    return [(what, count) for what, count in counts.items() if count > 1]


async def _compare_refunds(
    found: Findings, connection: asyncpg.Connection, crowd: Crowd, name: str
) -> None:
    rows = {row["key"]: row for row in await connection.fetch(REFUNDS, name)}
    told = {each.refund_key: each.refund_id for each in crowd.records if each.refund_id}
    for key, refund_id in told.items():
        row = rows.get(key or "")
        if row is None or row["id"] != refund_id or row["points"] != REFUNDED_POINTS:
            found.lost.append(f"{key}: refund {refund_id} was accepted and is not there")
    found.doubled += [f"{key}: a refund no client was told of" for key in rows.keys() - told.keys()]
