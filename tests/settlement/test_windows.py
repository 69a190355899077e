"""Finance closes a window: the next one opens, nothing is lost, and the totals are final."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from marketplace.cli import main
from marketplace.db import Database
from marketplace.identity.domain import Role
from marketplace.ids import uuid7
from marketplace.ledger.domain import ObligationKind, WindowStatus
from marketplace.ledger.totals import roll, totals
from marketplace.ledger.verify import verify
from settlement.errors import StatusChanged
from settlement.history import Subject, history
from settlement.windows import service
from settlement.windows.closing import close_due, close_window, finish_left
from settlement.windows.domain import Every
from settlement.windows.service import Closed
from tests.conftest import SECRET_KEY
from tests.factories import Coalition, days
from tests.ledger.busy import make_busy
from tests.ledger.driver import Driver


async def open_window(database: Database) -> UUID:
    async with database.begin() as session:
        (row,) = [
            each for each in await service.windows(session) if each.status is WindowStatus.OPEN
        ]
    return row.id


async def close(database: Database, **more: Any) -> Closed:
    async with database.begin() as session:
        return await service.close(session, actor="test", **more)


async def assert_right(database: Database) -> None:
    async with database.begin() as session:
        assert await verify(session) == []


async def sums_of(database: Database) -> dict[tuple[object, ...], tuple[int, ...]]:
    """By window and kind: rows, points, micros; straight from the rows."""
    async with database.begin() as session:
        rows = await session.execute(
            sa.text(
                "select window_id, kind::text, count(*), sum(points), sum(funded_micros), "
                "sum(cost_micros) from obligation group by 1, 2 union all "
                "select window_id, 'debt', count(*), 0, sum(amount_micros), sum(amount_micros) "
                "from member_debt group by 1"
            )
        )
        return {(row[0], row[1]): tuple(int(each) for each in row[2:]) for row in rows}


async def totals_of(database: Database, *, fresh: bool = False) -> dict[Any, tuple[int, ...]]:
    """The same from the totals."""
    found: dict[tuple[object, ...], list[int]] = {}
    async with database.begin() as session:
        ids = [each.id for each in await service.windows(session)]
        for each in await totals(session, ids, fresh=fresh):
            row = found.setdefault((each.window_id, str(each.kind)), [0, 0, 0, 0])
            added = (each.count, each.points, each.funded_micros, each.cost_micros)
            row[:] = [old + new for old, new in zip(row, added, strict=True)]
    return {key: tuple(row) for key, row in found.items()}


async def test_a_window_is_closed_with_all_that_is_in_it(coalition: Coalition) -> None:
    database = coalition.runtime.database
    await make_busy(coalition)
    first = await open_window(database)
    closed = await close(database, note="End of the month.")
    assert (closed.window_id, closed.settled) == (first, False)
    assert closed.opened_id == await open_window(database) != first
    assert await totals_of(database) == await sums_of(database)
    assert closed.obligations == sum(row[0] for row in (await sums_of(database)).values())
    async with database.begin() as session:
        changes = await history(session, Subject.WINDOW, first)
    assert [(each.before, each.after, each.actor, each.note) for each in changes] == [
        ("open", "closing", "test", "End of the month."),
        ("closing", "closed", "test", ""),
    ]
    await assert_right(database)


async def test_money_of_a_refund_goes_into_the_window_that_is_open_now(
    coalition: Coalition,
) -> None:
    database = coalition.runtime.database
    await coalition.issue("ann", 1_000)
    async with Driver.start(coalition) as drive:
        burn = await drive.burn("ann", "card")
        await drive.capture("ann", burn)
        closed = await close(database)
        await drive.refund("ann", burn, 250)
    found = await totals_of(database, fresh=True)
    assert found == {
        (closed.window_id, "capture"): (1, 1_000, 8_000_000, 7_000_000),
        (closed.opened_id, "refund"): (1, -250, -2_000_000, -1_750_000),
    }
    assert (closed.opened_id, "refund") not in await totals_of(database)
    # A transaction of any database of this server holds the count back while it runs.
    while (closed.opened_id, "refund") not in await totals_of(database):
        async with database.begin() as session:
            await roll(session)
        await asyncio.sleep(0.05)
    assert await totals_of(database) == found
    await assert_right(database)


async def test_obligations_know_the_contract_the_acceptor_had_at_capture(
    coalition: Coalition,
) -> None:
    database = coalition.runtime.database
    await coalition.issue("ann", 1_000)
    async with Driver.start(coalition) as drive:
        burn = await drive.burn("ann", "card")
        await drive.capture("ann", burn)
        now = await drive.later(days(40))
        async with database.begin() as session:
            await session.execute(
                sa.text("update contract set valid_to = :now where reference = 'C-shop'"),
                {"now": now},
            )
        await drive.refund("ann", burn)
        async with database.begin() as session:
            window = await service.windows(session)
            found = await totals(session, [window[0].id], fresh=True)
    assert {(each.kind, each.acceptor_contract_id) for each in found} == {
        (ObligationKind.CAPTURE, coalition.contracts["shop"]),
        (ObligationKind.REFUND, coalition.contracts["shop"]),
    }


async def test_an_empty_window_is_settled_at_once(coalition: Coalition) -> None:
    database = coalition.runtime.database
    closed = await close(database)
    assert (closed.settled, closed.obligations) == (True, 0)
    async with database.begin() as session:
        rows = await service.windows(session)
        changes = await history(session, Subject.WINDOW, closed.window_id)
    assert [each.status for each in rows] == [WindowStatus.OPEN, WindowStatus.SETTLED]
    assert [each.after for each in changes] == ["closing", "closed", "settled"]
    await assert_right(database)


async def test_of_two_closers_one_closes_and_the_other_is_told(coalition: Coalition) -> None:
    database = coalition.runtime.database
    first = await open_window(database)
    told: list[Closed] = []

    async def try_it() -> Closed | StatusChanged:
        try:
            return await close_window(database.begin, told.append, actor="test", window_id=first)
        except StatusChanged as error:
            return error

    found = await asyncio.gather(*(try_it() for _ in range(5)))
    assert sum(isinstance(each, Closed) for each in found) == 1
    assert [each.window_id for each in told] == [first]
    async with database.begin() as session:
        assert len(await service.windows(session)) == 2


async def test_what_was_left_closing_is_finished_by_whoever_comes_by(coalition: Coalition) -> None:
    database = coalition.runtime.database
    await make_busy(coalition)
    async with database.begin() as session:
        switched = await service.switch(session, actor="test")
    async with database.begin() as session:
        await roll(session)
    await assert_right(database)
    told: list[Closed] = []
    await finish_left(database.begin, told.append)
    await finish_left(database.begin, told.append)
    assert [each.window_id for each in told] == [switched.window_id]
    assert await totals_of(database) == await sums_of(database)
    await assert_right(database)


async def test_windows_are_closed_by_the_calendar(coalition: Coalition) -> None:
    database = coalition.runtime.database
    told: list[Closed] = []
    await close(database)  # the one that is open in a new database may be of yesterday
    async with Driver.start(coalition) as drive:
        assert await close_due(database.begin, told.append, Every.DAILY) is None
        await drive.later(days(1))
        assert await close_due(database.begin, told.append, Every.NEVER) is None
        closed = await close_due(database.begin, told.append, Every.DAILY)
        assert closed is not None
        assert told == [closed]
        assert await close_due(database.begin, told.append, Every.DAILY) is None
        await drive.later(days(31))
        assert await close_due(database.begin, told.append, Every.MONTHLY) is not None


@pytest.mark.parametrize(
    ("every", "began"),
    [
        (Every.DAILY, datetime(2026, 11, 25, tzinfo=UTC)),
        (Every.WEEKLY, datetime(2026, 11, 23, tzinfo=UTC)),
        (Every.MONTHLY, datetime(2026, 11, 1, tzinfo=UTC)),
    ],
)
def test_periods_begin_at_midnight_utc(every: Every, began: datetime) -> None:
    assert every.began(datetime(2026, 11, 25, 23, 30, 5, 7, tzinfo=UTC)) == began


def run_settlement(database_url: str, *arguments: str) -> Result:
    environment = {
        "MARKETPLACE_DATABASE_URL": database_url,
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
    }
    return CliRunner(env=environment).invoke(main, ["settlement", *arguments])


async def test_finance_closes_at_the_command_line(coalition: Coalition, database_url: str) -> None:
    database = coalition.runtime.database
    await make_busy(coalition)
    first = await open_window(database)

    async def command(*arguments: str) -> Any:
        done = await asyncio.to_thread(run_settlement, database_url, *arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    assert await command("open") == {"window_id": str(first), "opened_now": False}
    assert (await command("status"))["lag"]["rows"] > 0
    closed = await command("close", "--note", "November")
    assert closed["window_id"] == str(first)
    status = await command("status")
    assert [each["status"] for each in status["windows"]] == ["open", "closed"]
    counts = {each["kind"]: each["count"] for each in status["windows"][1]["totals"]}
    assert counts == {kind: row[0] for (_, kind), row in (await sums_of(database)).items()}
    again = await asyncio.to_thread(run_settlement, database_url, "close", "--window", str(first))
    assert again.exit_code == 2
    assert "somebody else closed it" in again.output
    words = await asyncio.to_thread(run_settlement, database_url, "status")
    assert "capture" in words.output
    assert "In no total yet: 0" in words.output
    empty = await asyncio.to_thread(run_settlement, database_url, "close")
    assert "settled, for nothing is in it" in empty.output


async def test_finance_closes_over_http_and_drills_down(
    coalition: Coalition, client: httpx.AsyncClient, sign_in: Any
) -> None:
    await make_busy(coalition)
    database = coalition.runtime.database
    first = await open_window(database)
    finance = await sign_in(Role.FINANCE)
    at = f"/v1/settlement/windows/{first}"
    assert (
        await client.post(f"{at}/close", json={}, headers=await sign_in(Role.PARTNER))
    ).status_code == 403
    done = await client.post(f"{at}/close", json={"note": "November"}, headers=finance)
    assert done.status_code == 200, done.text
    again = await client.post(f"{at}/close", json={}, headers=finance)
    assert (again.status_code, again.json()["code"]) == (409, "status_changed")
    nowhere = await client.post(f"/v1/settlement/windows/{uuid7()}/close", json={}, headers=finance)
    assert nowhere.status_code == 404
    listed = (await client.get("/v1/settlement/windows?limit=1", headers=finance)).json()
    assert [each["status"] for each in listed["items"]] == ["open"]
    rest = await client.get(
        "/v1/settlement/windows", params={"cursor": listed["next"]}, headers=finance
    )
    assert [each["id"] for each in rest.json()["items"]] == [str(first)]
    detail = (await client.get(at, headers=finance)).json()
    assert detail["lag"] is None
    await _drill(client, finance, at, detail)


async def _drill(client: httpx.AsyncClient, finance: Any, at: str, detail: Any) -> None:
    """Each figure of the matrix between members is the sum of the lines it is made of."""
    cells = [
        each
        for each in detail["matrix"]
        if each["debtor"]["kind"] in ("member", "pool") and each["creditor"]["kind"] == "member"
    ]
    assert len(cells) > 3
    seen: set[str] = set()
    for cell in cells:
        params = {
            "debtor": cell["debtor"]["member"],
            "creditor": cell["creditor"]["member"],
            "limit": 2,
        }
        found: list[Any] = []
        while True:
            page = (await client.get(f"{at}/lines", params=params, headers=finance)).json()
            found += page["items"]
            if page["next"] is None:
                break
            params["cursor"] = page["next"]
        assert sum(each["cost_micros"] for each in found) == cell["micros"]
        assert len(found) == cell["count"]
        seen |= {each["line"] for each in found}
    everything = (await client.get(f"{at}/lines?limit=200", headers=finance)).json()["items"]
    assert seen <= {each["line"] for each in everything}
    assert len(everything) == sum(each["count"] for each in detail["totals"])
