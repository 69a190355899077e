"""bank accounts, statements, matches, breaks"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "settlement_0004"
down_revision = "settlement_0003"
branch_labels = None
depends_on = None

FIXED = ("settlement_bank_statement", "settlement_bank_entry", "settlement_bank_match")


def upgrade() -> None:
    op.create_table(
        "settlement_bank_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rail", sa.String(), nullable=False),
        sa.Column("identifier", sa.String(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_bank_account")),
        sa.UniqueConstraint(
            "identifier", "currency", name="uq_settlement_bank_account_identifier_currency"
        ),
    )
    op.create_table(
        "settlement_bank_statement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("statement", "report", "notification", name="settlement_statement_kind"),
            nullable=False,
        ),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("to_on", sa.Date(), nullable=False),
        sa.Column("opening_micros", sa.BigInteger(), nullable=True),
        sa.Column("closing_micros", sa.BigInteger(), nullable=True),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("file_sha256", sa.String(), nullable=False),
        sa.Column("imported_by", sa.String(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["settlement_bank_account.id"],
            name=op.f("fk_settlement_bank_statement_account_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_bank_statement")),
        sa.UniqueConstraint(
            "account_id", "content_hash", name="uq_settlement_bank_statement_content"
        ),
    )
    op.create_index(
        "ix_settlement_bank_statement_to_on",
        "settlement_bank_statement",
        ["account_id", "to_on", "id"],
        unique=False,
    )
    op.create_table(
        "settlement_bank_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Integer(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("valued_on", sa.Date(), nullable=True),
        sa.Column(
            "state",
            sa.Enum("booked", "pending", "info", name="settlement_entry_state"),
            nullable=False,
        ),
        sa.Column("reversal", sa.Boolean(), nullable=False),
        sa.Column("end_to_end_ids", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("instruction_id", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("payment_information_id", sa.String(), nullable=False),
        sa.Column("mandate_id", sa.String(), nullable=False),
        sa.Column("bank_reference", sa.String(), nullable=False),
        sa.Column("entry_reference", sa.String(), nullable=False),
        sa.Column("structured_reference", sa.String(), nullable=False),
        sa.Column("counterparty_name", sa.String(), nullable=False),
        sa.Column("counterparty_account", sa.String(), nullable=False),
        sa.Column("remittance", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("return_code", sa.String(), nullable=False),
        sa.Column("return_text", sa.String(), nullable=False),
        sa.Column("payments", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["statement_id"],
            ["settlement_bank_statement.id"],
            name=op.f("fk_settlement_bank_entry_statement_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_bank_entry")),
        sa.UniqueConstraint(
            "statement_id", "position", "detail", name="uq_settlement_bank_entry_place"
        ),
    )
    op.create_index(
        "ix_settlement_bank_entry_account",
        "settlement_bank_entry",
        ["account_id", "booked_on"],
        unique=False,
    )
    op.create_table(
        "settlement_bank_line_state",
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("new", "matched", "open", "explained", "hint", name="settlement_line_status"),
            nullable=False,
        ),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_settlement_bank_line_state")),
    )
    op.create_index(
        "ix_settlement_bank_line_state_waiting",
        "settlement_bank_line_state",
        ["status", "place"],
        unique=False,
        postgresql_where="status in ('new', 'open', 'hint')",
    )
    op.create_table(
        "settlement_bank_match",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("leg_id", sa.Uuid(), nullable=True),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("undoes_id", sa.Uuid(), nullable=True),
        sa.Column(
            "rule",
            sa.Enum(
                "end_to_end",
                "bank_reference",
                "text",
                "batch",
                "split",
                "return",
                "prefund",
                "amount_and_party",
                "person",
                name="settlement_match_rule",
            ),
            nullable=False,
        ),
        sa.Column("confidence", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "confidence between 0 and 100",
            name=op.f("ck_settlement_bank_match_confidence_is_percent"),
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["settlement_bank_entry.id"],
            name=op.f("fk_settlement_bank_match_entry_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_bank_match")),
        sa.UniqueConstraint("undoes_id", name=op.f("uq_settlement_bank_match_undoes_id")),
    )
    op.create_index(
        "ix_settlement_bank_match_entry_id", "settlement_bank_match", ["entry_id"], unique=False
    )
    op.create_index(
        "ix_settlement_bank_match_leg_id", "settlement_bank_match", ["leg_id"], unique=False
    )
    op.create_table(
        "settlement_bank_suggestion",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("leg_id", sa.Uuid(), nullable=False),
        sa.Column(
            "rule", postgresql.ENUM(name="settlement_match_rule", create_type=False), nullable=False
        ),
        sa.Column("confidence", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "proposed", "accepted", "refused", "overtaken", name="settlement_suggestion_status"
            ),
            nullable=False,
        ),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_bank_suggestion")),
        sa.UniqueConstraint("entry_id", "leg_id", name="uq_settlement_bank_suggestion_pair"),
    )
    op.create_table(
        "settlement_bank_break",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "missing",
                "duplicate",
                "amount_differs",
                "unknown_payer",
                "returned",
                "late",
                "statement_gap",
                name="settlement_break_kind",
            ),
            nullable=False,
        ),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.Column("leg_id", sa.Uuid(), nullable=True),
        sa.Column("statement_id", sa.Uuid(), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("open", "proposed", "resolved", "gone", name="settlement_break_status"),
            nullable=False,
        ),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "action",
            sa.Enum(
                "note",
                "match",
                "prefund",
                "rounding",
                "fees",
                "contra",
                "repay",
                "write_off",
                name="settlement_break_action",
            ),
            nullable=True,
        ),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("proposed_by", sa.String(), nullable=True),
        sa.Column("resolved_by", sa.String(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_bank_break")),
        sa.UniqueConstraint("kind", "subject_id", name="uq_settlement_bank_break_subject"),
    )
    op.create_index(
        "ix_settlement_bank_break_open",
        "settlement_bank_break",
        ["kind", "opened_at"],
        unique=False,
        postgresql_where="status in ('open', 'proposed')",
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
