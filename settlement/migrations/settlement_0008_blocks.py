"""files of payments say what the bank calls them; numbers of banks have 18 digits"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "settlement_0008"
down_revision = "settlement_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "settlement_file",
        sa.Column("message_id", sa.String(), server_default="", nullable=False),
    )
    op.add_column(
        "settlement_file",
        sa.Column(
            "blocks",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
        ),
    )
    op.create_index("ix_settlement_file_message_id", "settlement_file", ["message_id"])
    op.create_index(
        "ix_settlement_file_blocks", "settlement_file", ["blocks"], postgresql_using="gin"
    )
    for table, column in (
        ("settlement_bank_statement", "number"),
        ("settlement_bank_entry", "payments"),
    ):
        op.alter_column(
            table,
            column,
            existing_type=sa.Integer(),
            type_=sa.BigInteger(),
            existing_nullable=True,
        )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
