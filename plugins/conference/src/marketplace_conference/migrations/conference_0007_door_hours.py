"""doors open at a time: so many minutes before a session, until its end

Costs a moment, but for the constraint on `finding`, which reads every scan once.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "conference_0007"
down_revision = "conference_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "conference_event",
        sa.Column("doors_open_minutes", sa.Integer(), server_default="180", nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_conference_event_doors_open_within_a_week"),
        "conference_event",
        "doors_open_minutes between 0 and 10080",
    )
    op.add_column("conference_scan", sa.Column("overrode", sa.Text(), nullable=True))
    known = op.f("ck_conference_scan_finding_is_known")
    op.drop_constraint(known, "conference_scan", type_="check")
    op.create_check_constraint(
        known,
        "conference_scan",
        "finding in ('good', 'forged', 'void', 'other_session', 'unknown', 'too_early', 'closed')",
    )
    op.create_check_constraint(
        op.f("ck_conference_scan_only_hours_are_overridden"),
        "conference_scan",
        "overrode is null or (finding = 'good' and overrode in ('too_early', 'closed'))",
    )
