"""Tables of the catalog. Their names begin with its slug; offers are named by their reference."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from catalog.domain import Delivery, ListingStatus
from marketplace.api import plugin_metadata
from marketplace.models import text_enum, utc_timestamp


class CatalogBase(DeclarativeBase):
    """Base of the catalog's tables: a history of its own, beside the core's."""

    metadata = plugin_metadata()


def _texts(default: str = "{}") -> Mapped[list[str]]:
    return mapped_column(ARRAY(sa.Text), server_default=default)


class CatalogState(CatalogBase):
    """One row: `version` counts every change that what is shown depends on."""

    __tablename__ = "catalog_state"
    __table_args__ = (sa.CheckConstraint("id = 1", name="state_is_one_row"),)

    id: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(sa.BigInteger, server_default="1")
    texts: Mapped[int] = mapped_column(sa.BigInteger, server_default="1")
    """Counts changes of words alone: what they find is remembered until then."""


class Category(CatalogBase):
    """A place in the category tree."""

    __tablename__ = "catalog_category"

    slug: Mapped[str] = mapped_column(primary_key=True)
    parent: Mapped[str | None] = mapped_column(sa.ForeignKey("catalog_category.slug"))
    position: Mapped[int] = mapped_column(server_default="0")


class CategoryText(CatalogBase):
    """The name of a category in one language."""

    __tablename__ = "catalog_category_text"

    category: Mapped[str] = mapped_column(
        sa.ForeignKey("catalog_category.slug", ondelete="CASCADE"), primary_key=True
    )
    locale: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Listing(CatalogBase):
    """How the catalog shows one or more offers."""

    __tablename__ = "catalog_listing"
    __table_args__ = (
        sa.CheckConstraint("visible_to > visible_from", name="ends_after_it_starts"),
        sa.CheckConstraint("featured >= 0", name="featured_is_not_negative"),
        sa.Index("ix_catalog_listing_category", "category"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    category: Mapped[str | None] = mapped_column(sa.ForeignKey("catalog_category.slug"))
    tags: Mapped[list[str]] = _texts()
    countries: Mapped[list[str]] = _texts()
    """ISO 3166 codes of where it can be used; empty is everywhere."""
    place: Mapped[str | None]
    """The town, of what happens on site."""
    delivery: Mapped[Delivery] = mapped_column(text_enum(Delivery, "catalog_delivery"))
    delivery_days: Mapped[int | None]
    """Days it takes at most, where it is not instant."""
    languages: Mapped[list[str]] = _texts()
    """Languages of the reward itself (a course in Polish); empty where that means nothing."""
    default_locale: Mapped[str]
    visible_from: Mapped[datetime | None] = mapped_column(utc_timestamp())
    visible_to: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """Exclusive."""
    featured: Mapped[int] = mapped_column(server_default="0")
    """Placement: larger comes first, 0 is not featured."""
    status: Mapped[ListingStatus] = mapped_column(text_enum(ListingStatus, "catalog_status"))
    preview_token: Mapped[str] = mapped_column(unique=True)
    """Opens the preview of what is not published, to whoever has it."""
    taken: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    """People who took it lately; counted by a periodic task."""
    created_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.marketplace_now()
    )
    published_at: Mapped[datetime | None] = mapped_column(utc_timestamp())


class ListingText(CatalogBase):
    """The words of a listing in one language."""

    __tablename__ = "catalog_listing_text"

    listing_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("catalog_listing.id", ondelete="CASCADE"), primary_key=True
    )
    locale: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    summary: Mapped[str] = mapped_column(server_default="")
    body: Mapped[str] = mapped_column(server_default="")
    terms: Mapped[str] = mapped_column(server_default="")


class Denomination(CatalogBase):
    """An offer of a listing, and which quantities of it may be chosen.

    `least = most = 1` is a fixed denomination; more is a range of units of one offer.
    """

    __tablename__ = "catalog_denomination"
    __table_args__ = (
        sa.CheckConstraint("least > 0 and most >= least and step > 0", name="range_is_a_range"),
        sa.CheckConstraint("(most - least) % step = 0", name="range_ends_on_a_step"),
        sa.CheckConstraint(
            "(face_micros is null) = (face_currency is null)", name="face_has_a_currency"
        ),
    )

    listing_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("catalog_listing.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    offer_reference: Mapped[str] = mapped_column(unique=True)
    least: Mapped[int] = mapped_column(server_default="1")
    most: Mapped[int] = mapped_column(server_default="1")
    step: Mapped[int] = mapped_column(server_default="1")
    face_micros: Mapped[int | None] = mapped_column(sa.BigInteger)
    """Value printed on one unit, in micros of `face_currency`."""
    face_currency: Mapped[str | None] = mapped_column(sa.CHAR(3))


class SearchDocument(CatalogBase):
    """Words of a listing as PostgreSQL's full text search reads them, one row for each level.

    A row per level, so that the index alone tells how well a word fits.
    """

    __tablename__ = "catalog_search"
    __table_args__ = (sa.Index("ix_catalog_search_document", "document", postgresql_using="gin"),)

    listing_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("catalog_listing.id", ondelete="CASCADE"), primary_key=True
    )
    locale: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    """4: the title; 3: tags, place, partner and category; 2: the summary; 1: the body."""
    document: Mapped[str] = mapped_column(TSVECTOR)


class Word(CatalogBase):
    """Every word of every text, as written but for case and accents: what misspelt words mean."""

    __tablename__ = "catalog_word"
    __table_args__ = (
        sa.Index(
            "ix_catalog_word_trigrams",
            "word",
            postgresql_using="gin",
            postgresql_ops={"word": "gin_trgm_ops"},
        ),
    )

    word: Mapped[str] = mapped_column(primary_key=True)
    locale: Mapped[str] = mapped_column(primary_key=True)


class Picture(CatalogBase):
    """A picture, known by the SHA-256 of what was uploaded; re-encoded, never kept as it came."""

    __tablename__ = "catalog_picture"

    hash: Mapped[str] = mapped_column(primary_key=True)
    width: Mapped[int]
    height: Mapped[int]
    widths: Mapped[list[int]] = mapped_column(ARRAY(sa.Integer))
    """Widths it is served in, ascending."""
    added_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class PictureFile(CatalogBase):
    """A picture in one width, as WebP."""

    __tablename__ = "catalog_picture_file"

    hash: Mapped[str] = mapped_column(
        sa.ForeignKey("catalog_picture.hash", ondelete="CASCADE"), primary_key=True
    )
    width: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[bytes]


class ListingPicture(CatalogBase):
    """The pictures of a listing in order; the first is on its card."""

    __tablename__ = "catalog_listing_picture"
    __table_args__ = (sa.Index("ix_catalog_listing_picture_hash", "hash"),)

    listing_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("catalog_listing.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(sa.ForeignKey("catalog_picture.hash"))


class PointPrice(CatalogBase):
    """What a point is worth to a participant, as the coalition publishes it; one per currency."""

    __tablename__ = "catalog_point_price"
    __table_args__ = (sa.CheckConstraint("price_micros > 0", name="price_is_positive"),)

    currency: Mapped[str] = mapped_column(sa.CHAR(3), primary_key=True)
    price_micros: Mapped[int] = mapped_column(sa.BigInteger)


class PriceChange(CatalogBase):
    """What an offer will cost from a moment on; a periodic task makes it so."""

    __tablename__ = "catalog_price_change"
    __table_args__ = (
        sa.CheckConstraint("points > 0", name="points_are_positive"),
        sa.CheckConstraint("cost_micros >= 0", name="cost_is_not_negative"),
        sa.CheckConstraint("num_nonnulls(points, cost_micros) > 0", name="changes_something"),
        sa.CheckConstraint(
            "num_nonnulls(applied_at, cancelled_at) <= 1", name="is_applied_or_cancelled"
        ),
        sa.Index(
            "uq_catalog_price_change_waiting",
            "offer_reference",
            "at",
            unique=True,
            postgresql_where="applied_at is null and cancelled_at is null",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    offer_reference: Mapped[str]
    points: Mapped[int | None] = mapped_column(sa.BigInteger)
    cost_micros: Mapped[int | None] = mapped_column(sa.BigInteger)
    """In the offer's currency. Null, as for points: stays as it is."""
    at: Mapped[datetime] = mapped_column(utc_timestamp())
    made_by: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
    applied_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    cancelled_at: Mapped[datetime | None] = mapped_column(utc_timestamp())


