"""Closes a window in a process that is killed, and looks at what is left. Run as a program.

    python -m tests.settlement.killed URL

For each n a child begins to close the open window and is killed (SIGKILL) before the n-th statement
or commit that it would send once the window is its own, until one comes to its end. Another child
then proves the ledger, finishes what was left, and proves it again. Money is posted before each.
Prints how many children were killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from marketplace.contract.proving import Check
from marketplace.db import Database
from marketplace.ledger import debts
from marketplace.ledger.checks import ALL, windows
from marketplace.ledger.debts import Debt
from marketplace.ledger.domain import WindowStatus
from marketplace.ledger.verify import verify
from settlement.windows import service
from settlement.windows.closing import close_window, finish_left
from tests.settlement.test_windows import sums_of, totals_of

MOST = 200
BEFOREHAND = 1
"""Transactions before the window is touched: it finishes what was left."""


def die_at(engine: sa.Engine, statements: int, *, beforehand: int = 0) -> None:
    """Kill this process before it sends so many statements or commits; the first `beforehand`
    transactions do not count."""
    sent, over = 0, 0

    def count(*_: object) -> None:
        nonlocal sent
        sent += over >= beforehand
        if sent > statements:
            os.kill(os.getpid(), signal.SIGKILL)

    def commit(*_: object) -> None:
        nonlocal over
        count()  # between the last statement of a transaction and its commit, too
        over += 1

    sa.event.listen(engine, "before_cursor_execute", count)
    sa.event.listen(engine, "commit", commit)


async def close(url: str, statements: int) -> None:
    """Close the open window; this process is killed before it sends so many statements."""
    database = Database(url, role="marketplace_app", pool_size=0)
    die_at(database.engine.sync_engine, statements, beforehand=BEFOREHAND)
    await close_window(database.begin, lambda _: None, actor="test")
    await database.close()


async def owe(url: str, number: int) -> None:
    """Money goes on being posted, whatever was left."""
    database = Database(url, role="marketplace_app", pool_size=0)
    async with database.begin() as session:
        found = await session.execute(sa.text("select id from member order by slug limit 2"))
        debtor, creditor = [row.id for row in found]
        debt = Debt(
            plugin="till",
            reference=f"R{number}",
            debtor_id=debtor,
            creditor_id=creditor,
            amount_micros=number + 1,
            currency="EUR",
            reason="",
        )
        await session.run_sync(debts.owe, debt)
    await database.close()


async def look(url: str, *, at_last: bool) -> None:
    """The ledger is right as it was left, and after somebody has finished it."""
    database = Database(url, role="marketplace_app", pool_size=0)
    await _prove(database)
    await finish_left(database.begin, lambda _: None)
    async with database.begin() as session:
        statuses = [each.status for each in await service.windows(session)]
    assert statuses[0] is WindowStatus.OPEN
    assert not {WindowStatus.OPEN, WindowStatus.CLOSING} & set(statuses[1:]), statuses
    await _prove(database, ALL if at_last else windows.CHECKS)
    await database.close()


async def _prove(database: Database, checks: Sequence[Check] = windows.CHECKS) -> None:
    async with database.begin() as session:
        assert await verify(session, checks=checks) == []
    assert await totals_of(database, fresh=True) == await sums_of(database)


def child(work: Callable[[], None]) -> int:
    """Run `work()` in a child; what waitpid says of its end."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    try:
        work()
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        os._exit(1)
    os._exit(0)


def run(work: Callable[..., Coroutine[Any, Any, None]], *given: Any, **named: Any) -> None:
    """Run `work` on a loop of this process."""
    asyncio.run(work(*given, **named))


def main(url: str) -> None:
    for number in range(MOST):
        assert child(partial(run, owe, url, number)) == 0
        ended = child(partial(run, close, url, number))
        assert child(partial(run, look, url, at_last=ended == 0)) == 0, number
        if ended == 0:
            print(number)
            return
        assert os.WIFSIGNALED(ended), ended
    raise AssertionError("it never came to its end")


if __name__ == "__main__":
    main(sys.argv[1])
