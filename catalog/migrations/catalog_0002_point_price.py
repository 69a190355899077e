"""what a point is worth, as the coalition publishes it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "catalog_0002"
down_revision = "catalog_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Table catalog_point_price."""
    op.create_table(
        "catalog_point_price",
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "price_micros > 0", name=op.f("ck_catalog_point_price_price_is_positive")
        ),
        sa.PrimaryKeyConstraint("currency", name=op.f("pk_catalog_point_price")),
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")