class Wish(CatalogBase):
    """A listing somebody saves for. Each alert is given once."""

    __tablename__ = "catalog_wish"
    __table_args__ = (sa.Index("ix_catalog_wish_listing_id", "listing_id"),)

    participant_id: Mapped[UUID] = mapped_column(primary_key=True)
    listing_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("catalog_listing.id", ondelete="CASCADE"), primary_key=True
    )
    made_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.marketplace_now()
    )
    told_affordable_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    told_nearly_gone_at: Mapped[datetime | None] = mapped_column(utc_timestamp())


class Choice(CatalogBase):
    """What a participant chose about the catalog; no row is the usual."""

    __tablename__ = "catalog_choice"

    participant_id: Mapped[UUID] = mapped_column(primary_key=True)
    for_you: Mapped[bool] = mapped_column(server_default=sa.true())


class TakenBy(CatalogBase):
    """How many people of a group (a firm, a role) took a listing lately; counted periodically."""

    __tablename__ = "catalog_taken_by"
    __table_args__ = (sa.CheckConstraint("people > 0", name="somebody_took_it"),)

    grouping: Mapped[str] = mapped_column(primary_key=True)
    """`firm` or `role`."""
    member: Mapped[str] = mapped_column(primary_key=True)
    """The firm's id, or the role."""
    listing_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("catalog_listing.id", ondelete="CASCADE"), primary_key=True
    )
    people: Mapped[int]
