"""Proves the ledger: runs every check in one snapshot and reports what does not hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.contract.proving import Check
from marketplace.ledger.checks import ALL
from marketplace.ledger.domain import Example, Finding

EXAMPLES = 5
"""Violations of one check that are spelt out; the others are counted."""

_SNAPSHOT = (
    # One snapshot for all checks: what commits meanwhile is not seen by half of them.
    "set transaction isolation level repeatable read, read only",
    # Every check reads whole tables once: memory for hashing, and no compiling.
    "set local work_mem = '128MB'",
    "set local jit = off",
)


def _nothing(check: Check, finding: Finding | None) -> None:
    """Tell nobody."""


async def snapshot(session: AsyncSession) -> None:
    """Make `session`, in which nothing has run yet, one read-only snapshot of the database."""
    for statement in _SNAPSHOT:
        await session.execute(sa.text(statement))


async def verify(
    session: AsyncSession,
    *,
    examples: int = EXAMPLES,
    checks: Sequence[Check] = ALL,
    told: Callable[[Check, Finding | None], None] = _nothing,
) -> list[Finding]:
    """Run every check; returns one finding per invariant that does not hold (empty: all hold).

    `session` must be a new transaction: verify makes it a read-only snapshot. `told` hears of each
    check when it is done.
    """
    await snapshot(session)
    findings = []
    for check in checks:
        finding = await run_check(session, check, examples)
        told(check, finding)
        if finding is not None:
            findings.append(finding)
    return findings


async def run_check(session: AsyncSession, check: Check, examples: int) -> Finding | None:
    """One check in the present snapshot; None where it holds."""
    # asyncpg would take a colon of a cast in text() for a parameter, so no bind parameters here.
    statement = (
        f"select subject, expected, found, count(*) over () as total from ({check.sql}) violation "
        f"order by subject limit {int(examples)}"
    )
    connection = await session.connection()
    rows = (await connection.exec_driver_sql(statement)).all()
    if not rows:
        return None
    return Finding(
        check=check.name,
        explanation=check.explanation,
        examples=tuple(Example(row.subject, row.expected, row.found) for row in rows),
        total=rows[0].total,
    )
