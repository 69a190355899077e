"""charges of banks, and money between accounts of the house, on lines of statements

The new columns of `settlement_bank_entry` and `settlement_bank_match` are null or a constant, so
neither table is rewritten or read; the new index is of rows that no one has yet.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "settlement_0010"
down_revision = "settlement_0009"
branch_labels = None
depends_on = None

RULES = ("charge", "own", "own_reference", "own_amount")


def upgrade() -> None:
    for rule in RULES:
        op.execute(f"alter type settlement_match_rule add value '{rule}' before 'person'")
    op.add_column(
        "settlement_bank_entry",
        sa.Column("charge", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column(
        "settlement_bank_entry",
        sa.Column("own", postgresql.JSONB(none_as_null=True), nullable=True),
    )
    op.add_column("settlement_bank_match", sa.Column("move_id", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_settlement_bank_match_move_id",
        "settlement_bank_match",
        ["move_id"],
        postgresql_where="move_id is not null",
    )
    op.create_table(
        "settlement_bank_move",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("open_micros", sa.BigInteger(), nullable=False),
        sa.Column("elsewhere", sa.Boolean(), nullable=False),
        sa.Column("references", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["settlement_bank_account.id"],
            name=op.f("fk_settlement_bank_move_account_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_bank_move")),
        sa.UniqueConstraint("account_id", "name", name="uq_settlement_bank_move_name"),
    )
    op.create_index(
        "ix_settlement_bank_move_open",
        "settlement_bank_move",
        ["account_id"],
        postgresql_where="open_micros <> 0",
    )


def downgrade() -> None:
    raise NotImplementedError("what was booked is on record: restore a backup instead")
