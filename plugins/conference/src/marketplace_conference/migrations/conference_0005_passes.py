"""passes in the wallets of phones are remembered, and told of what changes

Costs a moment: two tables that are empty.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "conference_0005"
down_revision = "conference_0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "conference_pass",
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("face", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["conference_ticket.id"], name=op.f("fk_conference_pass_ticket_id")
        ),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_conference_pass")),
        comment="A ticket that was given to a wallet: a digest of what its pass shows, since when.",
    )
    op.create_index("ix_conference_pass_version", "conference_pass", ["version"], unique=False)
    op.create_table(
        "conference_pass_copy",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("wallet", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), server_default="", nullable=False),
        sa.Column("push_token", sa.LargeBinary(), nullable=True),
        sa.Column("told", sa.Text(), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "wallet in ('apple', 'google')", name=op.f("ck_conference_pass_copy_wallet_is_known")
        ),
        sa.CheckConstraint(
            "(wallet = 'apple') = (push_token is not null)",
            name=op.f("ck_conference_pass_copy_only_apple_is_pushed"),
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"],
            ["conference_pass.ticket_id"],
            name=op.f("fk_conference_pass_copy_ticket_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_pass_copy")),
        sa.UniqueConstraint(
            "ticket_id",
            "wallet",
            "device",
            name=op.f("uq_conference_pass_copy_ticket_id_wallet_device"),
        ),
        comment="Where a pass is: a phone that registered it, or Google; what it was told of last.",
    )
    op.create_index(
        "ix_conference_pass_copy_device",
        "conference_pass_copy",
        ["device"],
        unique=False,
        postgresql_where="wallet = 'apple'",
    )
    op.create_index(
        "ix_conference_pass_copy_due_at",
        "conference_pass_copy",
        ["wallet", "due_at"],
        unique=False,
    )
