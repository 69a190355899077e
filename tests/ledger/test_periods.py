"""The period lock: nothing may be dated before it, and who opened it again is on record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from marketplace.cli import main
from marketplace.clock import now, travel_to
from marketplace.errors import InvalidRequest, UsageError
from marketplace.identity.domain import Role
from marketplace.ledger import periods
from marketplace.ledger.errors import IssuancesRefused, PeriodLocked
from marketplace.ledger.models import SettlementWindow
from marketplace.runtime import Runtime
from tests.conftest import SECRET_KEY
from tests.factories import Coalition, days
from tests.ledger.driver import Driver


@pytest.fixture
async def closed(coalition: Coalition) -> datetime:
    """When the last window was closed: an hour ago."""
    async with coalition.runtime.database.begin() as session:
        end = await now(session) - timedelta(hours=1)
        await session.execute(sa.update(SettlementWindow).values(opened_at=end))
    return end


async def lock(runtime: Runtime, until: datetime) -> None:
    async with runtime.database.begin() as session:
        await periods.lock(session, until, "test")


async def test_points_cannot_be_earned_in_a_locked_period(
    coalition: Coalition, closed: datetime
) -> None:
    await coalition.issue("ann", 10, effective_at=closed - days(1))
    await lock(coalition.runtime, closed)
    with pytest.raises(IssuancesRefused, match="a period that is locked") as refused:
        await coalition.issue("ann", 10, effective_at=closed - timedelta(microseconds=1))
    assert refused.value.errors[0].code == "period_locked"
    await coalition.issue("ann", 10, effective_at=closed)
    await coalition.issue("ann", 10)


async def test_the_clock_is_not_set_back_into_a_locked_period(
    coalition: Coalition, closed: datetime
) -> None:
    await lock(coalition.runtime, closed)
    async with coalition.runtime.database.begin() as session:
        with pytest.raises(UsageError, match="that period is locked"):
            await travel_to(session, closed - days(1), allowed=True)
        await travel_to(session, closed + timedelta(seconds=1), allowed=True)


async def test_debts_and_refunds_are_dated_after_the_lock(
    coalition: Coalition, drive: Driver, owner: Any
) -> None:
    """As after a failover to a server whose clock is behind: no trigger stands in its way."""
    await coalition.issue("ann", 1_000)
    burn_id = await drive.burn("ann", "card")
    await drive.capture("ann", burn_id)
    async with owner.begin() as session:
        await session.execute(sa.text("set local session_replication_role = replica"))
        await session.execute(
            sa.text(
                "insert into period_lock (id, locked_until, actor, reason) "
                "values (1, marketplace_now() + interval '1 day', 'test', '')"
            )
        )
    with pytest.raises(PeriodLocked):
        await drive.refund("ann", burn_id)
    async with owner.begin() as session:
        with pytest.raises(sa.exc.IntegrityError, match="period_locked"):
            await session.execute(
                sa.text(
                    "insert into member_debt (id, plugin, reference, window_id, debtor_id, "
                    "creditor_id, amount_micros, currency, reason, effective_at) "
                    "select 1, 'x', 'x', w.id, :one, :other, 1, 'EUR', '', marketplace_now() "
                    "from settlement_window w"
                ),
                {"one": coalition.members["alpha"], "other": coalition.members["beta"]},
            )


async def test_only_closed_windows_are_locked_and_a_lock_only_moves_on(
    coalition: Coalition, closed: datetime
) -> None:
    with pytest.raises(InvalidRequest, match="Close the open window first"):
        await lock(coalition.runtime, closed + timedelta(seconds=1))
    await lock(coalition.runtime, closed)
    with pytest.raises(InvalidRequest, match="locked already"):
        await lock(coalition.runtime, closed - days(1))


async def test_unlocking_needs_a_reason_and_is_on_record(
    runtime: Runtime, coalition: Coalition, closed: datetime
) -> None:
    async with runtime.database.begin() as session:
        with pytest.raises(InvalidRequest, match="No period is locked"):
            await periods.unlock(session, "why not", "test")
    await lock(runtime, closed)
    async with runtime.database.begin() as session:
        with pytest.raises(InvalidRequest, match="Say why"):
            await periods.unlock(session, "  ", "test")
        await periods.unlock(session, "a file came late", "person:1", closed - days(30))
    await coalition.issue("ann", 10, effective_at=closed - days(29))
    with pytest.raises(IssuancesRefused):
        await coalition.issue("ann", 10, effective_at=closed - days(31))
    async with runtime.database.begin() as session:
        rows = await periods.periods(session)
        audited = await session.scalars(
            sa.text("select actor from audit_entry where action = 'ledger.period_unlocked'")
        )
        assert list(audited) == ["person:1"]
    assert [(row.actor, row.reason, row.locked_until) for row in rows] == [
        ("person:1", "a file came late", closed - days(30)),
        ("test", "", closed),
    ]


async def test_finance_locks_over_http(
    client: httpx.AsyncClient,
    sign_in: Callable[..., Awaitable[dict[str, str]]],
    coalition: Coalition,
    closed: datetime,
) -> None:
    finance = await sign_in(Role.FINANCE)
    until = closed.isoformat()
    made = await client.post("/v1/ledger/periods/lock", json={"until": until}, headers=finance)
    assert made.status_code == 200, made.text
    assert datetime.fromisoformat(made.json()["locked_until"]) == closed
    late = {"reason": "late", "until": until}
    again = await client.post("/v1/ledger/periods/unlock", json=late, headers=finance)
    assert again.json()["code"] == "invalid_request"
    opened = await client.post(
        "/v1/ledger/periods/unlock", json={"reason": "late"}, headers=finance
    )
    assert opened.json()["locked_until"] is None
    read = await client.get("/v1/ledger/periods", headers=finance)
    assert [each["reason"] for each in read.json()["changes"]] == ["late", ""]
    partner = await sign_in(Role.PARTNER)
    refused = await client.get("/v1/ledger/periods", headers=partner)
    assert refused.status_code == 403


def test_the_command_line_locks_and_unlocks(
    database_url: str, closed: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETPLACE_DATABASE_URL", database_url)
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)

    def told(*words: str) -> str:
        return CliRunner().invoke(main, ["ledger", *words]).output

    day = (closed - days(2)).strftime("%Y-%m-%d")
    assert told("lock", day) == f"Locked until {day}T00:00:00+00:00.\n"
    assert told("unlock", "--reason", "a test") == "Nothing is locked.\n"
    assert "a test" in told("periods")
    assert '"locked_until":null' in told("periods", "--json")
