"""seats in carts that nobody will order are given back"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "pretix_0005"
down_revision = "pretix_0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "pretix_let_go",
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False, server_default=sa.func.statement_timestamp()),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("member_id", "place", "number", name="pk_pretix_let_go"),
        comment="Places in carts that nobody will order: each is given back before its time is"
        " over.",
    )
    op.create_index("ix_pretix_let_go_due_at", "pretix_let_go", ["due_at"])


def downgrade() -> None:
    op.drop_table("pretix_let_go")
