"""payments, events, connected accounts, lines of the balance"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "stripe_0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")
INSERT_ONLY = ("stripe_event", "stripe_line", "stripe_sweep")


def upgrade() -> None:
    _payments()
    _events()
    _balance()
    for table in INSERT_ONLY:
        _keep(table)


def _keep(table: str) -> None:
    """Rows are never changed or deleted."""
    op.execute(
        f"create trigger insert_only before update or delete on {table} "
        "for each row execute function marketplace_forbid_change()"
    )
    op.execute(
        f"create trigger insert_only_truncate before truncate on {table} "
        "for each statement execute function marketplace_forbid_change()"
    )


def _payments() -> None:
    op.create_table(
        "stripe_payment",
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="1", nullable=False),
        sa.Column("first_sent_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("sent_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("seen_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "direction in ('collect', 'pay')", name=op.f("ck_stripe_payment_direction_is_known")
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_stripe_payment_amount_is_positive")),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_stripe_payment")),
        sa.UniqueConstraint("object_id", name=op.f("uq_stripe_payment_object_id")),
        comment="Every leg that was ever sent to Stripe, written before it was sent.",
    )


def _events() -> None:
    op.create_table(
        "stripe_event",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("happened_at", MOMENT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", MOMENT, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stripe_event")),
        comment="What Stripe sent, its signature checked, encrypted; each once. Kept for evidence.",
    )
    op.create_index("ix_stripe_event_received_at", "stripe_event", ["received_at"])
    op.create_table(
        "stripe_account",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("transfers", sa.Text(), server_default="unknown", nullable=False),
        sa.Column("payouts_enabled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("wanted", sa.Text(), server_default="", nullable=False),
        sa.Column("stale", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stripe_account")),
        sa.UniqueConstraint("member_id", name=op.f("uq_stripe_account_member_id")),
        comment="Connected accounts of members, and what they may do as Stripe last said.",
    )


def _balance() -> None:
    op.create_table(
        "stripe_line",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("available_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "net_minor = amount_minor - fee_minor",
            name=op.f("ck_stripe_line_net_is_amount_less_fee"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stripe_line")),
        comment="Every movement of the balance at Stripe, as its ledger has it; fees beside.",
    )
    op.create_index("ix_stripe_line_account_made_at", "stripe_line", ["account", "made_at"])
    op.create_table(
        "stripe_sweep",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("swept_to", MOMENT, nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("ended_at", MOMENT, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stripe_sweep")),
        comment="Passes over the balance that came to their end.",
    )


def downgrade() -> None:
    raise NotImplementedError("what was paid is on record: restore a backup instead")
