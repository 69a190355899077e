"""Campaigns as anybody sees them: the charity, the story, the matches and what has been raised."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from charity import campaigns, pictures, registry, surplus
from charity.campaigns import Raised
from charity.domain import GiftStatus, MatchMode, Origin, Surplus
from charity.models import Campaign, Charity, Gift, Match, Share
from charity.pictures import PictureView
from charity.surplus import Flow, Passed
from marketplace.clock import now
from marketplace.coalition.models import Firm, Member, Participant
from marketplace.web.i18n import told_in

MOST_GIVERS = 20


class CharityView(msgspec.Struct, frozen=True, kw_only=True):
    """A charity with what is known of it."""

    slug: str
    legal_name: str
    country: str
    number: str
    number_checked: bool
    """Whether the form of the number was checked; not for every country it can be."""
    verified_on: date | None
    document: str
    review_due_on: date | None
    cannot_receive: str | None
    """Why it cannot receive now."""


class MatchView(msgspec.Struct, frozen=True, kw_only=True):
    """A match: who adds what, and how much is left."""

    id: UUID
    member: str
    ratio_bps: int
    cap_points: int
    used_points: int
    mode: MatchMode
    ended: bool


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """A milestone."""

    amount_micros: int
    words: str
    reached: bool


class CauseView(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign. Money in micros of `currency`."""

    slug: str
    title: str
    story: str
    language: str
    """Of title and story; it may be another than was asked for."""
    charity: CharityView
    currency: str
    rate_micros: int
    """What the charity gets for one point."""
    goal_micros: int
    starts_at: datetime
    ends_at: datetime | None
    surplus: Surplus
    designation: str
    """What the charity means to use it for: advisory."""
    grace_minutes: int
    raised: Raised
    raised_micros: int
    """Gifts and matches."""
    flow: Flow
    """What came from the surplus of other campaigns, and what went to others as this one's."""
    counted_micros: int
    """What counts towards the goal: raised, and come from others."""
    pictures: list[PictureView]
    matches: list[MatchView]
    milestones: list[StepView]
    closed_at: datetime | None
    closed_reason: str
    open: bool
    givers: list[str] = []
    """Names of those who did not ask to stay unnamed, newest first; of one campaign only."""
    came: list[Passed] = []
    """Surplus of other campaigns, by origin; of one campaign only."""
    went: list[Passed] = []
    """Its own surplus, by where it went; of one campaign only."""


async def shown(session: AsyncSession, language: str) -> list[CauseView]:
    """Every campaign that has started."""
    return await _views(session, await campaigns.shown(session), language)


async def everything(
    session: AsyncSession, language: str, charity_id: UUID | None = None
) -> list[CauseView]:
    """Every campaign, or a charity's, those that have not started too; newest first."""
    query = sa.select(Campaign).order_by(Campaign.starts_at.desc(), Campaign.slug)
    if charity_id is not None:
        query = query.where(Campaign.charity_id == charity_id)
    return await _views(session, list(await session.scalars(query)), language)


async def matched_by(
    session: AsyncSession, member_id: UUID, language: str
) -> list[tuple[CauseView, MatchView]]:
    """The matches of a member, with their campaigns; newest first."""
    query = (
        sa.select(Campaign, Match.id)
        .join(Match, Match.campaign_id == Campaign.id)
        .where(Match.member_id == member_id)
        .order_by(Match.id.desc())
    )
    rows = (await session.execute(query)).all()
    wanted = {campaign.id: campaign for campaign, _ in rows}
    views = {each.slug: each for each in await _views(session, list(wanted.values()), language)}
    found = []
    for campaign, match_id in rows:
        view = views[campaign.slug]
        found.append((view, next(each for each in view.matches if each.id == match_id)))
    return found


async def one(session: AsyncSession, slug: str, language: str) -> CauseView:
    """A campaign; UnknownCause where there is none."""
    campaign = await campaigns.find(session, slug)
    (view,) = await _views(session, [campaign], language)
    came, went = await surplus.passed(session, campaign.id, language)
    givers = await _givers(session, campaign.id)
    return msgspec.structs.replace(view, givers=givers, came=came, went=went)


