"""A ledger from before running totals is upgraded: contracts are filled in, all is counted once."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from marketplace.db import Database
from marketplace.ids import uuid7
from marketplace.schema import alembic_config, histories, upgrade_all
from tests.conftest import execute, make_settings
from tests.settlement.closing import catch_up
from tests.settlement.test_windows import sums_of, totals_of

ROWS = """
insert into member (id, slug, name, country) values ('{shop}', 'shop', 'Shop', 'DE');
insert into contract (id, reference, member_id, role, funding, currency, price_micros, breakage,
                      valid_from, valid_to)
values ('{old}', 'C-1', '{shop}', 'acceptor', 'redemption', 'EUR', 1, 'operator',
        '2020-01-01', '2026-01-01'),
       ('{new}', 'C-2', '{shop}', 'acceptor', 'redemption', 'EUR', 1, 'operator',
        '2026-01-01', null);
insert into burn_resolution (burn_id, wallet_id, outcome, reason, effective_at)
values ('{burn}', '{wallet}', 'captured', '', '2025-12-31');
insert into obligation (wallet_id, id, window_id, kind, funding, issuer_id, acceptor_id,
    contract_id, burn_id, lot_id, points, currency, funded_micros, cost_micros, effective_at)
select '{wallet}', n, w.id, kind::obligation_kind, 'redemption', '{shop}', '{shop}', '{old}',
       '{burn}', 1, 5, 'EUR', 40, 35, at::timestamptz
from settlement_window w,
     (values (1, 'capture', '2025-12-31'), (2, 'refund', '2026-02-01')) as v(n, kind, at);
"""


def _upgrade(connection: Any) -> None:
    command.upgrade(alembic_config(connection, histories({})[0]), "core_0011")


async def test_old_rows_are_counted_once(bare_url: str) -> None:
    names = ("shop", "old", "new", "burn", "wallet")
    ids = {name: str(uuid7()) for name in names}
    owner = Database(bare_url, role=None, pool_size=0)
    async with owner.engine.begin() as connection:
        await connection.run_sync(_upgrade)
    await execute(bare_url, ROWS.format_map(ids))
    await upgrade_all(make_settings(bare_url))
    async with owner.begin() as session:
        found = await session.scalars(sa.text("select acceptor_contract_id from obligation"))
        assert {str(each) for each in found} == {ids["old"]}
        await session.execute(sa.text("select 1"))
    for _ in range(2):
        await catch_up(owner)
        assert await totals_of(owner) == await sums_of(owner) != {}
    async with owner.begin() as session:
        with pytest.raises(sa.exc.DBAPIError, match="insert-only"):
            await session.execute(sa.text("update obligation set points = 1"))
    await owner.close()
