"""names of codes in the languages of their readers, hours of digests"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "core_0009"
down_revision = "core_0008"
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
    op.add_column("person", sa.Column("time_zone", sa.String(), nullable=True))
    op.add_column(
        "person",
        sa.Column("digest_hour", sa.SmallInteger(), server_default="7", nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_person_digest_hour_is_an_hour"), "person", "digest_hour between 0 and 23"
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
