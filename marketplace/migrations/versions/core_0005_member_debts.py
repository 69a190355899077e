"""money that members owe each other outside burns"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "core_0005"
down_revision = "core_0004_plugins"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Table member_debt; an account, a code and an event for the transfers that mirror it."""
    op.execute("alter type account add value 'member_clearing'")
    op.execute("alter type transfer_code add value 'owe'")
    op.add_column("transfer", sa.Column("debt_id", sa.BigInteger(), nullable=True))
    op.drop_constraint(op.f("ck_transfer_has_one_event"), "transfer")
    op.create_check_constraint(
        op.f("ck_transfer_has_one_event"),
        "transfer",
        "num_nonnulls(burn_id, lot_id, debt_id) = 1",
    )
    op.create_table(
        "member_debt",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("plugin", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("undoes_id", sa.BigInteger(), nullable=True),
        sa.Column("window_id", sa.Uuid(), nullable=False),
        sa.Column("debtor_id", sa.Uuid(), nullable=False),
        sa.Column("creditor_id", sa.Uuid(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("effective_at", MOMENT, nullable=False),
        sa.Column(
            "posted_at", MOMENT, server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_debt")),
        sa.UniqueConstraint("plugin", "reference", name=op.f("uq_member_debt_plugin_reference")),
        sa.UniqueConstraint("undoes_id", name=op.f("uq_member_debt_undoes_id")),
        sa.CheckConstraint("debtor_id <> creditor_id", name=op.f("ck_member_debt_has_two_sides")),
        sa.CheckConstraint(
            "(amount_micros > 0) = (undoes_id is null) and amount_micros <> 0",
            name=op.f("ck_member_debt_only_contras_are_negative"),
        ),
    )
    op.create_index(
        "ix_member_debt_posted_at", "member_debt", ["posted_at"], postgresql_using="brin"
    )
    op.execute(
        "create trigger insert_only before update or delete on member_debt "
        "for each row execute function marketplace_forbid_change()"
    )
    op.execute(
        "create trigger insert_only_truncate before truncate on member_debt "
        "for each statement execute function marketplace_forbid_change()"
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
