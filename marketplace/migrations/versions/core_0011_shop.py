"""burns of offers by the hour"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "core_0011"
down_revision = "core_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tables offer_tally and offer_tally_mark, which begins before every burn."""
    op.create_table(
        "offer_tally",
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("burns", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("offer_id", "hour", name=op.f("pk_offer_tally")),
    )
    op.create_table(
        "offer_tally_mark",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("counted_to", sa.Uuid(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_offer_tally_mark_mark_is_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer_tally_mark")),
    )
    op.execute(
        "insert into offer_tally_mark (id, counted_to) "
        "values (1, '00000000-0000-0000-0000-000000000000')"
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
