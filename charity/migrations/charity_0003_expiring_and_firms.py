"""points given before they expire, matches of firms, goals that were told"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "charity_0003"
down_revision = "charity_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter type charity_origin add value 'expiring'")
    op.execute("alter type charity_origin add value 'match'")
    op.add_column(
        "charity_campaign", sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True)
    )
    _firms()
    _rescue()
    _rescue_plan()


def _firms() -> None:
    op.alter_column("charity_match", "member_id", nullable=True)
    op.add_column("charity_match", sa.Column("firm_id", sa.Uuid(), nullable=True))
    op.add_column("charity_match", sa.Column("fund_id", sa.Uuid(), nullable=True))
    op.add_column(
        "charity_match", sa.Column("funded_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_foreign_key(
        op.f("fk_charity_match_fund_id"), "charity_match", "charity_gift", ["fund_id"], ["burn_id"]
    )
    op.create_check_constraint(
        op.f("ck_charity_match_is_of_one"),
        "charity_match",
        "num_nonnulls(member_id, firm_id) = 1",
    )
    op.create_check_constraint(
        op.f("ck_charity_match_a_firm_pays_ahead"),
        "charity_match",
        "firm_id is null or (mode = 'prefunded' and fund_id is not null)",
    )
    op.create_index("uq_charity_match_fund_id", "charity_match", ["fund_id"], unique=True)


def _rescue() -> None:
    op.create_table(
        "charity_rescue",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("fallback", sa.Boolean(), nullable=False),
        sa.Column("notice_days", sa.SmallInteger(), nullable=False),
        sa.Column("anonymous", sa.Boolean(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_why", sa.String(), server_default="", nullable=False),
        sa.CheckConstraint(
            "notice_days between 2 and 30", name=op.f("ck_charity_rescue_notice_is_in_time")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["charity_campaign.id"], name=op.f("fk_charity_rescue_campaign_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charity_rescue")),
    )
    op.create_index(
        "uq_charity_rescue_wallet_id",
        "charity_rescue",
        ["wallet_id"],
        unique=True,
        postgresql_where="stopped_at is null",
    )
    op.create_index(
        "ix_charity_rescue_participant_id", "charity_rescue", ["participant_id"], unique=False
    )


def _rescue_plan() -> None:
    op.create_table(
        "charity_rescue_plan",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rescue_id", sa.Uuid(), nullable=False),
        sa.Column("lot_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("give_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "announced", "given", "nothing", "missed", "stopped", name="charity_plan_status"
            ),
            nullable=False,
        ),
        sa.Column("try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("burn_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), server_default="", nullable=False),
        sa.CheckConstraint("points > 0", name=op.f("ck_charity_rescue_plan_points_are_positive")),
        sa.CheckConstraint(
            "give_at < until", name=op.f("ck_charity_rescue_plan_is_given_before_they_expire")
        ),
        sa.ForeignKeyConstraint(
            ["burn_id"], ["charity_gift.burn_id"], name=op.f("fk_charity_rescue_plan_burn_id")
        ),
        sa.ForeignKeyConstraint(
            ["rescue_id"], ["charity_rescue.id"], name=op.f("fk_charity_rescue_plan_rescue_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charity_rescue_plan")),
    )
    op.create_index(
        "ix_charity_rescue_plan_rescue_id",
        "charity_rescue_plan",
        ["rescue_id", "give_at"],
        unique=False,
    )
    op.create_index(
        "ix_charity_rescue_plan_due",
        "charity_rescue_plan",
        ["try_at"],
        unique=False,
        postgresql_where="status = 'announced'",
    )
    op.create_index(
        "uq_charity_rescue_plan_burn_id", "charity_rescue_plan", ["burn_id"], unique=True
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
