"""settlements, legs, the clearing house's own books, accounts of members, history"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "settlement_0001"
down_revision = None
branch_labels = None
depends_on = None

ACCOUNTS = (
    "member_due",
    "pool",
    "margin",
    "prefund",
    "in_transit",
    "bank",
    "rounding",
    "suspense",
)
ACCOUNT = postgresql.ENUM(*ACCOUNTS, name="settlement_account", create_type=False)
FIXED = ("settlement_event", "settlement_position", "settlement_posting", "settlement_file")


def upgrade() -> None:
    postgresql.ENUM(*ACCOUNTS, name="settlement_account").create(op.get_bind())
    op.create_table(
        "settlement_event",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "subject",
            sa.Enum(
                "window",
                "settlement",
                "leg",
                "account",
                "statement",
                "break",
                "dispute",
                "period",
                name="settlement_subject",
            ),
            nullable=False,
        ),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("before", sa.String(), nullable=True),
        sa.Column("after", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_event")),
    )
    op.create_index(
        "ix_settlement_event_subject",
        "settlement_event",
        ["subject", "subject_id", "id"],
        unique=False,
    )
    op.create_table(
        "settlement_pay_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("rail", sa.String(), nullable=False),
        sa.Column("account", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "proposed", "active", "replaced", "refused", name="settlement_pay_account_status"
            ),
            nullable=False,
        ),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_pay_account")),
    )
    op.create_index(
        "uq_settlement_pay_account_one_active",
        "settlement_pay_account",
        ["member_id", "currency"],
        unique=True,
        postgresql_where="status = 'active'",
    )
    op.create_table(
        "settlement_posting",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "code",
            sa.Enum(
                "net",
                "round",
                "submit",
                "book",
                "fail",
                "return",
                "prefund",
                "suspend",
                "explain",
                "reverse",
                name="settlement_posting_code",
            ),
            nullable=False,
        ),
        sa.Column("debit_account", ACCOUNT, nullable=False),
        sa.Column("debit_owner", sa.Uuid(), nullable=False),
        sa.Column("credit_account", ACCOUNT, nullable=False),
        sa.Column("credit_owner", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("settlement_id", sa.Uuid(), nullable=True),
        sa.Column("leg_id", sa.Uuid(), nullable=True),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "posted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "amount_micros > 0", name=op.f("ck_settlement_posting_amount_is_positive")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_posting")),
    )
    op.create_index(
        "ix_settlement_posting_entry_id", "settlement_posting", ["entry_id"], unique=False
    )
    op.create_index("ix_settlement_posting_leg_id", "settlement_posting", ["leg_id"], unique=False)
    op.create_index(
        "ix_settlement_posting_settlement_id", "settlement_posting", ["settlement_id"], unique=False
    )
    op.create_table(
        "settlement_settlement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column(
            "kind", sa.Enum("ordinary", "exceptional", name="settlement_kind"), nullable=False
        ),
        sa.Column(
            "mode", sa.Enum("multilateral", "bilateral", name="settlement_mode"), nullable=False
        ),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "recorded",
                "approved",
                "submitted",
                "settling",
                "settled",
                "aborted",
                name="settlement_status",
            ),
            nullable=False,
        ),
        sa.Column("origin_id", sa.Uuid(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=True),
        sa.Column("approved_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_settlement")),
        sa.UniqueConstraint("reference", name=op.f("uq_settlement_settlement_reference")),
    )
    op.create_table(
        "settlement_covered_window",
        sa.Column("settlement_id", sa.Uuid(), nullable=False),
        sa.Column("window_id", sa.Uuid(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlement_settlement.id"],
            name=op.f("fk_settlement_covered_window_settlement_id"),
        ),
        sa.PrimaryKeyConstraint(
            "settlement_id", "window_id", name=op.f("pk_settlement_covered_window")
        ),
    )
    op.create_index(
        "uq_settlement_covered_window_one_live",
        "settlement_covered_window",
        ["window_id"],
        unique=True,
        postgresql_where="live",
    )
    op.create_table(
        "settlement_file",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("settlement_id", sa.Uuid(), nullable=False),
        sa.Column("rail", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("leg_references", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlement_settlement.id"],
            name=op.f("fk_settlement_file_settlement_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_file")),
        sa.UniqueConstraint(
            "settlement_id", "name", name=op.f("uq_settlement_file_settlement_id_name")
        ),
    )
    op.create_table(
        "settlement_leg",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("settlement_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("counterparty_id", sa.Uuid(), nullable=True),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column(
            "direction", sa.Enum("collect", "pay", name="settlement_direction"), nullable=False
        ),
        sa.Column("net_micros", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("remainder_micros", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "planned",
                "submitted",
                "accepted",
                "booked",
                "rejected",
                "returned",
                "unknown",
                "cancelled",
                name="settlement_leg_status",
            ),
            nullable=False,
        ),
        sa.Column("rail", sa.String(), nullable=True),
        sa.Column("account", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("rail_reference", sa.String(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=True),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint(
            "amount_minor >= 0", name=op.f("ck_settlement_leg_amount_is_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlement_settlement.id"],
            name=op.f("fk_settlement_leg_settlement_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_leg")),
        sa.UniqueConstraint("reference", name=op.f("uq_settlement_leg_reference")),
        sa.UniqueConstraint("replaces_id", name=op.f("uq_settlement_leg_replaces_id")),
    )
    op.create_index(
        "ix_settlement_leg_settlement_id", "settlement_leg", ["settlement_id"], unique=False
    )
    op.create_index(
        "ix_settlement_leg_under_way",
        "settlement_leg",
        ["status"],
        unique=False,
        postgresql_where="status in ('planned', 'submitted', 'accepted', 'unknown')",
    )
    op.create_table(
        "settlement_position",
        sa.Column("settlement_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column(
            "party", sa.Enum("member", "operator", "pool", name="settlement_party"), nullable=False
        ),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("debit_micros", sa.BigInteger(), nullable=False),
        sa.Column("credit_micros", sa.BigInteger(), nullable=False),
        sa.Column("fee_micros", sa.BigInteger(), nullable=False),
        sa.Column("net_micros", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlement_settlement.id"],
            name=op.f("fk_settlement_position_settlement_id"),
        ),
        sa.PrimaryKeyConstraint(
            "settlement_id", "currency", "party", "member_id", name=op.f("pk_settlement_position")
        ),
    )
    for table in FIXED:
        op.execute(
            f"create trigger insert_only before update or delete on {table} "
            "for each row execute function marketplace_forbid_change()"
        )
        op.execute(
            f"create trigger insert_only_truncate before truncate on {table} "
            "for each statement execute function marketplace_forbid_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
