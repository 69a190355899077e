"""tickets change to other sessions, events are moved

Adds columns without rewriting a row; costs nothing on large tables.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "conference_0003"
down_revision = "conference_0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("conference_ticket", sa.Column("switched_at", MOMENT, nullable=True))
    op.add_column(
        "conference_change",
        sa.Column("sessions", JSONB(), server_default=sa.text("'[]'"), nullable=False),
    )
    op.add_column("conference_change", sa.Column("refund_until", MOMENT, nullable=True))
    op.create_table(
        "conference_switch_policy",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("valid_from", MOMENT, nullable=False),
        sa.Column("days_before", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "days_before >= 0", name=op.f("ck_conference_switch_policy_days_are_before")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["conference_event.id"], name=op.f("fk_conference_switch_policy_event_id")
        ),
        sa.PrimaryKeyConstraint("event_id", "valid_from", name=op.f("pk_conference_switch_policy")),
        comment="Until when a ticket may change to another session; that of the sale holds.",
    )
    op.execute(
        "create trigger insert_only before update or delete on conference_switch_policy "
        "for each row execute function marketplace_forbid_change()"
    )
    op.execute(
        "create trigger insert_only_truncate before truncate on conference_switch_policy "
        "for each statement execute function marketplace_forbid_change()"
    )
