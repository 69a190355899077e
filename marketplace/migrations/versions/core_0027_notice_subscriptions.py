"""who asked a plugin for something and may be told what becomes of it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "core_0027"
down_revision = "core_0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice_subscription",
        sa.Column("plugin", sa.String(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_notice_subscription_person_id")
        ),
        sa.PrimaryKeyConstraint(
            "plugin", "about", "person_id", name=op.f("pk_notice_subscription")
        ),
    )
    op.create_index("ix_notice_subscription_created_at", "notice_subscription", ["created_at"])


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
