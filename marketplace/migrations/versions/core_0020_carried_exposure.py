"""what counts against a cap though its window is settled"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "core_0020"
down_revision = "core_0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "carried_exposure",
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("cause_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column(
            "posted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("micros <> 0", name=op.f("ck_carried_exposure_micros_are_something")),
        sa.PrimaryKeyConstraint("origin", "cause_id", name=op.f("pk_carried_exposure")),
    )
    op.create_index("ix_carried_exposure_member_id", "carried_exposure", ["member_id"])
    op.execute(
        "create trigger insert_only before update or delete on carried_exposure "
        "for each row execute function marketplace_forbid_change()"
    )
    op.execute(
        "create trigger insert_only_truncate before truncate on carried_exposure "
        "for each statement execute function marketplace_forbid_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
