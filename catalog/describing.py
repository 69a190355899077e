"""Offers as their listings show them, for the pages of others: rewards, burns, wallets, notices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import aliased

from catalog.domain import ListingStatus
from catalog.entries import value_of
from catalog.models import Denomination, Listing, ListingPicture, ListingText, Picture, PointPrice
from catalog.presenting import PATH
from catalog.schemas import PictureView
from marketplace import api
from marketplace.clock import NOW
from marketplace.exchange.models import Offer
from marketplace.web.formats import money
from marketplace.web.i18n import choose_language, core_languages, speak, told_in

Sibling = aliased(Denomination)
SHOWN_WIDTH = 640
"""Pixels of the picture where a browser does not choose for itself."""


class ListingDescriber:
    """See `marketplace.api.OfferDescriber`. What is withdrawn keeps its face, but has no page."""

    def __init__(self, host: api.Host) -> None:
        self._host = host

    def describe(self, offer_ids: Sequence[UUID], language: str) -> Mapping[UUID, api.OfferFace]:
        """One query, whatever is asked for."""
        with self._host.transaction() as session:
            rows = session.execute(_query(offer_ids)).mappings().all()
        return {row["id"]: _face(row, language) for row in rows if row["titles"]}


def _query(offer_ids: Sequence[UUID]) -> sa.Select[*tuple[Any, ...]]:
    titles = (
        sa.select(sa.func.json_object_agg(ListingText.locale, ListingText.title, type_=JSON))
        .where(ListingText.listing_id == Listing.id)
        .correlate(Listing)
        .scalar_subquery()
    )
    first_picture = (
        sa.select(sa.func.min(ListingPicture.position))
        .where(ListingPicture.listing_id == Listing.id)
        .correlate(Listing)
        .scalar_subquery()
    )
    choices = (
        sa.select(sa.func.count())
        .where(Sibling.listing_id == Listing.id)
        .correlate(Listing)
        .scalar_subquery()
    )
    is_seen = sa.and_(
        Listing.status == ListingStatus.PUBLISHED,
        sa.or_(Listing.visible_from.is_(None), Listing.visible_from <= NOW),
        sa.or_(Listing.visible_to.is_(None), Listing.visible_to > NOW),
    )
    return (
        sa.select(
            *(Offer.id, Offer.name, Offer.points, Offer.currency),
            PointPrice.price_micros.label("point_micros"),
            *(Denomination.face_micros, Denomination.face_currency),
            *(Listing.slug, Listing.default_locale, is_seen.label("is_seen")),
            *(Picture.hash, Picture.width, Picture.height, Picture.widths),
            titles.label("titles"),
            choices.label("choices"),
        )
        .join(Denomination, Denomination.offer_reference == Offer.reference)
        .join(Listing, Listing.id == Denomination.listing_id)
        .outerjoin(PointPrice, PointPrice.currency == Offer.currency)
        .outerjoin(
            ListingPicture,
            sa.and_(
                ListingPicture.listing_id == Listing.id, ListingPicture.position == first_picture
            ),
        )
        .outerjoin(Picture, Picture.hash == ListingPicture.hash)
        .where(Offer.id.in_(list(offer_ids)), Listing.status != ListingStatus.DRAFT)
    )


def _face(row: Mapping[Any, Any], language: str) -> api.OfferFace:
    titles: dict[str, str] = row["titles"]
    shown = told_in(language, row["default_locale"], titles)
    value, currency, source = value_of(row)
    return api.OfferFace(
        title=titles[shown] + _which(row, language),
        language=shown,
        value_micros=value,
        currency=currency,
        value_from=None if source is None else source.value,
        picture=_picture(row),
        path=f"{PATH}/{row['slug']}" if row["is_seen"] else None,
    )


def _which(row: Mapping[Any, Any], language: str) -> str:
    """Which of several choices of a listing an offer is: by its face value, else by its name."""
    if row["choices"] == 1:
        return ""
    if row["face_micros"] is None:
        return f": {row['name']}"
    with speak(core_languages()[choose_language(language)]):
        return f", {money(row['face_micros'], row['face_currency'])}"


def _picture(row: Mapping[Any, Any]) -> api.OfferPicture | None:
    if row["hash"] is None:
        return None
    view = PictureView(row["hash"], row["width"], row["height"], tuple(row["widths"]))
    return api.OfferPicture(
        address=view.address(SHOWN_WIDTH),
        width=view.width,
        height=view.height,
        srcset=view.srcset,
    )
