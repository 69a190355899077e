"""a plugin may close its offers itself"""

from __future__ import annotations

from alembic import op

revision = "core_0019"
down_revision = "core_0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter type closure_cause add value 'plugin'")


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
