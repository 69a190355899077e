"""Past one machine: every hot table can be distributed by its distribution column."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from marketplace.tables import METADATA

DISTRIBUTED_BY = {
    "wallet": "id",
    "lot": "wallet_id",
    "draw": "wallet_id",
    "transfer": "wallet_id",
    "obligation": "wallet_id",
    "burn": "wallet_id",
    "burn_resolution": "wallet_id",
    "burn_gift": "wallet_id",
    "refund": "wallet_id",
    "supplier_confirmation": "wallet_id",
    "artefact": "wallet_id",
    "order_trouble": "wallet_id",
    "idempotency_key": "caller_id",
}


@pytest.mark.parametrize(("name", "column"), DISTRIBUTED_BY.items())
def test_every_unique_thing_of_a_hot_table_holds_its_distribution_column(
    name: str, column: str
) -> None:
    table = METADATA.tables[name]
    unique = [
        {each.name for each in constraint.columns}
        for constraint in table.constraints
        if isinstance(constraint, sa.PrimaryKeyConstraint | sa.UniqueConstraint)
    ]
    unique += [{each.name for each in index.columns} for index in table.indexes if index.unique]
    assert all(column in columns for columns in unique), unique


def test_a_table_that_grows_with_wallets_is_on_the_list() -> None:
    with_wallet = {table.name for table in METADATA.sorted_tables if "wallet_id" in table.c}
    assert with_wallet <= set(DISTRIBUTED_BY)


@pytest.mark.parametrize("name", DISTRIBUTED_BY)
def test_a_hot_table_has_no_foreign_key(name: str) -> None:
    assert not METADATA.tables[name].foreign_keys
