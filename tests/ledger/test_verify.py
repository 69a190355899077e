"""`marketplace ledger verify` holds on a busy ledger and names every row that was tampered with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from marketplace.cli import main
from marketplace.db import Database
from marketplace.ledger.checks import ALL
from marketplace.ledger.verify import run_check, verify
from marketplace.runtime import Runtime, open_runtime
from tests.conftest import SECRET_KEY, FreshDatabase, execute, make_settings
from tests.factories import Coalition
from tests.ledger.busy import make_busy
from tests.ledger.driver import Driver


@dataclass
class Tampering:
    """What somebody does to the tables; the statement returns what a finding must name.

    Each check is tampered with in the least way; `also` are the other checks that must notice.
    """

    statement: str
    also: str = ""


TAMPERINGS = {
    "wallet_owners": Tampering(
        "update wallet set sponsor_id = gen_random_uuid() where id = '{ann}' returning id"
    ),
    "lot_references": Tampering(
        "update lot set contract_id = gen_random_uuid() where reference = 'A2' returning id"
    ),
    "burn_references": Tampering(
        "update burn set offer_id = gen_random_uuid() where id = '{held}' returning id"
    ),
    "gift_references": Tampering(
        "insert into burn_gift (id, wallet_id, burn_id, from_participant_id, to_participant_id, "
        "message, given_at) select '{held}', '{bob}', '{held}', participant_id, '{bob}', '', now() "
        "from wallet where id = '{ann}' returning burn_id"
    ),
    "draw_references": Tampering(
        "update draw set lot_id = 1 where burn_id = '{held}' and position > 0 returning id",
        also="lot_remaining exposure",
    ),
    "idempotency_keys": Tampering(
        "update idempotency_key set caller_id = '{ann}' where subject_id = '{held}' returning key"
    ),
    "transfer_shape": Tampering(
        "update transfer set window_id = (select id from settlement_window) "
        "where burn_id = '{held}' returning id"
    ),
    "transfer_owners": Tampering(
        "update transfer set credit_owner = '{beta}' "
        "where credit_account = 'operator_margin' and burn_id = '{pooled}' returning credit_owner",
        also="obligation_transfers",
    ),
    "stock": Tampering("update offer_stock set remaining = -1 returning 'lamp'"),
    "offer_closures": Tampering(
        """update offer set closed = '{{"cause": "breaker"}}' where reference = 'lamp' """
        "returning reference"
    ),
    "lot_issue": Tampering(
        "delete from transfer where code = 'issue' and lot_id = {A2} returning lot_id",
        also="issuer_points wallet_transfers",
    ),
    "lot_remaining": Tampering(
        "update lot set remaining = remaining - 1 where reference = 'A2' returning id",
        also="issuer_points wallet_lots",
    ),
    "lot_expiry": Tampering(
        "update transfer set credit_owner = '{beta}' "
        "where code = 'expire' and unit = 'POINTS' returning lot_id",
        also="issuer_points",
    ),
    "issuer_points": Tampering(
        "update transfer set credit_owner = '{beta}' "
        "where credit_account = 'issuer_redeemed' and burn_id = '{pooled}' returning 'beta'",
        also="burn_transfers",
    ),
    "wallet_transfers": Tampering(
        "update transfer set debit_account = 'wallet_held', credit_account = 'wallet_available' "
        "where burn_id = '{held}' returning wallet_id",
        also="transfer_shape",
    ),
    "wallet_lots": Tampering(
        "update wallet set available = available + 1 where id = '{ann}' returning id",
        also="wallet_transfers",
    ),
    "hold_chain": Tampering(
        "update transfer set previous_hold_id = null where burn_id = '{held}' and code = 'hold' "
        "returning id"
    ),
    "held_burns": Tampering(
        "update burn set status = 'captured' where id = '{held}' returning wallet_id",
        also="wallet_lots issuer_points resolutions confirmations burn_transfers "
        "capture_obligations burn_cost pools exposure",
    ),
    "resolutions": Tampering(
        "update burn_resolution set outcome = 'voided' where burn_id = '{pooled}' returning burn_id"
    ),
    "confirmations": Tampering(
        "delete from supplier_confirmation where burn_id = '{pooled}' returning burn_id"
    ),
    "draws_sum": Tampering(
        "update draw set points = points + 1 where burn_id = '{lamp}' returning burn_id",
        also="lot_remaining issuer_points wallet_lots exposure",
    ),
    "draws_tile": Tampering(
        "update draw set position = position + 1 where burn_id = '{held}' and position > 0 "
        "returning id"
    ),
    "restores_sum": Tampering(
        "update draw set points = points + 1 where burn_id = '{voided}' and kind = 'restore' "
        "returning burn_id",
        also="restores_tile restore_lots lot_remaining",
    ),
    "restores_tile": Tampering(
        "update draw set position = position - 1 "
        "where burn_id = '{captured}' and kind = 'restore' and points = 33 returning id"
    ),
    "restore_lots": Tampering(
        "update draw set lot_id = {B1} where burn_id = '{voided}' and kind = 'restore' "
        "returning id",
        also="draw_references lot_remaining",
    ),
    "refunds": Tampering(
        "update refund set points = points + 1 where burn_id = '{refunded}' returning burn_id"
    ),
    "burn_transfers": Tampering(
        "update transfer set amount = amount + 1 where burn_id = '{held}' returning burn_id",
        also="wallet_transfers",
    ),
    "limits": Tampering("update burn set quantity = 5 where id = '{lamp}' returning wallet_id"),
    "lot_funding": Tampering(
        "update lot set funding = 'mixed' where reference = 'A2' returning id"
    ),
    "obligation_terms": Tampering(
        "update obligation set contract_id = gen_random_uuid() where lot_id = {G2} "
        "and kind = 'capture' and burn_id = '{pooled}' returning id"
    ),
    "capture_obligations": Tampering(
        "update obligation set cost_micros = cost_micros + 1 "
        "where burn_id = '{pooled}' returning burn_id",
        also="burn_cost obligation_transfers",
    ),
    "refund_obligations": Tampering(
        "update obligation set cost_micros = cost_micros - 1 "
        "where burn_id = '{captured}' and kind = 'refund' and points = -33 returning burn_id",
        also="burn_cost obligation_transfers",
    ),
    "burn_cost": Tampering(
        "update burn set cost_micros = cost_micros + 1 where id = '{pooled}' returning id",
        also="capture_obligations",
    ),
    "issuance_obligations": Tampering(
        "delete from obligation where kind = 'issuance' and lot_id = {G3} returning lot_id",
        also="obligation_transfers",
    ),
    "expiry_obligations": Tampering(
        "update obligation set points = points + 1, funded_micros = funded_micros + 8000, "
        "cost_micros = cost_micros + 4000 where kind = 'expiry' returning lot_id",
        also="obligation_transfers",
    ),
    "breakage": Tampering(
        "update obligation set cost_micros = cost_micros + 1 where kind = 'expiry' returning id",
        also="obligation_transfers",
    ),
    "obligation_transfers": Tampering(
        "update transfer set amount = amount + 1 where debit_account = 'issuer_receivable' "
        "and credit_account = 'acceptor_payable' and burn_id = '{captured}' returning 'shop'"
    ),
    "positions": Tampering(
        "update obligation set acceptor_id = gen_random_uuid() "
        "where burn_id = '{pooled}' returning window_id",
        also="obligation_terms obligation_transfers",
    ),
    "debts": Tampering("update member_debt set undoes_id = 5 where reference = 'T3' returning id"),
    "pools": Tampering(
        "update transfer set amount = amount + 1 "
        "where debit_account = 'issuer_pool' and burn_id = '{pooled}' "
        "and credit_account = 'acceptor_payable' returning 'gamma'",
        also="obligation_transfers",
    ),
    "exposure": Tampering("update exposure set used_micros = used_micros + 1 returning 'alpha'"),
    "windows": Tampering(
        "update obligation set window_id = gen_random_uuid() "
        "where burn_id = '{pooled}' returning window_id",
        also="obligation_transfers",
    ),
    "totals": Tampering(
        "insert into window_total select window_id, currency, kind::text, funding, issuer_id, "
        "acceptor_id, contract_id, acceptor_contract_id, 1, points, funded_micros, cost_micros, "
        "txid, txid from obligation where burn_id = '{pooled}' returning window_id"
    ),
}


@pytest.fixture(scope="module")
def busy(fresh_database: FreshDatabase) -> Iterator[tuple[str, dict[str, str]]]:
    """The URL of a busy ledger, built once, and the ids in it by name."""
    with fresh_database() as url:
        yield url, asyncio.run(_build(url))


async def _build(url: str) -> dict[str, str]:
    async with open_runtime(make_settings(url)) as runtime:
        coalition = await Coalition.make(runtime)
        burns = await make_busy(coalition)
        async with runtime.database.begin() as session:
            rows = await session.execute(sa.text("select reference, id from lot"))
            lots = {row.reference: row.id for row in rows}
    named = burns | coalition.members | coalition.wallets | lots
    return {key: str(value) for key, value in named.items()}


def test_every_check_is_tampered_with() -> None:
    assert list(TAMPERINGS) == [check.name for check in ALL]


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_tampering_is_named(name: str, busy: tuple[str, dict[str, str]]) -> None:
    url, ids = busy
    tampering = TAMPERINGS[name]
    owner = Database(url, role=None, pool_size=0)
    async with owner.begin() as session:
        connection = await session.connection()
        # No trigger fires for a replica, so the insert-only tables can be changed.
        await connection.exec_driver_sql("set local session_replication_role = replica")
        await connection.exec_driver_sql(
            "alter table offer_stock drop constraint ck_offer_stock_remaining_is_not_negative"
        )
        tampered = (
            (await connection.exec_driver_sql(tampering.statement.format_map(ids))).scalars().all()
        )
        assert tampered, "the tampering must hit a row"
        findings = {
            check.name: found
            for check in ALL
            if (found := await run_check(session, check, 50)) is not None
        }
        await session.rollback()
    await owner.close()
    assert set(findings) == {name, *tampering.also.split()}
    subjects = " ".join(example.subject for example in findings[name].examples)
    assert all(str(each) in subjects for each in tampered)


async def test_a_busy_ledger_is_right(runtime: Runtime, coalition: Coalition) -> None:
    await make_busy(coalition)
    async with runtime.database.begin() as session:
        assert await verify(session) == []


async def test_an_empty_ledger_is_right(runtime: Runtime) -> None:
    async with runtime.database.begin() as session:
        assert await verify(session) == []


@pytest.fixture
def command_line(database_url: str, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line on the test's database."""
    monkeypatch.setenv("MARKETPLACE_DATABASE_URL", database_url)
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)
    return CliRunner()