async def _views(
    session: AsyncSession, wanted: Sequence[Campaign], language: str
) -> list[CauseView]:
    texts = await campaigns.texts_of(session, wanted, language)
    raised = await campaigns.raised(session, wanted)
    moved = await surplus.flows(session, [each.id for each in wanted])
    shown = await pictures.of(session, {each.id: each.default_locale for each in wanted}, language)
    moment = await now(session)
    found = []
    for each in wanted:
        charity = await session.get_one(Charity, each.charity_id)
        counted = raised[each.id].total_micros + moved[each.id].came_micros
        found.append(
            CauseView(
                slug=each.slug,
                title=texts[each.id].title,
                story=texts[each.id].story,
                language=texts[each.id].locale,
                charity=charity_view(charity, moment.date()),
                currency=each.currency,
                rate_micros=each.rate_micros,
                goal_micros=each.goal_micros,
                starts_at=each.starts_at,
                ends_at=each.ends_at,
                surplus=each.surplus,
                designation=each.designation,
                grace_minutes=each.grace_minutes,
                raised=raised[each.id],
                raised_micros=raised[each.id].total_micros,
                flow=moved[each.id],
                counted_micros=counted,
                pictures=shown[each.id],
                matches=await _matches(session, each.id),
                milestones=await _milestones(session, each, counted, language),
                closed_at=each.closed_at,
                closed_reason=each.closed_reason,
                open=each.closed_at is None and (each.ends_at is None or moment < each.ends_at),
            )
        )
    return found


def charity_view(charity: Charity, today: date) -> CharityView:
    """A charity as it stands on a day."""
    return CharityView(
        slug=charity.slug,
        legal_name=charity.legal_name,
        country=charity.country,
        number=charity.number,
        number_checked=charity.number_checked,
        verified_on=charity.verified_on,
        document=charity.document,
        review_due_on=charity.review_due_on,
        cannot_receive=registry.why_not(charity, today),
    )


async def _matches(session: AsyncSession, campaign_id: UUID) -> list[MatchView]:
    back = (
        sa.select(sa.func.sum(Share.taken_back_points))
        .where(Share.match_id == Match.id)
        .correlate(Match)
        .scalar_subquery()
    )
    query = (
        sa.select(Match, sa.func.coalesce(Member.name, Firm.name), back)
        .outerjoin(Member, Member.id == Match.member_id)
        .outerjoin(Firm, Firm.id == Match.firm_id)
        .where(
            Match.campaign_id == campaign_id,
            sa.or_(Match.firm_id.is_(None), Match.funded_at.is_not(None)),
        )
        .order_by(Match.id)
    )
    return [
        MatchView(
            id=match.id,
            member=name,
            ratio_bps=match.ratio_bps,
            cap_points=match.cap_points,
            used_points=match.used_points - int(back or 0),
            mode=match.mode,
            ended=match.ended_at is not None,
        )
        for match, name, back in (await session.execute(query)).all()
    ]


async def _milestones(
    session: AsyncSession, campaign: Campaign, counted_micros: int, language: str
) -> list[StepView]:
    return [
        StepView(
            amount_micros=each.amount_micros,
            words=each.words[told_in(language, campaign.default_locale, each.words)],
            reached=counted_micros >= each.amount_micros,
        )
        for each in await campaigns.milestones_of(session, campaign.id)
    ]


async def _givers(session: AsyncSession, campaign_id: UUID) -> list[str]:
    name = sa.func.coalesce(Participant.name, Firm.name)
    query = (
        sa.select(name, sa.func.max(Gift.captured_at).label("last"))
        .select_from(Gift)
        .outerjoin(Participant, Participant.id == Gift.participant_id)
        .outerjoin(Firm, Firm.id == Gift.firm_id)
        .where(
            Gift.campaign_id == campaign_id,
            Gift.status == GiftStatus.CAPTURED,
            Gift.kept_points > 0,
            Gift.anonymous.is_(False),
            Gift.origin != Origin.MATCH,
        )
        .group_by(Gift.participant_id, Gift.firm_id, name)
        .order_by(sa.desc("last"))
        .limit(MOST_GIVERS)
    )
    return [row[0] for row in await session.execute(query)]
