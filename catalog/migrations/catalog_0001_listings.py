"""listings, words, pictures, prices to come, wishes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "catalog_0001"
down_revision = None
branch_labels = None
depends_on = None

# Both are trusted: the owner of the database may create them, without being a superuser.
EXTENSIONS = ("pg_trgm", "unaccent")

FUNCTIONS = (
    # Case and accents mean nothing to somebody who searches.
    """
create function catalog_plain(given text) returns text language sql stable parallel safe as
$$ select lower(unaccent(given)) $$
""",
    # PostgreSQL has no stemmer for Polish, nor for languages that are not searched on their own.
    """
create function catalog_config(locale text) returns regconfig
language sql immutable parallel safe as
$$ select case split_part(locale, '-', 1)
     when 'en' then 'pg_catalog.english' when 'ru' then 'pg_catalog.russian'
     when 'it' then 'pg_catalog.italian' else 'pg_catalog.simple' end::regconfig $$
""",
)


def upgrade() -> None:
    for extension in EXTENSIONS:
        op.execute(f"create extension if not exists {extension}")
    for function in FUNCTIONS:
        op.execute(function)
    op.create_table(
        "catalog_category",
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("parent", sa.String(), nullable=True),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["parent"], ["catalog_category.slug"], name=op.f("fk_catalog_category_parent")
        ),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_catalog_category")),
    )
    op.create_table(
        "catalog_choice",
        sa.Column("participant_id", sa.Uuid(), nullable=False),
        sa.Column("for_you", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.PrimaryKeyConstraint("participant_id", name=op.f("pk_catalog_choice")),
    )
    op.create_table(
        "catalog_picture",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("widths", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column(
            "added_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_catalog_picture")),
    )
    op.create_table(
        "catalog_price_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("offer_reference", sa.String(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=True),
        sa.Column("cost_micros", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column(
            "made_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "cost_micros >= 0", name=op.f("ck_catalog_price_change_cost_is_not_negative")
        ),
        sa.CheckConstraint(
            "num_nonnulls(applied_at, cancelled_at) <= 1",
            name=op.f("ck_catalog_price_change_is_applied_or_cancelled"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(points, cost_micros) > 0",
            name=op.f("ck_catalog_price_change_changes_something"),
        ),
        sa.CheckConstraint("points > 0", name=op.f("ck_catalog_price_change_points_are_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_price_change")),
    )
    op.create_index(
        "uq_catalog_price_change_waiting",
        "catalog_price_change",
        ["offer_reference", "at"],
        unique=True,
        postgresql_where="applied_at is null and cancelled_at is null",
    )
    op.create_table(
        "catalog_state",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("texts", sa.BigInteger(), server_default="1", nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_catalog_state_state_is_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_state")),
    )
    op.create_table(
        "catalog_word",
        sa.Column("word", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("word", "locale", name=op.f("pk_catalog_word")),
    )
    op.create_index(
        "ix_catalog_word_trigrams",
        "catalog_word",
        ["word"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"word": "gin_trgm_ops"},
    )
    op.create_table(
        "catalog_category_text",
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["category"],
            ["catalog_category.slug"],
            name=op.f("fk_catalog_category_text_category"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("category", "locale", name=op.f("pk_catalog_category_text")),
    )
    op.create_table(
        "catalog_listing",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("countries", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("place", sa.String(), nullable=True),
        sa.Column(
            "delivery",
            sa.Enum("instant", "email", "post", "on_site", name="catalog_delivery"),
            nullable=False,
        ),
        sa.Column("delivery_days", sa.Integer(), nullable=True),
        sa.Column("languages", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("default_locale", sa.String(), nullable=False),
        sa.Column("visible_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("visible_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("featured", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "status",
            sa.Enum("draft", "published", "withdrawn", name="catalog_status"),
            nullable=False,
        ),
        sa.Column("preview_token", sa.String(), nullable=False),
        sa.Column("taken", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("marketplace_now()"),
            nullable=False,
        ),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "featured >= 0", name=op.f("ck_catalog_listing_featured_is_not_negative")
        ),
        sa.CheckConstraint(
            "visible_to > visible_from", name=op.f("ck_catalog_listing_ends_after_it_starts")
        ),
        sa.ForeignKeyConstraint(
            ["category"], ["catalog_category.slug"], name=op.f("fk_catalog_listing_category")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_listing")),
        sa.UniqueConstraint("preview_token", name=op.f("uq_catalog_listing_preview_token")),
        sa.UniqueConstraint("slug", name=op.f("uq_catalog_listing_slug")),
    )
    op.create_index("ix_catalog_listing_category", "catalog_listing", ["category"], unique=False)
    op.create_table(
        "catalog_picture_file",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("width", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["hash"],
            ["catalog_picture.hash"],
            name=op.f("fk_catalog_picture_file_hash"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("hash", "width", name=op.f("pk_catalog_picture_file")),
    )
    op.create_table(
        "catalog_denomination",
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("offer_reference", sa.String(), nullable=False),
        sa.Column("least", sa.Integer(), server_default="1", nullable=False),
        sa.Column("most", sa.Integer(), server_default="1", nullable=False),
        sa.Column("step", sa.Integer(), server_default="1", nullable=False),
        sa.Column("face_micros", sa.BigInteger(), nullable=True),
        sa.Column("face_currency", sa.CHAR(length=3), nullable=True),
        sa.CheckConstraint(
            "(face_micros is null) = (face_currency is null)",
            name=op.f("ck_catalog_denomination_face_has_a_currency"),
        ),
        sa.CheckConstraint(
            "(most - least) % step = 0",
            name=op.f("ck_catalog_denomination_range_ends_on_a_step"),
        ),
        sa.CheckConstraint(
            "least > 0 and most >= least and step > 0",
            name=op.f("ck_catalog_denomination_range_is_a_range"),
        ),
        sa.ForeignKeyConstraint(
            ["listing_id"],
            ["catalog_listing.id"],
            name=op.f("fk_catalog_denomination_listing_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("listing_id", "position", name=op.f("pk_catalog_denomination")),
        sa.UniqueConstraint(
            "offer_reference", name=op.f("uq_catalog_denomination_offer_reference")
        ),
    )
    op.create_table(
        "catalog_listing_picture",
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["hash"], ["catalog_picture.hash"], name=op.f("fk_catalog_listing_picture_hash")
        ),
        sa.ForeignKeyConstraint(
            ["listing_id"],
            ["catalog_listing.id"],
            name=op.f("fk_catalog_listing_picture_listing_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("listing_id", "position", name=op.f("pk_catalog_listing_picture")),
    )
    op.create_index(
        "ix_catalog_listing_picture_hash", "catalog_listing_picture", ["hash"], unique=False
    )
    op.create_table(
        "catalog_listing_text",
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("summary", sa.String(), server_default="", nullable=False),
        sa.Column("body", sa.String(), server_default="", nullable=False),
        sa.Column("terms", sa.String(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["listing_id"],
            ["catalog_listing.id"],
            name=op.f("fk_catalog_listing_text_listing_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("listing_id", "locale", name=op.f("pk_catalog_listing_text")),
    )
    op.create_table(
        "catalog_search",
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("document", postgresql.TSVECTOR(), nullable=False),
        sa.CheckConstraint("level between 1 and 4", name=op.f("ck_catalog_search_level_is_one")),
        sa.ForeignKeyConstraint(
            ["listing_id"],
            ["catalog_listing.id"],
            name=op.f("fk_catalog_search_listing_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("listing_id", "locale", "level", name=op.f("pk_catalog_search")),
    )
    op.create_index(
        "ix_catalog_search_document",
        "catalog_search",
        ["document"],
        unique=False,
        postgresql_using="gin",
    )
    op.create_table(
        "catalog_taken_by",
        sa.Column("grouping", sa.String(), nullable=False),
        sa.Column("member", sa.String(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.CheckConstraint("people > 0", name=op.f("ck_catalog_taken_by_somebody_took_it")),
        sa.ForeignKeyConstraint(
            ["listing_id"],
            ["catalog_listing.id"],
            name=op.f("fk_catalog_taken_by_listing_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "grouping", "member", "listing_id", name=op.f("pk_catalog_taken_by")
        ),
    )
    op.create_table(
        "catalog_wish",
        sa.Column("participant_id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column(
            "made_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("marketplace_now()"),
            nullable=False,
        ),
        sa.Column("told_affordable_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_nearly_gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["listing_id"],
            ["catalog_listing.id"],
            name=op.f("fk_catalog_wish_listing_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("participant_id", "listing_id", name=op.f("pk_catalog_wish")),
    )
    op.create_index("ix_catalog_wish_listing_id", "catalog_wish", ["listing_id"], unique=False)

    op.execute("insert into catalog_state (id) values (1)")


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")
