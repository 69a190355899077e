"""tickets change to other sessions, events are moved, who attended gets a certificate

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
INSERT_ONLY = ("conference_switch_policy", "conference_certificate")


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
    _certificates()
    for table in INSERT_ONLY:
        op.execute(
            f"create trigger insert_only before update or delete on {table} "
            "for each row execute function marketplace_forbid_change()"
        )
        op.execute(
            f"create trigger insert_only_truncate before truncate on {table} "
            "for each statement execute function marketplace_forbid_change()"
        )


def _certificates() -> None:
    op.add_column(
        "conference_session",
        sa.Column("certified", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_table(
        "conference_prerequisite",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("needs_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["needs_id"],
            ["conference_session.id"],
            name=op.f("fk_conference_prerequisite_needs_id"),
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["conference_session.id"],
            name=op.f("fk_conference_prerequisite_session_id"),
        ),
        sa.PrimaryKeyConstraint("session_id", "needs_id", name=op.f("pk_conference_prerequisite")),
        comment="A session is for who attended another one.",
    )
    op.create_table(
        "conference_certificate",
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("event_name", sa.Text(), nullable=False),
        sa.Column("session_name", sa.Text(), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["conference_event.id"], name=op.f("fk_conference_certificate_event_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["conference_session.id"],
            name=op.f("fk_conference_certificate_session_id"),
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"],
            ["conference_ticket.id"],
            name=op.f("fk_conference_certificate_ticket_id"),
        ),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_conference_certificate")),
        sa.UniqueConstraint("number", name=op.f("uq_conference_certificate_number")),
        comment="Somebody attended a session: what their certificate says, as it was then.",
    )
