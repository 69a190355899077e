"""legs of more than Stripe moves at once are paid in parts, each a row of its own

What was sent before is all of its leg. The new columns have a constant default, so the table is not
rewritten.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "stripe_0005"
down_revision = "stripe_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("part", "parts"):
        op.add_column(
            "stripe_payment", sa.Column(name, sa.SmallInteger(), server_default="1", nullable=False)
        )
    op.drop_constraint("pk_stripe_payment", "stripe_payment")
    op.create_primary_key("pk_stripe_payment", "stripe_payment", ["reference", "part"])
    op.create_check_constraint(
        op.f("ck_stripe_payment_part_is_one_of_its_parts"),
        "stripe_payment",
        "part between 1 and parts",
    )


def downgrade() -> None:
    raise NotImplementedError("what was sent in parts is not one payment: restore a backup instead")
