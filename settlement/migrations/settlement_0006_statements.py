"""statements of members"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "settlement_0006"
down_revision = "settlement_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "settlement_statement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("window_id", sa.Uuid(), nullable=True),
        sa.Column("settlement_id", sa.Uuid(), nullable=True),
        sa.Column("prior_sha256", sa.String(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("head", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("sums", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_by", sa.String(), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(window_id, settlement_id) = 1",
            name=op.f("ck_settlement_statement_has_one_subject"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_statement")),
        sa.UniqueConstraint(
            "member_id", "number", name=op.f("uq_settlement_statement_member_id_number")
        ),
        sa.UniqueConstraint(
            "member_id", "window_id", name=op.f("uq_settlement_statement_member_id_window_id")
        ),
        sa.UniqueConstraint(
            "member_id",
            "settlement_id",
            name=op.f("uq_settlement_statement_member_id_settlement_id"),
        ),
    )
    op.execute(
        "create trigger insert_only before update or delete on settlement_statement "
        "for each row execute function marketplace_forbid_change()"
    )
    op.execute(
        "create trigger insert_only_truncate before truncate on settlement_statement "
        "for each statement execute function marketplace_forbid_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
