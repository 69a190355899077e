"""which days were written as statements, and lines that were seen after theirs was

The new column is null, so the table is not rewritten. Statements of before are not known here: a
line of such a day that is seen only now is a gap in the chain, as it was.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "stripe_0004"
down_revision = "stripe_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("stripe_line", sa.Column("late_on", sa.Date(), nullable=True))
    op.create_index(
        "ix_stripe_line_late_on",
        "stripe_line",
        ["account", "late_on"],
        postgresql_where=sa.text("late_on is not null"),
    )
    op.create_table(
        "stripe_statement",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column(
            "written_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("account", "currency", "day", name="pk_stripe_statement"),
        comment="Days of the balance that were written as statements: nothing is added to them.",
    )
    op.execute(
        "create trigger insert_only before update or delete on stripe_statement "
        "for each row execute function marketplace_forbid_change()"
    )
    op.execute(
        "create trigger insert_only_truncate before truncate on stripe_statement "
        "for each statement execute function marketplace_forbid_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("the balance's lines are never changed: restore a backup instead")
