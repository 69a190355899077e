"""flows, batches of files, what legs are paid with, alerts of caps"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "settlement_0003"
down_revision = "settlement_0001"
branch_labels = None
depends_on = None

FLOW_KINDS = ("cost", "margin", "pool", "breakage", "fee", "debt", "default")
FIXED = ("settlement_flow", "settlement_batch")


def upgrade() -> None:
    party = postgresql.ENUM(
        "member", "operator", "pool", name="settlement_party", create_type=False
    )
    op.create_table(
        "settlement_flow",
        sa.Column("settlement_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("payer", party, nullable=False),
        sa.Column("payer_id", sa.Uuid(), nullable=False),
        sa.Column("payee", party, nullable=False),
        sa.Column("payee_id", sa.Uuid(), nullable=False),
        sa.Column("what", sa.Enum(*FLOW_KINDS, name="settlement_flow_kind"), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_micros > 0", name=op.f("ck_settlement_flow_amount_is_positive")),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlement_settlement.id"],
            name=op.f("fk_settlement_flow_settlement_id"),
        ),
        sa.PrimaryKeyConstraint(
            "settlement_id",
            "currency",
            "payer",
            "payer_id",
            "payee",
            "payee_id",
            "what",
            name=op.f("pk_settlement_flow"),
        ),
    )
    op.create_table(
        "settlement_batch",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("settlement_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("rail", sa.String(), nullable=False),
        sa.Column("house", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlement_settlement.id"],
            name=op.f("fk_settlement_batch_settlement_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_batch")),
        sa.UniqueConstraint("reference", name=op.f("uq_settlement_batch_reference")),
    )
    op.create_table(
        "settlement_cap_alert",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("used_micros", sa.BigInteger(), nullable=False),
        sa.Column("cap_micros", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_settlement_cap_alert")),
    )
    op.add_column("settlement_file", sa.Column("batch_id", sa.Uuid(), nullable=False))
    op.create_foreign_key(
        op.f("fk_settlement_file_batch_id"),
        "settlement_file",
        "settlement_batch",
        ["batch_id"],
        ["id"],
    )
    op.drop_constraint(op.f("uq_settlement_file_settlement_id_name"), "settlement_file")
    op.create_unique_constraint(
        op.f("uq_settlement_file_batch_id"), "settlement_file", ["batch_id", "name"]
    )
    for name in ("name", "text"):
        op.add_column(
            "settlement_leg", sa.Column(name, sa.String(), server_default="", nullable=False)
        )
    op.add_column("settlement_leg", sa.Column("batch_id", sa.Uuid(), nullable=True))
    op.add_column("settlement_leg", sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
    for name in ("pay_before_collected", "keep_prefund", "recover"):
        op.add_column(
            "settlement_settlement",
            sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False),
        )
    op.add_column(
        "settlement_settlement",
        sa.Column("trouble", sa.String(), server_default="", nullable=False),
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


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
