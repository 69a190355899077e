"""Gifts as their campaigns show them, for the pages of others: wallets, rewards, notices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa

from charity.models import Campaign, CampaignPicture, CampaignText, Picture
from charity.pictures import PictureView
from marketplace import api
from marketplace.clock import NOW
from marketplace.web.i18n import told_in

SHOWN_WIDTH = 640
"""Pixels of the picture where a browser does not choose for itself."""


class CampaignDescriber:
    """See `marketplace.api.OfferDescriber`. What is closed keeps its face and its page."""

    def __init__(self, host: api.Host) -> None:
        self._host = host

    def describe(self, offer_ids: Sequence[UUID], language: str) -> Mapping[UUID, api.OfferFace]:
        """One query, whatever is asked for."""
        query = (
            sa.select(Campaign, CampaignText, Picture, (Campaign.starts_at <= NOW).label("seen"))
            .join(CampaignText, CampaignText.campaign_id == Campaign.id)
            .outerjoin(
                CampaignPicture,
                sa.and_(CampaignPicture.campaign_id == Campaign.id, CampaignPicture.position == 0),
            )
            .outerjoin(Picture, Picture.hash == CampaignPicture.hash)
            .where(Campaign.offer_id.in_(list(offer_ids)))
        )
        found: dict[UUID, dict[str, api.OfferFace]] = {}
        defaults: dict[UUID, str] = {}
        with self._host.transaction() as session:
            for campaign, text, picture, seen in session.execute(query).all():
                defaults[campaign.offer_id] = campaign.default_locale
                face = _face(campaign, text, picture, is_seen=seen)
                found.setdefault(campaign.offer_id, {})[text.locale] = face
        return {
            offer_id: faces[told_in(language, defaults[offer_id], faces)]
            for offer_id, faces in found.items()
        }


def _face(
    campaign: Campaign, text: CampaignText, picture: Picture | None, *, is_seen: bool
) -> api.OfferFace:
    return api.OfferFace(
        title=text.title,
        language=text.locale,
        value_micros=campaign.rate_micros,
        currency=campaign.currency,
        value_from="face",
        picture=None if picture is None else _picture(picture),
        path=f"/charity/c/{campaign.slug}" if is_seen else None,
    )


def _picture(picture: Picture) -> api.OfferPicture:
    view = PictureView(picture.hash, picture.width, picture.height, tuple(picture.widths))
    return api.OfferPicture(
        address=view.address(SHOWN_WIDTH),
        width=view.width,
        height=view.height,
        srcset=view.srcset,
    )
