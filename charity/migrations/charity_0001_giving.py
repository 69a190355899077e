"""charities, campaigns, matches, gifts, schedules, receipts"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "charity_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _charity()
    _campaign()
    _receipt_counter()
    _campaign_text()
    _gift()
    _match()
    _milestone()
    _schedule()
    _receipt()
    _share()
    op.execute(
        "create trigger insert_only before update or delete on charity_receipt "
        "for each row execute function marketplace_forbid_change()"
    )
    op.execute(
        "create trigger insert_only_truncate before truncate on charity_receipt "
        "for each statement execute function marketplace_forbid_change()"
    )


def _charity() -> None:
    op.create_table(
        "charity_charity",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("legal_name", sa.String(), nullable=False),
        sa.Column("country", sa.CHAR(length=2), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("number_checked", sa.Boolean(), nullable=False),
        sa.Column("iban", sa.String(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("pending", "verified", "suspended", name="charity_verification"),
            nullable=False,
        ),
        sa.Column("verified_on", sa.Date(), nullable=True),
        sa.Column("document", sa.String(), server_default="", nullable=False),
        sa.Column("review_due_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(), server_default="", nullable=False),
        sa.CheckConstraint(
            "(state = 'pending') = (verified_on is null)",
            name=op.f("ck_charity_charity_verified_has_a_date"),
        ),
        sa.CheckConstraint(
            "review_due_on > verified_on", name=op.f("ck_charity_charity_review_comes_later")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charity_charity")),
        sa.UniqueConstraint("member_id", name=op.f("uq_charity_charity_member_id")),
        sa.UniqueConstraint("slug", name=op.f("uq_charity_charity_slug")),
    )


def _campaign() -> None:
    op.create_table(
        "charity_campaign",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("charity_id", sa.Uuid(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("rate_micros", sa.BigInteger(), nullable=False),
        sa.Column("goal_micros", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "surplus",
            sa.Enum("next_campaign", "general_fund", name="charity_surplus"),
            nullable=False,
        ),
        sa.Column("grace_minutes", sa.Integer(), nullable=False),
        sa.Column("designation", sa.String(), server_default="", nullable=False),
        sa.Column("default_locale", sa.String(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_reason", sa.String(), server_default="", nullable=False),
        sa.CheckConstraint(
            "ends_at > starts_at", name=op.f("ck_charity_campaign_ends_after_it_starts")
        ),
        sa.CheckConstraint("goal_micros > 0", name=op.f("ck_charity_campaign_goal_is_positive")),
        sa.CheckConstraint(
            "grace_minutes between 0 and 10080",
            name=op.f("ck_charity_campaign_grace_is_a_week_at_most"),
        ),
        sa.CheckConstraint("rate_micros > 0", name=op.f("ck_charity_campaign_rate_is_positive")),
        sa.ForeignKeyConstraint(
            ["charity_id"], ["charity_charity.id"], name=op.f("fk_charity_campaign_charity_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charity_campaign")),
        sa.UniqueConstraint("offer_id", name=op.f("uq_charity_campaign_offer_id")),
        sa.UniqueConstraint("slug", name=op.f("uq_charity_campaign_slug")),
    )
    op.create_index(
        "ix_charity_campaign_charity_id", "charity_campaign", ["charity_id"], unique=False
    )


def _receipt_counter() -> None:
    op.create_table(
        "charity_receipt_counter",
        sa.Column("charity_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["charity_id"],
            ["charity_charity.id"],
            name=op.f("fk_charity_receipt_counter_charity_id"),
        ),
        sa.PrimaryKeyConstraint("charity_id", "year", name=op.f("pk_charity_receipt_counter")),
    )


def _campaign_text() -> None:
    op.create_table(
        "charity_campaign_text",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("story", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["charity_campaign.id"],
            name=op.f("fk_charity_campaign_text_campaign_id"),
        ),
        sa.PrimaryKeyConstraint("campaign_id", "locale", name=op.f("pk_charity_campaign_text")),
    )


def _gift() -> None:
    op.create_table(
        "charity_gift",
        sa.Column("burn_id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("donor", sa.Enum("person", "firm", name="charity_donor"), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=True),
        sa.Column("firm_id", sa.Uuid(), nullable=True),
        sa.Column("caller_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column(
            "origin", sa.Enum("given", "direct", "monthly", name="charity_origin"), nullable=False
        ),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("money_micros", sa.BigInteger(), nullable=False),
        sa.Column("refunded_points", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "asked",
                "held",
                "given",
                "captured",
                "cancelled",
                "voided",
                "refused",
                name="charity_gift_status",
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String(), server_default="", nullable=False),
        sa.Column("anonymous", sa.Boolean(), nullable=False),
        sa.Column("dedication", sa.String(), server_default="", nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("grace_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "asked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(donor = 'person') = (participant_id is not null)",
            name=op.f("ck_charity_gift_donor_owned_the_points"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(participant_id, firm_id) = 1",
            name=op.f("ck_charity_gift_has_one_donor_of_record"),
        ),
        sa.CheckConstraint("points > 0", name=op.f("ck_charity_gift_points_are_positive")),
        sa.CheckConstraint(
            "refunded_points between 0 and points", name=op.f("ck_charity_gift_refund_is_within")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["charity_campaign.id"], name=op.f("fk_charity_gift_campaign_id")
        ),
        sa.PrimaryKeyConstraint("burn_id", name=op.f("pk_charity_gift")),
        sa.UniqueConstraint("caller_id", "key", name=op.f("uq_charity_gift_caller_id_key")),
    )
    op.create_index(
        "ix_charity_gift_campaign_id", "charity_gift", ["campaign_id", "status"], unique=False
    )
    op.create_index("ix_charity_gift_firm_id", "charity_gift", ["firm_id", "made_at"], unique=False)
    op.create_index(
        "ix_charity_gift_open",
        "charity_gift",
        ["burn_id"],
        unique=False,
        postgresql_where="status in ('asked', 'held', 'given', 'cancelled')",
    )
    op.create_index(
        "ix_charity_gift_participant_id",
        "charity_gift",
        ["participant_id", "made_at"],
        unique=False,
    )


def _match() -> None:
    op.create_table(
        "charity_match",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("ratio_bps", sa.Integer(), nullable=False),
        sa.Column("cap_points", sa.BigInteger(), nullable=False),
        sa.Column("used_points", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "mode", sa.Enum("billed", "prefunded", name="charity_match_mode"), nullable=False
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("booked", sa.Integer(), server_default="0", nullable=False),
        sa.Column("booked_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("ratio_bps > 0", name=op.f("ck_charity_match_ratio_is_positive")),
        sa.CheckConstraint(
            "used_points between 0 and cap_points",
            name=op.f("ck_charity_match_never_above_its_cap"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["charity_campaign.id"], name=op.f("fk_charity_match_campaign_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charity_match")),
    )
    op.create_index("ix_charity_match_campaign_id", "charity_match", ["campaign_id"], unique=False)


def _milestone() -> None:
    op.create_table(
        "charity_milestone",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("words", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["charity_campaign.id"], name=op.f("fk_charity_milestone_campaign_id")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "amount_micros", name=op.f("pk_charity_milestone")),
    )


def _schedule() -> None:
    op.create_table(
        "charity_schedule",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.SmallInteger(), nullable=False),
        sa.Column("next_on", sa.Date(), nullable=False),
        sa.Column("anonymous", sa.Boolean(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_why", sa.String(), server_default="", nullable=False),
        sa.Column("last_refusal", sa.String(), server_default="", nullable=False),
        sa.CheckConstraint(
            "day between 1 and 28", name=op.f("ck_charity_schedule_day_is_in_every_month")
        ),
        sa.CheckConstraint("points > 0", name=op.f("ck_charity_schedule_points_are_positive")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["charity_campaign.id"], name=op.f("fk_charity_schedule_campaign_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charity_schedule")),
    )
    op.create_index(
        "ix_charity_schedule_due",
        "charity_schedule",
        ["next_on"],
        unique=False,
        postgresql_where="stopped_at is null",
    )
    op.create_index(
        "ix_charity_schedule_wallet_id", "charity_schedule", ["wallet_id"], unique=False
    )


def _receipt() -> None:
    op.create_table(
        "charity_receipt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("charity_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("burn_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(version = 1) = (corrects_id is null)",
            name=op.f("ck_charity_receipt_correction_names_the_old"),
        ),
        sa.ForeignKeyConstraint(
            ["burn_id"], ["charity_gift.burn_id"], name=op.f("fk_charity_receipt_burn_id")
        ),
        sa.ForeignKeyConstraint(
            ["charity_id"], ["charity_charity.id"], name=op.f("fk_charity_receipt_charity_id")
        ),
        sa.ForeignKeyConstraint(
            ["corrects_id"], ["charity_receipt.id"], name=op.f("fk_charity_receipt_corrects_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charity_receipt")),
        sa.UniqueConstraint("burn_id", "version", name=op.f("uq_charity_receipt_burn_id_version")),
        sa.UniqueConstraint(
            "charity_id", "year", "number", name=op.f("uq_charity_receipt_charity_id_year_number")
        ),
        info={"insert_only": True},
    )


def _share() -> None:
    op.create_table(
        "charity_share",
        sa.Column("burn_id", sa.Uuid(), nullable=False),
        sa.Column("match_id", sa.Uuid(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("returned_points", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("booked", sa.Integer(), server_default="0", nullable=False),
        sa.Column("booked_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("points > 0", name=op.f("ck_charity_share_points_are_positive")),
        sa.CheckConstraint(
            "returned_points between 0 and points", name=op.f("ck_charity_share_return_is_within")
        ),
        sa.ForeignKeyConstraint(
            ["burn_id"], ["charity_gift.burn_id"], name=op.f("fk_charity_share_burn_id")
        ),
        sa.ForeignKeyConstraint(
            ["match_id"], ["charity_match.id"], name=op.f("fk_charity_share_match_id")
        ),
        sa.PrimaryKeyConstraint("burn_id", "match_id", name=op.f("pk_charity_share")),
    )
    op.create_index("ix_charity_share_match_id", "charity_share", ["match_id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
