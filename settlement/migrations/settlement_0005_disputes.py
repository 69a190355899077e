"""disputes, what settlements did with their lines, adjustments"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "settlement_0005"
down_revision = "settlement_0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
FIXED = ("settlement_disputed_line", "settlement_adjustment")


def upgrade() -> None:
    _disputes()
    op.create_table(
        "settlement_disputed_line",
        sa.Column("settlement_id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "action", sa.Enum("frozen", "released", name="settlement_line_action"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlement_settlement.id"],
            name=op.f("fk_settlement_disputed_line_settlement_id"),
        ),
        sa.PrimaryKeyConstraint(
            "settlement_id", "wallet_id", "line_id", name=op.f("pk_settlement_disputed_line")
        ),
    )
    op.create_index(
        "ix_settlement_disputed_line_line",
        "settlement_disputed_line",
        ["wallet_id", "line_id"],
        unique=False,
    )
    op.create_table(
        "settlement_adjustment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dispute_id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("debt_id", sa.BigInteger(), nullable=False),
        sa.Column("window_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dispute_id"],
            ["settlement_dispute.id"],
            name=op.f("fk_settlement_adjustment_dispute_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_adjustment")),
        sa.UniqueConstraint(
            "wallet_id",
            "line_id",
            "part",
            name=op.f("uq_settlement_adjustment_wallet_id_line_id_part"),
        ),
    )
    for table in FIXED:
        op.execute(
            f"create trigger insert_only before update or delete on {table} "
            "for each row execute function marketplace_forbid_change()"
        )
        op.execute(
            f"create trigger insert_only_truncate before truncate on {table} "
            "for each statement execute function marketplace_forbid_change()"
        )


def _disputes() -> None:
    op.create_table(
        "settlement_dispute",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("window_id", sa.Uuid(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("open", "upheld", "rejected", "withdrawn", name="settlement_dispute_status"),
            nullable=False,
        ),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("decide_by", MOMENT, nullable=False),
        sa.Column(
            "default_outcome",
            sa.Enum("rejected", "upheld", name="settlement_dispute_default"),
            nullable=False,
        ),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("note", sa.String(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_dispute")),
    )
    for column in ("member_id", "window_id"):
        op.create_index(
            f"ix_settlement_dispute_{column}", "settlement_dispute", [column], unique=False
        )
    op.create_index(
        "ix_settlement_dispute_to_decide",
        "settlement_dispute",
        ["decide_by"],
        unique=False,
        postgresql_where="status = 'open'",
    )
    op.create_table(
        "settlement_dispute_line",
        sa.Column("dispute_id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("window_id", sa.Uuid(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dispute_id"],
            ["settlement_dispute.id"],
            name=op.f("fk_settlement_dispute_line_dispute_id"),
        ),
        sa.PrimaryKeyConstraint(
            "dispute_id", "wallet_id", "line_id", name=op.f("pk_settlement_dispute_line")
        ),
    )
    op.create_index(
        "uq_settlement_dispute_line_once",
        "settlement_dispute_line",
        ["wallet_id", "line_id"],
        unique=True,
        postgresql_where="holds",
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
