"""obligations are kept in order of time, and found by their burn"""

from __future__ import annotations

from alembic import op

revision = "core_0023"
down_revision = "core_0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Two indexes are built and no row is rewritten: some three seconds for a million obligations,
    # during which nothing is captured, refunded or issued.
    op.drop_constraint(op.f("pk_obligation"), "obligation")
    op.create_primary_key(op.f("pk_obligation"), "obligation", ["id", "wallet_id"])
    op.create_index(
        "ix_obligation_burn_id",
        "obligation",
        ["burn_id"],
        postgresql_where="burn_id is not null",
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
