"""Campaigns: started with everything that is promised, closed early, and what they have raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from charity import matching, registry
from charity.domain import (
    GRACE_MINUTES,
    KIND,
    LOCALES,
    LONGEST_DESIGNATION,
    LONGEST_STORY,
    LONGEST_TITLE,
    MOST_MILESTONES,
    MOST_RATE_MICROS,
    SLUG,
    GiftStatus,
    Origin,
    Surplus,
)
from charity.errors import UnknownCause
from charity.models import Campaign, CampaignText, Charity, Gift, Match, Milestone, Share
from marketplace.clock import now
from marketplace.coalition.codes import CURRENCIES
from marketplace.coalition.imports.fields import EARLIEST, LATEST
from marketplace.errors import Conflict, InvalidRequest
from marketplace.exchange import offering
from marketplace.exchange.domain import OfferStatus
from marketplace.exchange.models import Offer
from marketplace.identity.audit import audit
from marketplace.identity.domain import Principal
from marketplace.ids import uuid7
from marketplace.letters import require_shown
from marketplace.money import MAX_MICROS
from marketplace.web.i18n import told_in


class Text(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Title and story in one language."""

    title: str
    story: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A milestone: an amount, and what it makes possible by language."""

    amount_micros: int
    words: Mapping[str, str]


class NewCampaign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A campaign to be started. What it promises never changes afterwards."""

    slug: str
    charity: str
    """Slug of the charity."""
    currency: str
    rate_micros: int
    """What the charity gets for one point."""
    goal_micros: int
    surplus: Surplus
    texts: Mapping[str, Text]
    """By language code."""
    default_locale: str = "en"
    starts_at: datetime | None = None
    """None: now."""
    ends_at: datetime | None = None
    grace_minutes: int = GRACE_MINUTES
    designation: str = ""
    milestones: Sequence[Step] = ()


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign has: captured gifts without what was refunded or taken back after disputes,
    and what was matched."""

    points: int = 0
    money_micros: int = 0
    matched_points: int = 0
    matched_micros: int = 0
    givers: int = 0
    gifts: int = 0
    promised_points: int = 0
    """Held and given, not captured yet."""
    promised_matched_points: int = 0

    @property
    def total_micros(self) -> int:
        return self.money_micros + self.matched_micros


async def start(
    session: AsyncSession, principal: Principal, new: NewCampaign, *, known_as: UUID | None = None
) -> Campaign:
    """Start a campaign, with its offer of one point a unit; `known_as`: the draft that it was.

    Raises UnknownCause, InvalidRequest, Conflict (the slug is taken), and what an offer is refused
    for (OfferTaken, PriceNotCovered ...).
    """
    check(new)
    charity = await registry.find(session, new.charity)
    await offering.one_at_a_time(session)
    if await session.scalar(sa.select(Campaign.id).where(Campaign.slug == new.slug)):
        raise Conflict(f"There is a campaign {new.slug!r} already.")
    starts_at = new.starts_at or await now(session)
    if new.ends_at is not None and new.ends_at <= starts_at:
        raise InvalidRequest("The campaign ends before it starts.", field="ends_at")
    draft = offering.OfferDraft(
        reference=f"{SLUG}/{new.slug}",
        kind=KIND,
        name=new.texts[new.default_locale].title,
        plugin=SLUG,
        sku=new.slug,
        points=1,
        cost_micros=new.rate_micros,
        currency=new.currency,
        status=OfferStatus.ON_SALE,
        starts_at=starts_at,
        ends_at=new.ends_at,
    )
    offer = await offering.make_offer(session, principal, charity.member_id, draft)
    campaign = Campaign(
        id=known_as or uuid7(),
        charity_id=charity.id,
        offer_id=offer.id,
        starts_at=starts_at,
        **{name: getattr(new, name) for name in _COPIED},
    )
    session.add(campaign)
    await session.flush()
    for locale, text in new.texts.items():
        session.add(
            CampaignText(campaign_id=campaign.id, locale=locale, title=text.title, story=text.story)
        )
    for step in new.milestones:
        session.add(
            Milestone(
                campaign_id=campaign.id, amount_micros=step.amount_micros, words=dict(step.words)
            )
        )
    await session.flush()
    await audit(
        session, principal.actor, "charity.started", SLUG, campaign.id, **msgspec.to_builtins(new)
    )
    await registry.bring_in_line(session, [charity], actor=principal.actor)
    return campaign


_COPIED = (
    "slug",
    "currency",
    "rate_micros",
    "goal_micros",
    "ends_at",
    "surplus",
    "grace_minutes",
    "designation",
    "default_locale",
)


def check(new: NewCampaign) -> None:
    """InvalidRequest where a campaign cannot be like that; it names the field."""
    if new.default_locale not in new.texts:
        raise InvalidRequest("There is no text in the default language.", field="texts")
    check_texts(new.texts)
    require_shown(new.designation, "designation", LONGEST_DESIGNATION)
    if new.currency not in CURRENCIES:
        raise InvalidRequest(f"There is no currency {new.currency!r}.", field="currency")
    if not 0 < new.rate_micros <= MOST_RATE_MICROS:
        said = "A point is worth something, and 1,000 at most."
        raise InvalidRequest(said, field="rate_micros")
    if not new.rate_micros <= new.goal_micros <= MAX_MICROS:
        said = "The goal is worth one point at least, and 1,000,000,000 at most."
        raise InvalidRequest(said, field="goal_micros")
    if not 0 <= new.grace_minutes <= 10_080:
        raise InvalidRequest("The time to take back is a week at most.", field="grace_minutes")
    for name in ("starts_at", "ends_at"):
        moment = getattr(new, name)
        if moment is not None and moment.tzinfo is None:
            raise InvalidRequest("A moment says its offset from UTC.", field=name)
        if moment is not None and not EARLIEST <= moment <= LATEST:
            raise InvalidRequest("A moment lies between 1970 and 9000.", field=name)
    if new.starts_at and new.ends_at and new.ends_at <= new.starts_at:
        raise InvalidRequest("The campaign ends before it starts.", field="ends_at")
    _check_milestones(new)


def _check_milestones(new: NewCampaign) -> None:
    amounts = [step.amount_micros for step in new.milestones]
    if len(amounts) > MOST_MILESTONES:
        said = f"A campaign has {MOST_MILESTONES} milestones at most."
        raise InvalidRequest(said, field="milestones")
    if len(set(amounts)) < len(amounts) or not all(0 < each <= new.goal_micros for each in amounts):
        raise InvalidRequest(
            "Milestones differ and lie on the way to the goal.", field="milestones"
        )
    for step in new.milestones:
        words = {
            locale: require_shown(text, "milestones", LONGEST_TITLE)
            for locale, text in step.words.items()
        }
        if not words.get(new.default_locale) or not set(words) <= set(LOCALES):
            said = "A milestone says in the default language what it makes possible."
            raise InvalidRequest(said, field="milestones")


def check_texts(texts: Mapping[str, Text]) -> None:
    """InvalidRequest where a text is in a language that we have no pages in, has no title, is too
    long, or holds what cannot be seen."""
    for locale, text in texts.items():
        if locale not in LOCALES:
            raise InvalidRequest(f"There are no pages in {locale}.", field="texts")
        if not require_shown(text.title, f"title_{locale}", LONGEST_TITLE):
            raise InvalidRequest("Every text has a title.", field=f"title_{locale}")
        require_shown(text.story, f"story_{locale}", LONGEST_STORY, lines=True)


async def find(session: AsyncSession, slug: str, *, lock: bool = False) -> Campaign:
    """The campaign with this slug; UnknownCause where there is none."""
    query = sa.select(Campaign).where(Campaign.slug == slug)
    campaign = await session.scalar(query.with_for_update() if lock else query)
    if campaign is None:
        raise UnknownCause(f"There is no campaign {slug!r}.")
    return campaign


async def charity_of(session: AsyncSession, campaign: Campaign) -> Charity:
    """The charity that a campaign is of."""
    return await session.get_one(Charity, campaign.charity_id)


async def shut(session: AsyncSession, campaign: Campaign, *, reason: str, actor: str) -> None:
    """Take no more gifts and end the matches of a campaign, which the caller holds locked."""
    campaign.closed_at, campaign.closed_reason = await now(session), reason
    offer = await session.get_one(Offer, campaign.offer_id, with_for_update=True)
    if offer.status is not OfferStatus.RETIRED:
        await offering.set_status(session, offer, OfferStatus.RETIRED, actor)
    await audit(session, actor, "charity.closed", SLUG, campaign.id, reason=reason)
    await session.run_sync(matching.end_all, campaign.id, actor)


async def texts_of(
    session: AsyncSession, wanted: Sequence[Campaign], language: str
) -> dict[UUID, CampaignText]:
    """Title and story of campaigns in a language, or the next best."""
    found: dict[UUID, dict[str, CampaignText]] = {}
    query = sa.select(CampaignText).where(
        CampaignText.campaign_id.in_([each.id for each in wanted])
    )
    for text in await session.scalars(query):
        found.setdefault(text.campaign_id, {})[text.locale] = text
    return {
        each.id: found[each.id][told_in(language, each.default_locale, found[each.id])]
        for each in wanted
    }


async def all_texts(session: AsyncSession, campaign_id: UUID) -> Sequence[CampaignText]:
    """Title and story of a campaign in each of its languages."""
    query = sa.select(CampaignText).where(CampaignText.campaign_id == campaign_id)
    return list(await session.scalars(query.order_by(CampaignText.locale)))


async def by_id(session: AsyncSession, campaign_id: UUID) -> Campaign:
    """A campaign that is known to be there."""
    return await session.get_one(Campaign, campaign_id)


async def milestones_of(session: AsyncSession, campaign_id: UUID) -> Sequence[Milestone]:
    """Milestones of a campaign by amount."""
    query = sa.select(Milestone).where(Milestone.campaign_id == campaign_id)
    return list(await session.scalars(query.order_by(Milestone.amount_micros)))


async def shown(session: AsyncSession) -> Sequence[Campaign]:
    """Campaigns that have started, newest first; closed ones after the others."""
    moment = await now(session)
    query = sa.select(Campaign).where(Campaign.starts_at <= moment)
    order = (Campaign.closed_at.is_not(None), Campaign.starts_at.desc(), Campaign.slug)
    return list(await session.scalars(query.order_by(*order)))


PROMISED = (GiftStatus.ASKED, GiftStatus.HELD, GiftStatus.GIVEN)


async def raised(session: AsyncSession, wanted: Sequence[Campaign]) -> dict[UUID, Raised]:
    """What campaigns have by their gifts. Money of a refund goes back as the ledger rounds it."""
    left, owed = Gift.kept_points, Gift.points - Gift.refunded_points
    captured = Gift.status == GiftStatus.CAPTURED
    counts = captured & (left > 0)
    promised = Gift.status.in_(PROMISED)
    donor = sa.func.coalesce(Gift.participant_id, Gift.firm_id)
    ids = [each.id for each in wanted]
    query = (
        sa.select(
            Gift.campaign_id,
            sa.func.coalesce(sa.func.sum(left).filter(captured), 0).label("points"),
            sa.func.coalesce(sa.func.sum(owed).filter(captured), 0).label("owed"),
            sa.func.coalesce(sa.func.sum(Gift.taken_back_micros).filter(captured), 0).label("back"),
            sa.func.count(sa.distinct(donor)).filter(counts).label("givers"),
            sa.func.count().filter(counts).label("gifts"),
            sa.func.coalesce(sa.func.sum(Gift.points).filter(promised), 0).label("promised"),
        )
        # What a firm set aside for a match counts as far as it has matched.
        .where(Gift.campaign_id.in_(ids), Gift.origin != Origin.MATCH)
        .group_by(Gift.campaign_id)
    )
    shares = (
        sa.select(
            Gift.campaign_id,
            sa.func.coalesce(sa.func.sum(Share.kept_points).filter(captured), 0).label("points"),
            sa.func.coalesce(sa.func.sum(Share.kept_points).filter(promised), 0).label("promised"),
        )
        .select_from(Gift)
        .join(Share, Gift.burn_id == Share.burn_id)
        .where(Gift.campaign_id.in_(ids))
        .group_by(Gift.campaign_id)
    )
    own = {row.campaign_id: row for row in await session.execute(query)}
    others = {row.campaign_id: row for row in await session.execute(shares)}
    odd = await _odd(session, ids)
    return {
        each.id: _raised(each, own.get(each.id), others.get(each.id), odd.get(each.id, 0))
        for each in wanted
    }


async def _odd(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, int]:
    """Micros less than a point that disputes left of gifts behind matches of firms, all of whose
    whole points are added to gifts."""
    added = (
        sa.select(sa.func.coalesce(sa.func.sum(Share.kept_points), 0))
        .where(Share.match_id == Match.id)
        .correlate(Match)
        .scalar_subquery()
    )
    owed = (Gift.points - Gift.refunded_points) * Campaign.rate_micros - Gift.taken_back_micros
    query = (
        sa.select(Match.campaign_id, sa.func.sum(owed - Gift.kept_points * Campaign.rate_micros))
        .join(Campaign, Campaign.id == Match.campaign_id)
        .join(Gift, Gift.burn_id == Match.fund_id)
        .where(Match.campaign_id.in_(ids), Gift.taken_back_micros > 0, added == Gift.kept_points)
        .group_by(Match.campaign_id)
    )
    return {row[0]: int(row[1]) for row in await session.execute(query)}


def _raised(campaign: Campaign, own: Any, more: Any, odd_micros: int) -> Raised:
    if own is None:
        return Raised()
    rate = campaign.rate_micros
    matched_points = int(more.points) if more else 0
    return Raised(
        points=int(own.points),
        money_micros=int(own.owed) * rate - int(own.back),
        matched_points=matched_points,
        matched_micros=matched_points * rate + odd_micros,
        givers=own.givers,
        gifts=own.gifts,
        promised_points=int(own.promised),
        promised_matched_points=int(more.promised) if more else 0,
    )
