"""names of events, sessions and categories in several languages; in which a pass was added

Costs a moment: columns with a default.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "conference_0008"
down_revision = "conference_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("conference_event", "conference_session", "conference_category"):
        op.add_column(table, sa.Column("names", JSONB(), server_default="{}", nullable=False))
    op.add_column("conference_pass", sa.Column("language", sa.Text(), nullable=True))
