"""a burn may name what was chosen beforehand, at a price that was promised for it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "core_0022"
down_revision = "core_0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("burn", sa.Column("selection", sa.String(), nullable=True))
    op.execute("alter type engine_burn add attribute selection text")
    op.create_table(
        "price_promise",
        sa.Column("selection", sa.String(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("points > 0", name=op.f("ck_price_promise_points_are_positive")),
        sa.PrimaryKeyConstraint("selection", "offer_id", name=op.f("pk_price_promise")),
    )
    op.create_index("ix_price_promise_until", "price_promise", ["until"])


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
