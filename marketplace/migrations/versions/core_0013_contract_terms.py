"""mixed funding, versions of contracts, terms of alerts, disputes and netting"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "core_0013"
down_revision = "core_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Columns of contract; lot.pooled_price_micros, which is the price of lots funded at issue."""
    # A new label cannot be used before the transaction ends: the checks below name the old ones.
    op.execute("alter type funding add value if not exists 'mixed'")
    _add_terms()
    op.drop_constraint(op.f("uq_contract_reference"), "contract")
    op.create_unique_constraint(
        op.f("uq_contract_reference_version"), "contract", ["reference", "version"]
    )
    checks = {
        "only_mixed_is_pooled_in_part": (
            "(pooled_bps is null) = (funding in ('redemption', 'issuance'))"
        ),
        "pooled_share_is_a_micro_at_least": (
            "pooled_bps between 1 and 9999 and price_micros::numeric * pooled_bps >= 10000"
        ),
        "alert_is_a_share": "cap_alert_bps between 1 and 10000",
        "dispute_days_are_few": "dispute_days between 0 and 3650",
    }
    for name, check in checks.items():
        op.create_check_constraint(op.f(f"ck_contract_{name}"), "contract", check)
    op.add_column(
        "lot", sa.Column("pooled_price_micros", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.execute("update lot set pooled_price_micros = price_micros where funding = 'issuance'")
    op.create_check_constraint(
        op.f("ck_lot_pooled_is_within_price"),
        "lot",
        "pooled_price_micros between 0 and price_micros",
    )


def _add_terms() -> None:
    default = postgresql.ENUM("rejected", "upheld", name="dispute_default")
    netting = postgresql.ENUM("multilateral", "bilateral", name="netting")
    for kind in (default, netting):
        kind.create(op.get_bind())
        kind.create_type = False
    for column in (
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("pooled_bps", sa.Integer(), nullable=True),
        sa.Column("cap_alert_bps", sa.Integer(), server_default="8000", nullable=False),
        sa.Column("dispute_days", sa.Integer(), server_default="30", nullable=False),
        sa.Column("dispute_default", default, server_default="rejected", nullable=False),
        sa.Column("netting", netting, server_default="multilateral", nullable=False),
    ):
        op.add_column("contract", column)


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
