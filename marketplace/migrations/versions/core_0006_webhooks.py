"""outgoing webhooks of members"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, ENUM, JSONB

revision = "core_0006"
down_revision = "core_0005"
branch_labels = None
depends_on = None

ENDPOINT = ENUM("active", "stopped", "gone", name="webhook_endpoint_status", create_type=False)
MESSAGE = ENUM("due", "delivered", "failed", name="webhook_message_status", create_type=False)
MOMENT = sa.DateTime(timezone=True)
NOW = sa.text("statement_timestamp()")


def upgrade() -> None:
    for kind in (ENDPOINT, MESSAGE):
        kind.create(op.get_bind())
    _endpoint()
    _message()
    op.create_table(
        "webhook_attempt",
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", "message_id", "id", name=op.f("pk_webhook_attempt")),
        sa.ForeignKeyConstraint(
            ["endpoint_id", "message_id"],
            ["webhook_message.endpoint_id", "webhook_message.id"],
            name=op.f("fk_webhook_attempt_endpoint_id"),
            ondelete="CASCADE",
        ),
    )


def _endpoint() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("events", ARRAY(sa.Text()), nullable=False),
        sa.Column("status", ENDPOINT, server_default="active", nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("previous_secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_until", MOMENT, nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since", MOMENT, nullable=True),
        sa.Column("paused_until", MOMENT, nullable=True),
        sa.Column("leased_until", MOMENT, server_default=NOW, nullable=False),
        sa.Column("lease", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_webhook_endpoint_member_id")
        ),
    )
    op.create_index("ix_webhook_endpoint_member_id", "webhook_endpoint", ["member_id"])


def _message() -> None:
    op.create_table(
        "webhook_message",
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("data", JSONB(), nullable=False),
        sa.Column("effective_at", MOMENT, nullable=False),
        sa.Column("status", MESSAGE, server_default="due", nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("give_up_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("delivered_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("endpoint_id", "id", name=op.f("pk_webhook_message")),
        sa.CheckConstraint(
            "(status = 'due') = (due_at is not null)",
            name=op.f("ck_webhook_message_due_has_a_time"),
        ),
    )
    for name, columns in (
        ("ix_webhook_message_due", ["endpoint_id", "id"]),
        ("ix_webhook_message_due_of_subject", ["endpoint_id", "subject_id", "id"]),
    ):
        op.create_index(name, "webhook_message", columns, postgresql_where="due_at is not null")
    op.create_index(
        "ix_webhook_message_created_at", "webhook_message", ["created_at"], postgresql_using="brin"
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
