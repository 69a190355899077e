"""preferences of people, links to sign in with, rewards given to colleagues"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "core_0003"
down_revision = "core_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Columns of person and sign_in; tables sign_in_link and burn_gift."""
    op.add_column("person", sa.Column("locale", sa.String(), nullable=True))
    op.add_column("person", sa.Column("theme", sa.String(), server_default="auto", nullable=False))
    op.add_column("person", sa.Column("guide_seen_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_person_theme_is_known"), "person", "theme in ('auto', 'light', 'dark')"
    )
    op.add_column("sign_in", sa.Column("device", sa.String(), nullable=True))
    op.create_index("ix_sign_in_person_id", "sign_in", ["person_id"])
    _sign_in_link()
    _burn_gift()


def _sign_in_link() -> None:
    op.create_table(
        "sign_in_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("next_path", sa.String(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_sign_in_link_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_link")),
        sa.UniqueConstraint("digest", name=op.f("uq_sign_in_link_digest")),
    )
    op.create_index(
        "ix_sign_in_link_person_id_created_at", "sign_in_link", ["person_id", "created_at"]
    )


def _burn_gift() -> None:
    op.create_table(
        "burn_gift",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("burn_id", sa.Uuid(), nullable=False),
        sa.Column("from_participant_id", sa.Uuid(), nullable=False),
        sa.Column("to_participant_id", sa.Uuid(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "accepted_at is null or undone_at is null", name=op.f("ck_burn_gift_ends_once")
        ),
        sa.CheckConstraint(
            "from_participant_id <> to_participant_id",
            name=op.f("ck_burn_gift_is_for_somebody_else"),
        ),
        sa.PrimaryKeyConstraint("id", "wallet_id", name=op.f("pk_burn_gift")),
    )
    op.create_index(
        "uq_burn_gift_one_in_force",
        "burn_gift",
        ["burn_id", "wallet_id"],
        unique=True,
        postgresql_where=sa.text("undone_at is null"),
    )
    op.create_index("ix_burn_gift_from_participant_id", "burn_gift", ["from_participant_id", "id"])
    op.create_index("ix_burn_gift_to_participant_id", "burn_gift", ["to_participant_id", "id"])


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
