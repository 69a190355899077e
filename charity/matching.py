"""Matching: what members add to gifts, never a point above their caps.

Whoever reserves or gives back locks the match first, so that concurrent gifts take turns. A gift's
own row is locked before its matches, and matches in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from charity import telling
from charity.booking import rebook
from charity.domain import GiftStatus, MatchMode, Origin, matched, still_matched
from charity.errors import CampaignOver, UnknownCause
from charity.models import Campaign, Charity, Gift, Match, Share
from charity.notes import SYSTEM, note, now_of
from marketplace.coalition.models import Member
from marketplace.errors import InvalidRequest
from marketplace.ids import uuid7
from marketplace.money import MAX_MICROS, MAX_POINTS

MOST_RATIO_BPS = 100_000


class NewMatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member's promise to add to gifts."""

    campaign: str
    member: str
    ratio_bps: int
    """10,000: point for point."""
    cap_points: int
    mode: MatchMode = MatchMode.BILLED


def start(session: Session, new: NewMatch, actor: str) -> Match:
    """Start a match; a prefunded one owes its whole cap in the window that is open now.

    Raises UnknownCause, NotFound (no such member), CampaignOver, InvalidRequest.
    """
    campaign = session.scalar(
        sa.select(Campaign).where(Campaign.slug == new.campaign).with_for_update()
    )
    member_id = session.scalar(sa.select(Member.id).where(Member.slug == new.member))
    if campaign is None or member_id is None:
        raise UnknownCause(f"There is no campaign {new.campaign!r} or no member {new.member!r}.")
    if campaign.closed_at is not None:
        raise CampaignOver
    charity = session.get_one(Charity, campaign.charity_id)
    if charity.member_id == member_id:
        raise InvalidRequest("A charity does not match its own gifts.", field="member")
    if not 0 < new.ratio_bps <= MOST_RATIO_BPS or not 0 < new.cap_points <= MAX_POINTS:
        raise InvalidRequest("Ratio and cap are above zero, and the ratio ten at most.")
    if new.cap_points * campaign.rate_micros > MAX_MICROS:
        raise InvalidRequest("The cap is more money than an account holds.", field="cap_points")
    match = Match(
        id=uuid7(),
        campaign_id=campaign.id,
        member_id=member_id,
        ratio_bps=new.ratio_bps,
        cap_points=new.cap_points,
        used_points=0,
        mode=new.mode,
        booked=0,
        booked_micros=0,
    )
    session.add(match)
    session.flush()
    note(session, actor, "match_started", match.id, **msgspec.to_builtins(new))
    if match.mode is MatchMode.PREFUNDED:
        _book_match(session, match, new.cap_points)
    return match


