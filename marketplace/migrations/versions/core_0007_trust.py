"""what suppliers last said of an order, what processes count, what trouble plugins make"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "core_0007_trust"
down_revision = "core_0004_plugins"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tables order_trouble, tally and plugin_trouble."""
    op.create_table(
        "order_trouble",
        sa.Column("burn_id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("answers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("burn_id", "wallet_id", name=op.f("pk_order_trouble")),
    )
    op.create_table(
        "tally",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("plugin", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column(
            "counted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", "plugin", "label", name=op.f("pk_tally")),
    )
    op.create_table(
        "plugin_trouble",
        sa.Column("plugin", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column(
            "last_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("plugin", "kind", name=op.f("pk_plugin_trouble")),
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
