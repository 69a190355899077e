"""Takes finance through a month in processes that are killed. Run as a program.

    python -m tests.settlement.chain.killed URL FOLDER EVERY

For each step, and for each EVERYth statement or commit of it, a child takes the step and is killed
(SIGKILL) before it sends that statement, until one comes to the end of the step; 0 kills none. Each
child first proves what the one before it left. Prints how many were killed, step by step, and what
came of it all: legs, files, balances, breaks.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime, open_runtime
from settlement.bank import importing, lines, matching, resolving
from settlement.bank.domain import Action, BreakStatus
from settlement.bank.models import Break
from settlement.bank.resolving import Resolution
from settlement.clearing import books, checks, driving, files, repository, service
from settlement.clearing.domain import LegStatus, SettlementStatus
from settlement.clearing.models import SentFile, Settlement, SettlementLeg
from settlement.windows.closing import close_window
from tests.conftest import make_settings
from tests.settlement.bank.paper import PaperBank, Teller
from tests.settlement.clearing.house import ANNA, BORIS
from tests.settlement.killed import child, die_at, run

MOST = 400
FILE = "statement.txt"


async def one(runtime: Runtime) -> Settlement | None:
    """The settlement, once it is there."""
    async with runtime.database.begin() as session:
        return await session.scalar(sa.select(Settlement))


async def close(runtime: Runtime, _: Path) -> None:
    async with runtime.database.begin() as session:
        waiting = await repository.closed_windows(session)
    if not waiting:
        await close_window(runtime.database.begin, lambda _: None, actor=ANNA)


async def net(runtime: Runtime, _: Path) -> None:
    if await one(runtime) is None:
        async with runtime.database.begin() as session:
            await service.draft(session, actor=ANNA)


async def vouch(runtime: Runtime, step: str, before: SettlementStatus, actor: str) -> None:
    made = await one(runtime)
    assert made is not None
    if made.status is before:
        async with runtime.database.begin() as session:
            await getattr(service, step)(session, made.id, actor=actor)


async def record(runtime: Runtime, _: Path) -> None:
    await vouch(runtime, "record", SettlementStatus.PENDING, ANNA)


async def approve(runtime: Runtime, _: Path) -> None:
    await vouch(runtime, "approve", SettlementStatus.RECORDED, BORIS)


async def submit(runtime: Runtime, _: Path) -> None:
    made = await one(runtime)
    assert made is not None
    if made.status is SettlementStatus.APPROVED:
        async with runtime.database.begin() as session:
            await service.submit(session, made.id, actor=ANNA, pay_before_collected=True)


async def send(runtime: Runtime, _: Path) -> None:
    """The worker: files are made, and after that their legs are marked."""
    await driving.drive(runtime.database, runtime.rails)


async def take(runtime: Runtime, folder: Path) -> None:
    """Import without matching."""
    path = folder / FILE
    if not path.exists():
        await write_statement(runtime, folder)
    await importing.import_file(runtime, path, actor=ANNA, match=False)


async def write_statement(runtime: Runtime, folder: Path) -> None:
    """The bank shows every leg, and money that nobody knows."""
    teller = Teller(folder)
    async with runtime.database.begin() as session:
        legs = await session.scalars(
            sa.select(SettlementLeg)
            .where(SettlementLeg.status == LegStatus.SUBMITTED)
            .order_by(SettlementLeg.reference)
        )
        shown = [teller.entry(lines.expected(leg), end_to_end_id=leg.reference) for leg in legs]
    assert shown
    draft = teller.file(teller.statement(*shown, teller.entry("-9.99")), name="draft")
    draft.rename(folder / FILE)


async def match(runtime: Runtime, _: Path) -> None:
    async with runtime.database.begin() as session:
        await matching.match(session)


async def resolve(runtime: Runtime, _: Path) -> None:
    """What nobody knows was a charge."""
    async with runtime.database.begin() as session:
        row = (await session.scalars(sa.select(Break))).one()
        if row.status is BreakStatus.OPEN:
            how = Resolution(action=Action.FEES, note="a charge")
            await resolving.resolve(session, row.id, how, actor=ANNA)


STEPS: dict[str, Callable[[Runtime, Path], Awaitable[None]]] = {
    "close": close,
    "net": net,
    "record": record,
    "approve": approve,
    "submit": submit,
    "send": send,
    "import": take,
    "match": match,
    "resolve": resolve,
}


async def attempt(url: str, folder: Path, step: str, statements: int | None) -> None:
    """Take a step, and be killed before so many statements; prove what is there before."""
    async with open_runtime(make_settings(url, clock_travel=False)) as runtime:
        vars(runtime)["rails"] = {"paper": PaperBank()}
        await prove(runtime)
        if statements is not None:
            die_at(runtime.database.engine.sync_engine, statements)
        await STEPS[step](runtime, folder)


async def prove(runtime: Runtime) -> None:
    """Ledger and books are right, and files are what would be made now, to the byte."""
    async with runtime.database.begin() as session:
        assert await verify(session, checks=checks.CHECKS) == []
    made = await one(runtime)
    if made is not None:
        again = await files.make_again(runtime.database, runtime.rails, made.id)
        assert all(each.same for each in again), again


async def tell(url: str) -> None:
    """What came of it, in words that are the same wherever the same was done."""
    async with open_runtime(make_settings(url, clock_travel=False)) as runtime:
        vars(runtime)["rails"] = {"paper": PaperBank()}
        await prove(runtime)
        async with runtime.database.begin() as session:
            assert await verify(session) == []
            legs = await session.scalars(sa.select(SettlementLeg).order_by(SettlementLeg.reference))
            sent = await session.scalars(sa.select(SentFile).order_by(SentFile.name))
            told: dict[str, Any] = {
                "legs": [(x.reference, x.net_micros, x.status, x.remainder_micros) for x in legs],
                # All but the moment at which a file was made.
                "files": [re.sub(r" \d{4}-.*?T\S+", "", x.content.decode()) for x in sent],
                "books": sorted(
                    (each.account, each.currency, each.balance_micros)
                    for each in await books.balances(session)
                ),
                "breaks": [x.status for x in await session.scalars(sa.select(Break))],
                "settlements": [x.status for x in await session.scalars(sa.select(Settlement))],
            }
        print(json.dumps(told), flush=True)


def main(url: str, folder: Path, every: int) -> None:
    killed: dict[str, int] = {}
    for step in STEPS:
        killed[step] = 0
        for number in range(0, MOST * every, every) if every else [None]:
            ended = child(partial(run, attempt, url, folder, step, number))
            if ended == 0:
                break
            assert os.WIFSIGNALED(ended), (step, number, ended)
            killed[step] += 1
        else:
            raise AssertionError(f"{step} never came to its end")
        # Once more, whole: nothing is done twice.
        asyncio.run(attempt(url, folder, step, None))
    print(json.dumps(killed), flush=True)
    asyncio.run(tell(url))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
