"""the platform's account that a payment was made from"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "stripe_0002"
down_revision = "stripe_0001"
branch_labels = None
depends_on = None

ONLY_ONE = """
update stripe_payment set account = (select min(account) from stripe_sweep)
where (select count(distinct account) from stripe_sweep) = 1
"""


def upgrade() -> None:
    op.add_column("stripe_payment", sa.Column("account", sa.Text(), nullable=True))
    # Where the balance of one account alone was ever read, everything was paid from it.
    op.execute(ONLY_ONE)


def downgrade() -> None:
    raise NotImplementedError("what was paid is on record: restore a backup instead")
