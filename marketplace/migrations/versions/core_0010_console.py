"""orders by the member that is paid; files of issuances"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "core_0010"
down_revision = "core_0007_trust"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index of burn that no held burn is in; of audit_entry in order of time; tables issue_upload
    and issue_upload_part.
    """
    op.drop_index("ix_audit_entry_subject", "audit_entry")
    op.create_index("ix_audit_entry_subject", "audit_entry", ["subject_kind", "subject_id", "id"])
    op.create_index(
        "ix_burn_by_acceptor",
        "burn",
        ["acceptor_id", "effective_at", "id"],
        postgresql_where=sa.text("status in ('captured', 'voided')"),
    )
    _issue_upload()
    op.create_table(
        "issue_upload_part",
        sa.Column("upload_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["upload_id"],
            ["issue_upload.id"],
            name=op.f("fk_issue_upload_part_upload_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("upload_id", "position", name=op.f("pk_issue_upload_part")),
    )


def _issue_upload() -> None:
    op.create_table(
        "issue_upload",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "received",
                "bad",
                "checked",
                "ordered",
                "done",
                "withdrawn",
                "failed",
                name="upload_state",
            ),
            nullable=False,
        ),
        sa.Column("read_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_issue_upload_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issue_upload")),
    )
    op.create_index("ix_issue_upload_member_id", "issue_upload", ["member_id", "id"])
    op.create_index(
        "ix_issue_upload_to_do",
        "issue_upload",
        ["id"],
        postgresql_where=sa.text("state in ('received', 'ordered')"),
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
