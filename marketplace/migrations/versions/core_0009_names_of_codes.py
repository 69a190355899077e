"""names of codes in the languages of their readers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "core_0009"
down_revision = "core_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Table code_name; hour and time zone of a person's digests."""
    op.create_table(
        "code_name",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("names", postgresql.JSONB(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_name")),
        sa.UniqueConstraint("code", name=op.f("uq_code_name_code")),
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
