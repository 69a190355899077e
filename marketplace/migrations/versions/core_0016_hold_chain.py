"""transfers are found by time, those of a wallet by an index that burning does not write"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "core_0016"
down_revision = "core_0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("wallet", sa.Column("last_hold_id", sa.BigInteger(), nullable=True))
    # Holds from before have no value here, so the index below finds them: no row is rewritten.
    op.add_column("transfer", sa.Column("previous_hold_id", sa.BigInteger(), nullable=True))
    op.drop_constraint(op.f("pk_transfer"), "transfer")
    op.create_primary_key(op.f("pk_transfer"), "transfer", ["id", "wallet_id"])
    op.create_index(
        "ix_transfer_of_wallet",
        "transfer",
        ["wallet_id", "id"],
        postgresql_where="previous_hold_id is null and unit = 'POINTS'",
    )
    op.execute("create type engine_offer as (id uuid, version bigint)")
    op.execute(
        "alter type engine_burn add attribute wallet_at tid, add attribute previous_hold_id bigint"
    )
    op.execute("alter type engine_draw add attribute lot_at tid")


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
