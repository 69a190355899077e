"""A listing as a file describes it: what import reads, export writes and `writing` stores."""

from __future__ import annotations

from datetime import datetime

import msgspec

from catalog.domain import Delivery, ListingStatus


class TextSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The words in one language."""

    title: str
    summary: str = ""
    body: str = ""
    terms: str = ""


class DenominationSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An offer, and which quantities of it may be chosen."""

    offer: str
    least: int = 1
    most: int = 1
    step: int = 1
    face_micros: int | None = None
    face_currency: str | None = None


class ListingSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A listing without its pictures."""

    slug: str
    status: ListingStatus = ListingStatus.DRAFT
    category: str | None = None
    tags: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    place: str | None = None
    delivery: Delivery = Delivery.INSTANT
    delivery_days: int | None = None
    languages: tuple[str, ...] = ()
    default_locale: str = "en"
    visible_from: datetime | None = None
    visible_to: datetime | None = None
    featured: int = 0
    denominations: tuple[DenominationSpec, ...]
    texts: dict[str, TextSpec]


class CategorySpec(msgspec.Struct, frozen=True, kw_only=True):
    """A category with its names by locale."""

    slug: str
    parent: str | None = None
    position: int = 0
    names: dict[str, str]
