"""running totals of settlement windows; acceptors' contracts and transactions of obligations"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "core_0012"
down_revision = "core_0011"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
FUNDING = postgresql.ENUM(name="funding", create_type=False)
KEY = (
    "window_id",
    "currency",
    "kind",
    "funding",
    "issuer_id",
    "acceptor_id",
    "contract_id",
    "acceptor_contract_id",
)

# Captures by the moment they were made, and refunds by that of their capture.
UNDER_CONTRACT = """
update obligation o set acceptor_contract_id = c.id
from burn_resolution r, contract c
where o.kind in ('capture', 'refund') and r.burn_id = o.burn_id and r.wallet_id = o.wallet_id
  and c.member_id = o.acceptor_id and c.role <> 'issuer' and c.valid_from <= r.effective_at
  and (c.valid_to is null or c.valid_to > r.effective_at)
"""


def upgrade() -> None:
    """Columns of obligation and member_debt; tables window_total and window_total_mark.

    Every row that is there counts as written by this transaction, so the first count of the totals
    takes them all.
    """
    op.add_column("obligation", sa.Column("acceptor_contract_id", sa.Uuid(), nullable=True))
    op.execute("alter table obligation disable trigger insert_only")
    op.execute(UNDER_CONTRACT)
    op.execute("alter table obligation enable trigger insert_only")
    for table in ("obligation", "member_debt"):
        # The default is no constant, but stable: no row is rewritten.
        op.add_column(
            table,
            sa.Column(
                "txid",
                sa.BigInteger(),
                server_default=sa.text("(pg_current_xact_id()::text::bigint)"),
                nullable=False,
            ),
        )
        op.create_index(
            f"ix_{table}_txid",
            table,
            ["txid"],
            postgresql_using="brin",
            postgresql_with={"autosummarize": "on", "pages_per_range": "32"},
        )
    _create_totals()


def _create_totals() -> None:
    op.create_table(
        "window_total",
        sa.Column("window_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("funding", FUNDING, nullable=True),
        sa.Column("issuer_id", sa.Uuid(), nullable=False),
        sa.Column("acceptor_id", sa.Uuid(), nullable=True),
        sa.Column("contract_id", sa.Uuid(), nullable=True),
        sa.Column("acceptor_contract_id", sa.Uuid(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.Numeric(), nullable=False),
        sa.Column("funded_micros", sa.Numeric(), nullable=False),
        sa.Column("cost_micros", sa.Numeric(), nullable=False),
        sa.Column("first_txid", sa.BigInteger(), nullable=False),
        sa.Column("last_txid", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint(*KEY, name="uq_window_total_key", postgresql_nulls_not_distinct=True),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "window_total_mark",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("watermark", sa.BigInteger(), nullable=False),
        sa.Column("rebuilt_at", MOMENT, server_default="-infinity", nullable=False),
        sa.Column("system_identifier", sa.BigInteger(), nullable=True),
        sa.Column(
            "rolled_at", MOMENT, server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("id = 1", name=op.f("ck_window_total_mark_mark_is_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_window_total_mark")),
    )
    op.execute("insert into window_total_mark (id, watermark) values (1, 0)")


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