def follow_fund(session: Session, gift: Gift) -> None:
    """Let a firm's match begin when the gift behind it is captured; it ends where that never will
    be, or where the gift is refunded by hand or taken back after a dispute. The gift is locked."""
    match = session.scalar(
        sa.select(Match)
        .where(Match.fund_id == gift.burn_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if match is None:
        return
    if gift.status is GiftStatus.CAPTURED and match.funded_at is None:
        match.funded_at = now_of(session)
    never = gift.status in (GiftStatus.VOIDED, GiftStatus.REFUSED)
    gone = never or gift.kept_points < gift.points
    if gone and match.ended_at is None:
        match.ended_at = now_of(session)
        note(session, SYSTEM, "match_ended", match.id, used_points=match.used_points)
    if match.funded_at is not None:
        _level(session, match, gift.kept_points)
    session.flush()


# In proportion, and the points that are left by rounding down to those that lost most by it.
LEVEL = """
with added as (
    select burn_id, points - returned_points as points from charity_share where match_id = :match_id
),
total as (
    select sum(points) as points, least(sum(points), :left_points) as stays from added
),
part as (
    select a.burn_id, a.points, div(a.points::numeric * t.stays, t.points) as own,
           mod(a.points::numeric * t.stays, t.points) as odd, t.stays
    from added a cross join total t where a.points > 0
),
placed as (
    select burn_id, points, own, row_number() over (order by odd desc, burn_id) as place,
           stays - sum(own) over () as over
    from part
)
update charity_share s
set taken_back_points = p.points - p.own - (p.place <= p.over)::integer, untold = true
from placed p
where s.match_id = :match_id and s.burn_id = p.burn_id
  and s.taken_back_points <> p.points - p.own - (p.place <= p.over)::integer
"""


def _level(session: Session, match: Match, left_points: int) -> None:
    """What a firm's locked match has added is as much as the charity has left of its own gift."""
    given = {"match_id": match.id, "left_points": left_points}
    session.execute(sa.text(LEVEL), given)


def debt_undone(session: Session, name: str, number: int) -> None:
    """A dispute undid a debt of a match, which stood: the match of a gift, or all that a match that
    was paid ahead has added, is taken back. `name` is as `rebook` calls it."""
    kind, *ids = name.split(":")
    if kind == "share":
        burn_id, match_id = map(UUID, ids)
        gift = session.get_one(Gift, burn_id, with_for_update=True, populate_existing=True)
        (found,) = [each for each in shares_of(session, gift) if each[1].id == match_id]
        share, match = found
        share.undone_at = now_of(session)
        _take_back(session, Share.burn_id == burn_id, Share.match_id == match_id)
        if share.booked != number:
            _book_share(session, gift, share, match, 0)
        return
    match = session.get_one(Match, UUID(ids[0]), with_for_update=True, populate_existing=True)
    match.undone_at = now_of(session)
    if match.ended_at is None:
        match.ended_at = match.undone_at
        note(session, SYSTEM, "match_ended", match.id, used_points=match.used_points)
    _take_back(session, Share.match_id == match.id)
    if match.booked != number:
        _book_match(session, match, 0)


def _take_back(session: Session, *which: sa.ColumnElement[bool]) -> None:
    session.flush()
    session.execute(
        sa.update(Share)
        .where(*which, Share.kept_points > 0)
        .values(taken_back_points=Share.points - Share.returned_points, untold=True)
    )


def is_untold(session: Session, gift: Gift) -> bool:
    """Whether matches of a gift were taken back that its receipt knows nothing of."""
    query = sa.select(Share.match_id).where(Share.burn_id == gift.burn_id, Share.untold).limit(1)
    return session.scalar(query) is not None


def of_campaign(session: Session, campaign_id: UUID) -> Sequence[Match]:
    """Matches of a campaign, oldest first."""
    return list(
        session.scalars(sa.select(Match).where(Match.campaign_id == campaign_id).order_by(Match.id))
    )


def end(session: Session, match_id: UUID, actor: str) -> Match:
    """End a match; what a prefunded one did not give comes back to its member.

    Raises UnknownCause. Again changes nothing.
    """
    match = session.get(Match, match_id, with_for_update=True, populate_existing=True)
    if match is None:
        raise UnknownCause("There is no such match.")
    if match.ended_at is None:
        match.ended_at = now_of(session)
        note(session, actor, "match_ended", match.id, used_points=match.used_points)
        _settle_prefunded(session, match)
    return match


def end_all(session: Session, campaign_id: UUID, actor: str) -> None:
    """End every match of a campaign."""
    for match in of_campaign(session, campaign_id):
        end(session, match.id, actor)


def reserve(session: Session, gift: Gift) -> int:
    """Take from each match in force what it adds to a gift; how many points all of them.

    The gift's row is the caller's: new, or locked. A firm's gift behind its match is matched by
    nobody.
    """
    if gift.origin is Origin.MATCH:
        return 0
    query = (
        sa.select(Match)
        .where(
            Match.campaign_id == gift.campaign_id,
            Match.ended_at.is_(None),
            sa.or_(Match.firm_id.is_(None), Match.funded_at.is_not(None)),
        )
        .order_by(Match.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    total = 0
    for match in session.scalars(query).all():
        points = matched(gift.points, match.ratio_bps, match.cap_points - match.used_points)
        if points:
            match.used_points += points
            session.add(
                Share(
                    burn_id=gift.burn_id,
                    match_id=match.id,
                    points=points,
                    returned_points=0,
                    booked=0,
                    booked_micros=0,
                )
            )
            total += points
            if match.used_points == match.cap_points:
                telling.match_exhausted(session, match)
    session.flush()
    return total


def shares_of(session: Session, gift: Gift) -> list[tuple[Share, Match]]:
    """What matches add to a gift, with the matches locked: nobody else changes either."""
    locked = (
        sa.select(Match)
        .join(Share, Share.match_id == Match.id)
        .where(Share.burn_id == gift.burn_id)
        .order_by(Match.id)
        .with_for_update(of=Match)
        .execution_options(populate_existing=True)
    )
    session.scalars(locked).all()
    # Read once they are, for whoever had them may have changed shares.
    query = (
        sa.select(Share, Match)
        .join(Match, Match.id == Share.match_id)
        .where(Share.burn_id == gift.burn_id)
        .order_by(Match.id)
        .execution_options(populate_existing=True)
    )
    return [(share, match) for share, match in session.execute(query).all()]


def settle(session: Session, gift: Gift) -> int:
    """Bring a gift's matches to how the gift stands; the points that are matched now.

    Captured: billed shares are owed. Refunded in part, or taken back after a dispute: the match in
    the same proportion, rounded down. Never came: all of it goes back below the cap. What was
    taken back of a match itself stays so.
    """
    came = gift.status is GiftStatus.CAPTURED
    gone = gift.status in (GiftStatus.CANCELLED, GiftStatus.VOIDED, GiftStatus.REFUSED)
    total = 0
    for share, match in shares_of(session, gift):
        stays = 0 if gone else still_matched(share.points, gift.points, gift.kept_points)
        back = share.points - stays - share.returned_points
        match.used_points -= back
        before = share.points - share.returned_points
        if share.taken_back_points:
            share.taken_back_points = -(-share.taken_back_points * stays // before)
        share.returned_points += back
        share.untold = False
        session.flush()
        total += share.kept_points
        if came and match.mode is MatchMode.BILLED and share.undone_at is None:
            _book_share(session, gift, share, match, stays)
        if back and match.ended_at is not None:
            _settle_prefunded(session, match)
    return total


def _settle_prefunded(session: Session, match: Match) -> None:
    """A member's prefunded match that is over owes what it gave, no more; nothing where a dispute
    undid what it owed. A firm's points are given back by `firm_matching`."""
    if match.mode is MatchMode.PREFUNDED and match.firm_id is None and match.undone_at is None:
        _book_match(session, match, match.used_points)


def _book_match(session: Session, match: Match, points: int) -> None:
    if match.member_id is None:
        raise RuntimeError(f"match {match.id} is of no member")
    campaign = session.get_one(Campaign, match.campaign_id)
    charity = session.get_one(Charity, campaign.charity_id)
    rebook(
        session,
        match,
        name=f"match:{match.id}",
        debtor_id=match.member_id,
        creditor_id=charity.member_id,
        currency=campaign.currency,
        amount_micros=points * campaign.rate_micros,
        reason=f"Match of {campaign.slug}, paid ahead",
    )


def _book_share(session: Session, gift: Gift, share: Share, match: Match, points: int) -> None:
    if match.member_id is None:
        raise RuntimeError(f"match {match.id} is of no member")
    campaign = session.get_one(Campaign, match.campaign_id)
    charity = session.get_one(Charity, campaign.charity_id)
    rebook(
        session,
        share,
        name=f"share:{gift.burn_id}:{match.id}",
        debtor_id=match.member_id,
        creditor_id=charity.member_id,
        currency=campaign.currency,
        amount_micros=points * campaign.rate_micros,
        reason=f"Match of {campaign.slug}",
    )
