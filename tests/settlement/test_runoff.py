"""What is left of points: liability by issuer and age, and a member that leaves."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import httpx
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from marketplace.cli import main
from marketplace.clock import now
from marketplace.coalition.domain import ContractRole, Funding
from marketplace.identity.domain import Role
from marketplace.runtime import Runtime
from settlement.runoff import service
from settlement.runoff.domain import History
from tests.conftest import SECRET_KEY
from tests.factories import Coalition, days
from tests.ledger.driver import Driver


@pytest.fixture
async def leaving(runtime: Runtime, coalition: Coalition) -> Coalition:
    """Delta pools a quarter of EUR 0.008; some of its points are burnt, held, expired, left."""
    await coalition.add_member(
        "delta", role=ContractRole.BOTH, funding=Funding.MIXED, pooled_bps=2_500
    )
    async with runtime.database.begin() as session:
        start = await now(session)
    soon, late = start + days(10), start + days(400)
    await coalition.issue("ann", 2_000, issuer="delta", expires_at=late)
    await coalition.issue("bob", 250, issuer="delta", expires_at=soon)
    async with Driver.start(coalition) as drive:
        await drive.capture("ann", await drive.burn("ann", "card"))
        await drive.burn("ann", "card")
        await drive.later(days(40))
        assert await drive.expire() == 1
    await coalition.issue("bob", 100, issuer="delta")
    return coalition


async def test_liability_by_age_and_by_expiry(runtime: Runtime, leaving: Coalition) -> None:
    async with runtime.database.begin() as session:
        found = await service.liability(session)
    assert found.history == [History(issuer="delta", issued=2_350, redeemed=1_000, expired=250)]
    assert found.history[0].breakage_bps == 2_000
    assert {
        each.group: (each.points, each.value_micros, each.pooled_micros) for each in found.by_age
    } == {
        "31 to 90 days": (1_000, 8_000_000, 2_000_000),  # held, so it may come back
        "up to 30 days": (100, 800_000, 200_000),
    }
    never = next(each for each in found.by_expiry if each.group == "never")
    assert (never.points, never.expected_breakage_micros) == (100, 0)
    (dated,) = [each for each in found.by_expiry if each.group != "never"]
    assert dated.expected_breakage_micros == 1_600_000


async def test_a_leaving_member_sees_what_it_must_still_bring(
    runtime: Runtime, leaving: Coalition
) -> None:
    async with runtime.database.begin() as session:
        end = await now(session) + days(30)
        await session.execute(
            sa.text("update contract set valid_to = :end where reference = 'C-delta'"),
            {"end": end},
        )
        found = await service.run_off(session, "delta")
    assert (found.issues_now, found.issues_until) == (True, end)
    assert (found.redeemable_until, found.never_expires_points) == (None, 100)
    (cover,) = found.cover
    assert (cover.points, cover.value_micros, cover.pool_micros) == (1_100, 8_800_000, 2_200_000)
    # Owed so far: a quarter of 2,350 points issued and the rest of 1,000 burnt, nothing settled.
    assert cover.unsettled_micros == -(2_350 * 2_000 + 1_000 * 6_000)
    assert cover.needed_micros == 8_800_000 - 2_200_000 + 2_350 * 2_000 + 1_000 * 6_000


async def test_finance_reads_it_over_http(
    client: httpx.AsyncClient,
    sign_in: Callable[..., Awaitable[dict[str, str]]],
    leaving: Coalition,
) -> None:
    finance = await sign_in(Role.FINANCE)
    read = await client.get("/v1/settlement/runoff/delta", headers=finance)
    assert read.status_code == 200, read.text
    assert read.json()["history"]["issued"] == 2_350
    assert (await client.get("/v1/settlement/liability", headers=finance)).status_code == 200
    assert (await client.get("/v1/settlement/runoff/x", headers=finance)).status_code == 404
    partner = await sign_in(Role.PARTNER)
    assert (await client.get("/v1/settlement/liability", headers=partner)).status_code == 403


def test_the_command_line(
    database_url: str, leaving: Coalition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETPLACE_DATABASE_URL", database_url)
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)

    def told(*words: str) -> str:
        return CliRunner().invoke(main, ["settlement", *words]).output

    assert "100 outstanding points never expire" in told("runoff", "delta")
    assert json.loads(told("runoff", "delta", "--json"))["member"] == "delta"
    assert "delta" in told("liability")
    assert json.loads(told("liability", "--json"))["by_age"]
