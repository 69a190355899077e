"""notices and preferences about them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ENUM, JSONB

revision = "core_0002"
down_revision = "core_0001"
branch_labels = None
depends_on = None

EMAIL = ENUM("none", "now", "daily", "weekly", name="notice_email", create_type=False)
STATUS = ENUM("due", "sent", "failed", "expired", name="mail_status", create_type=False)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for kind in (EMAIL, STATUS):
        kind.create(op.get_bind())
    _notice()
    _mail()
    op.create_table(
        "notice_preference",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("in_app", sa.Boolean(), nullable=False),
        sa.Column("email", EMAIL, nullable=False),
        sa.PrimaryKeyConstraint("person_id", "category", name=op.f("pk_notice_preference")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_notice_preference_person_id")
        ),
    )
    op.create_table(
        "expiry_warning",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("days", sa.SmallInteger(), nullable=False),
        sa.Column("warned_until", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("person_id", "days", name=op.f("pk_expiry_warning")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_expiry_warning_person_id")
        ),
    )


def _notice() -> None:
    op.create_table(
        "notice",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("context", JSONB(), nullable=False),
        sa.Column("once_key", sa.String(), nullable=False),
        sa.Column("in_app", sa.Boolean(), nullable=False),
        sa.Column("email", EMAIL, nullable=False),
        sa.Column("digest_id", sa.BigInteger(), nullable=True),
        sa.Column("effective_at", MOMENT, nullable=False),
        sa.Column(
            "created_at", MOMENT, server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.Column("read_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("person_id", "id", name=op.f("pk_notice")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_notice_person_id")),
        sa.UniqueConstraint("person_id", "once_key", name=op.f("uq_notice_person_id_once_key")),
    )
    op.create_index(
        "ix_notice_inbox",
        "notice",
        ["person_id", sa.text("(read_at is not null)"), sa.text("id desc")],
        postgresql_where="in_app",
    )
    op.create_index(
        "ix_notice_to_digest",
        "notice",
        ["email", "person_id"],
        postgresql_where="email in ('daily', 'weekly') and digest_id is null",
    )
    op.create_index(
        "ix_notice_digest_id", "notice", ["digest_id"], postgresql_where="digest_id is not null"
    )
    op.create_index("ix_notice_created_at", "notice", ["created_at"], postgresql_using="brin")


def _mail() -> None:
    op.create_table(
        "mail",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", STATUS, server_default="due", nullable=False),
        sa.Column("due_at", MOMENT, server_default=sa.text("statement_timestamp()"), nullable=True),
        sa.Column("give_up_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column(
            "created_at", MOMENT, server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("person_id", "id", name=op.f("pk_mail")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_mail_person_id")),
        sa.CheckConstraint(
            "(status = 'due') = (due_at is not null)", name=op.f("ck_mail_due_has_a_time")
        ),
    )
    op.create_index("ix_mail_due", "mail", ["due_at"], postgresql_where="due_at is not null")
    op.create_index("ix_mail_created_at", "mail", ["created_at"])


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
