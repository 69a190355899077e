"""drafts and pictures of campaigns, surplus that goes elsewhere"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "charity_0002"
down_revision = "charity_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _draft()
    _pictures()
    _surplus_move()
    op.execute(
        "create trigger insert_only before update or delete on charity_surplus_move "
        "for each row execute function marketplace_forbid_change()"
    )
    op.execute(
        "create trigger insert_only_truncate before truncate on charity_surplus_move "
        "for each statement execute function marketplace_forbid_change()"
    )


def _draft() -> None:
    op.create_table(
        "charity_draft",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("charity_id", sa.Uuid(), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["charity_id"], ["charity_charity.id"], name=op.f("fk_charity_draft_charity_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charity_draft")),
        sa.UniqueConstraint("slug", name=op.f("uq_charity_draft_slug")),
    )


def _pictures() -> None:
    op.create_table(
        "charity_picture",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("widths", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_charity_picture")),
    )
    op.create_table(
        "charity_picture_file",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("width", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["hash"],
            ["charity_picture.hash"],
            name=op.f("fk_charity_picture_file_hash"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("hash", "width", name=op.f("pk_charity_picture_file")),
    )
    op.create_table(
        "charity_campaign_picture",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("alt", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["hash"], ["charity_picture.hash"], name=op.f("fk_charity_campaign_picture_hash")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "hash", name=op.f("pk_charity_campaign_picture")),
    )
    op.create_index("ix_charity_campaign_picture_hash", "charity_campaign_picture", ["hash"])


def _surplus_move() -> None:
    op.create_table(
        "charity_surplus_move",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("to_campaign_id", sa.Uuid(), nullable=True),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "amount_micros <> 0", name=op.f("ck_charity_surplus_move_amount_is_not_zero")
        ),
        sa.CheckConstraint(
            "to_campaign_id <> campaign_id", name=op.f("ck_charity_surplus_move_goes_elsewhere")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["charity_campaign.id"],
            name=op.f("fk_charity_surplus_move_campaign_id"),
        ),
        sa.ForeignKeyConstraint(
            ["to_campaign_id"],
            ["charity_campaign.id"],
            name=op.f("fk_charity_surplus_move_to_campaign_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charity_surplus_move")),
    )
    for name in ("campaign_id", "to_campaign_id"):
        op.create_index(f"ix_charity_surplus_move_{name}", "charity_surplus_move", [name])


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")