def test_the_command_says_what_is_wrong_and_exits_1(
    command_line: CliRunner, database_url: str
) -> None:
    clean = command_line.invoke(main, ["ledger", "verify"])
    assert clean.exit_code == 0, clean.output
    count = clean.output.count("ok    ")
    assert f"The ledger is right: {count} invariants hold." in clean.output
    assert count > len(ALL)  # those of plugins too
    assert "ok    settlement_positions" in clean.output
    asyncio.run(
        execute(
            database_url,
            "insert into exposure (member_id, used_micros) "
            "select gen_random_uuid(), 5 from generate_series(1, 7)",
        )
    )
    wrong = command_line.invoke(main, ["ledger", "verify", "--examples", "2"])
    assert wrong.exit_code == 1
    assert "WRONG exposure" in wrong.output
    assert "expected: 0 micros = 0 held + 0 unsettled" in wrong.output
    assert wrong.output.count("found:    5 micros") == 2
    assert "and 5 more" in wrong.output


async def test_verify_is_clean_while_burns_are_made(
    runtime: Runtime, coalition: Coalition, drive: Driver
) -> None:
    await coalition.issue("ann", 40_000)

    async def trade() -> None:
        for _ in range(20):
            burn_id = await drive.burn("ann", "card")
            await drive.capture("ann", burn_id)

    trading = asyncio.create_task(trade())
    rounds = 0
    while not trading.done():
        async with runtime.database.begin() as session:
            assert await verify(session) == []
        rounds += 1
    await trading
    assert rounds > 1
