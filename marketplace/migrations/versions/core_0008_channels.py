"""channels of plugins that carry notices"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ENUM

revision = "core_0008"
down_revision = "core_0007_trust"
branch_labels = None
depends_on = None

STATUS = ENUM("due", "sent", "failed", "expired", name="mail_status", create_type=False)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Tables notice_channel and notice_delivery."""
    op.create_table(
        "notice_channel",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("categories", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("confirmed_at", MOMENT, nullable=True),
        sa.Column(
            "created_at", MOMENT, server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("person_id", "channel", name=op.f("pk_notice_channel")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_notice_channel_person_id")
        ),
    )
    _delivery()


def _delivery() -> None:
    op.create_table(
        "notice_delivery",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("asks", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("status", STATUS, server_default="due", nullable=False),
        sa.Column("due_at", MOMENT, server_default=sa.text("statement_timestamp()"), nullable=True),
        sa.Column("give_up_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column(
            "created_at", MOMENT, server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("person_id", "id", "channel", name=op.f("pk_notice_delivery")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_notice_delivery_person_id")
        ),
        sa.CheckConstraint(
            "(status = 'due') = (due_at is not null)",
            name=op.f("ck_notice_delivery_due_has_a_time"),
        ),
    )
    op.create_index(
        "ix_notice_delivery_due",
        "notice_delivery",
        ["channel", "due_at"],
        postgresql_where="due_at is not null",
    )
    op.create_index("ix_notice_delivery_created_at", "notice_delivery", ["created_at"])


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
