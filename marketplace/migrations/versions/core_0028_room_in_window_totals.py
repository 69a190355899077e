"""room on the pages of window totals: a close changes every total of a window at once"""

from __future__ import annotations

from alembic import op

revision = "core_0028"
down_revision = "core_0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Pages that are full stay as they are: totals of windows to come are on new ones.
    op.execute("alter table window_total set (fillfactor = 45)")


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
