"""orders by the member that is paid"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "core_0010"
down_revision = "core_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index of burn that no held burn is in."""
    op.create_index(
        "ix_burn_by_acceptor",
        "burn",
        ["acceptor_id", "effective_at", "id"],
        postgresql_where=sa.text("status in ('captured', 'voided') or fulfilment = 'dead'"),
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
