"""callbacks that were acted on"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "remote_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "remote_seen",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("member_id", "message_id", name=op.f("pk_remote_seen")),
    )
    op.create_index("ix_remote_seen_seen_at", "remote_seen", ["seen_at"])


def downgrade() -> None:
    op.drop_table("remote_seen")
