"""monthly gifts on any day of a month

The new rule is wider than the old: proving it reads the schedules, which are few.
"""

from __future__ import annotations

from alembic import op

revision = "charity_0005"
down_revision = "charity_0004"
branch_labels = None
depends_on = None

TABLE = "charity_schedule"
OLD = "ck_charity_schedule_day_is_in_every_month"
NEW = "ck_charity_schedule_day_is_in_some_month"


def upgrade() -> None:
    op.drop_constraint(op.f(OLD), TABLE, type_="check")
    op.create_check_constraint(op.f(NEW), TABLE, "day between 1 and 31")


def downgrade() -> None:
    op.drop_constraint(op.f(NEW), TABLE, type_="check")
    op.execute("update charity_schedule set day = 28 where day > 28")
    op.create_check_constraint(op.f(OLD), TABLE, "day between 1 and 28")
