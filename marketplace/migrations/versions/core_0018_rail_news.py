"""what rails have heard of their legs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "core_0018"
down_revision = "core_0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rail_news",
        sa.Column("plugin", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column(
            "told_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("plugin", "reference", name=op.f("pk_rail_news")),
    )


def downgrade() -> None:
    op.drop_table("rail_news")
