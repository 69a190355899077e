"""Points that are given before they expire: asked for once, announced each time, then given.

A plan names the lots whose points it announced. Draws go by expiry, so an ordinary burn of what is
left of them takes just these; where something else came in between, the supplier sees it by the
draws and the points go back (`still_right`), to be tried again while there is time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from charity import giving, telling
from charity.domain import GiftStatus, Origin, PlanStatus
from charity.errors import UnknownCause
from charity.models import Campaign, Charity, Gift
from charity.notes import SYSTEM, note, now_of
from charity.registry import why_not
from charity.rescue_models import Rescue, RescuePlan
from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Principal
from marketplace.identity.models import Person
from marketplace.ids import uuid7
from marketplace.ledger.models import Draw, Lot

AHEAD: Final = timedelta(days=1)
"""How long before the first of its points expire a gift is made."""
SHORTEST: Final = timedelta(days=2)
"""Between notice and gift at least; points that expire sooner are not given."""
TOGETHER: Final = timedelta(days=7)
"""Points that expire so soon after the first are announced and given with them."""
PAUSE: Final = timedelta(minutes=30)
"""Before another attempt."""
SOON: Final = timedelta(minutes=1)
OTHER_POINTS: Final = "other_points"
"""Reason: points would have been drawn that nobody was told of."""
NO_CAMPAIGN: Final = "campaign_over"
AT_ONCE: Final = 200


class NewRescue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a participant asks for."""

    campaign: str
    fallback: bool = True
    notice_days: int = 7
    anonymous: bool = False
    locale: str = "en"


def set_up(session: Session, principal: Principal, new: NewRescue) -> Rescue:
    """Ask that one's points are given before they expire; what was asked before ends.

    Raises UnknownCause (no such campaign, no wallet of one's own), CampaignOver,
    CharityNotVerified, InvalidRequest.
    """
    if principal.participant_id is None:
        raise UnknownCause("You have no points of your own to give.")
    wallet = giving.wallet_of_ones_own(session, principal)
    campaign = session.scalar(sa.select(Campaign).where(Campaign.slug == new.campaign))
    if campaign is None:
        raise UnknownCause(f"There is no campaign {new.campaign!r}.")
    giving.require_open(session, campaign)
    if not SHORTEST.days <= new.notice_days <= 30:
        raise InvalidRequest("The notice comes 2 to 30 days before.", field="notice_days")
    _lock(session, wallet.id)
    before = standing_of(session, principal)
    if before is not None:
        end(session, before, "changed", principal.actor)
    rescue = Rescue(
        id=uuid7(),
        wallet_id=wallet.id,
        participant_id=principal.participant_id,
        person_id=principal.caller_id,
        campaign_id=campaign.id,
        fallback=new.fallback,
        notice_days=new.notice_days,
        anonymous=new.anonymous,
        locale=new.locale,
        made_at=now_of(session),
        stopped_why="",
    )
    session.add(rescue)
    session.flush()
    note(session, principal.actor, "rescue_made", rescue.id, **msgspec.to_builtins(new))
    return rescue


def _lock(session: Session, wallet_id: UUID) -> None:
    """Whoever asks for something anew takes turns with others who do."""
    key = f"charity_rescue:{wallet_id}"
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(key, 0))))


def standing_of(session: Session, principal: Principal) -> Rescue | None:
    """What the caller asked for and has not stopped, locked."""
    return session.scalar(
        sa.select(Rescue)
        .where(Rescue.participant_id == principal.participant_id, Rescue.stopped_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def stop(session: Session, principal: Principal) -> None:
    """Stop it: what was announced and is not promised to the charity yet is not given. Again
    changes nothing. Raises UnknownCause where nothing was ever asked for."""
    rescue = standing_of(session, principal)
    if rescue is not None:
        end(session, rescue, "", principal.actor)
    elif not latest_of(session, principal):
        raise UnknownCause("You did not ask for that.")


def latest_of(session: Session, principal: Principal) -> Rescue | None:
    """What the caller asked for last, stopped or not."""
    if principal.participant_id is None:
        return None
    return session.scalar(
        sa.select(Rescue)
        .where(Rescue.participant_id == principal.participant_id)
        .order_by(Rescue.stopped_at.is_(None).desc(), Rescue.id.desc())
        .limit(1)
    )


def end(session: Session, rescue: Rescue, why: str, actor: str) -> None:
    """End a wish with what it announced; its row is locked."""
    rescue.stopped_at, rescue.stopped_why = now_of(session), why
    session.execute(
        sa.update(RescuePlan)
        .where(RescuePlan.rescue_id == rescue.id, RescuePlan.status == PlanStatus.ANNOUNCED)
        .values(status=PlanStatus.STOPPED)
    )
    session.flush()
    note(session, actor, "rescue_stopped", rescue.id, why=why)


# -- announcing ------------------------------------------------------------------------------------


def to_announce(session: Session) -> Sequence[UUID]:
    """Wishes with points that expire soon enough to be announced, some at once."""
    now = now_of(session)
    days = sa.func.make_interval(0, 0, 0, Rescue.notice_days, type_=sa.Interval)
    query = (
        sa.select(Rescue.id)
        .join(Campaign, Campaign.id == Rescue.campaign_id)
        .join(Lot, sa.and_(Lot.wallet_id == Rescue.wallet_id, Lot.currency == Campaign.currency))
        .where(
            Rescue.stopped_at.is_(None),
            Lot.expires_at <= sa.literal(now + AHEAD) + days,
            *_announceable(now),
        )
        .group_by(Rescue.id)
        .order_by(Rescue.id)
        .limit(AT_ONCE)
    )
    return list(session.scalars(query))


def _announceable(now: datetime) -> tuple[sa.ColumnExpressionArgument[bool], ...]:
    known = sa.select(RescuePlan.id).where(
        RescuePlan.rescue_id == Rescue.id, Lot.id == sa.any_(RescuePlan.lot_ids)
    )
    # "open is true" would not find the index of open lots.
    return Lot.open, Lot.expires_at >= now + AHEAD + SHORTEST, ~known.exists()


def announce(session: Session, rescue_id: UUID) -> RescuePlan | None:
    """Tell a giver which points will be given, how many and when; None where there is nothing to
    tell. Nothing is given that was not told."""
    rescue = session.get(Rescue, rescue_id, with_for_update=True, populate_existing=True)
    if rescue is None or rescue.stopped_at is not None:
        return None
    if _giver(session, rescue) is None:
        end(session, rescue, "giver_gone", SYSTEM)
        return None
    campaign = session.get_one(Campaign, rescue.campaign_id)
    lots = _soon(session, rescue, campaign)
    if not lots:
        return None
    now = now_of(session)
    plan = RescuePlan(
        id=uuid7(),
        rescue_id=rescue.id,
        lot_ids=[each.id for each in lots],
        points=sum(each.remaining for each in lots),
        until=lots[0].expires_at,
        last_until=lots[-1].expires_at,
        give_at=lots[0].expires_at - AHEAD,
        try_at=lots[0].expires_at - AHEAD,
        announced_at=now,
        status=PlanStatus.ANNOUNCED,
        attempt=0,
        reason="",
    )
    session.add(plan)
    session.flush()
    if not telling.rescue_planned(session, rescue, plan, target(session, rescue) or campaign):
        raise RuntimeError(f"nobody was told of plan {plan.id}")
    return plan


def _soon(session: Session, rescue: Rescue, campaign: Campaign) -> list[Lot]:
    """The lots to be announced together, soonest first."""
    now = now_of(session)
    soon = now + AHEAD + timedelta(days=rescue.notice_days)
    query = (
        sa.select(Lot)
        .join(Rescue, Rescue.wallet_id == Lot.wallet_id)
        .where(
            Rescue.id == rescue.id,
            Lot.currency == campaign.currency,
            Lot.expires_at <= soon + TOGETHER,
            *_announceable(now),
        )
        .order_by(Lot.expires_at, Lot.effective_at, Lot.id)
    )
    lots = list(session.scalars(query))
    if not lots or lots[0].expires_at > soon:
        return []
    return [each for each in lots if each.expires_at <= lots[0].expires_at + TOGETHER]


# -- giving ----------------------------------------------------------------------------------------


def due(session: Session) -> Sequence[UUID]:
    """Plans to be looked at now, some at once."""
    query = sa.select(RescuePlan.id).where(
        RescuePlan.status == PlanStatus.ANNOUNCED, RescuePlan.try_at <= now_of(session)
    )
    return list(session.scalars(query.order_by(RescuePlan.try_at, RescuePlan.id).limit(AT_ONCE)))


def next_step(session: Session, plan_id: UUID) -> tuple[Principal, giving.Wish] | None:
    """What is to be given for a plan now, its gift written down; None: nothing, or not yet.

    Whoever dies after this leaves a gift that the next look gives under the same key.
    """
    plan = session.get_one(RescuePlan, plan_id)
    rescue = session.get_one(Rescue, plan.rescue_id, with_for_update=True, populate_existing=True)
    session.refresh(plan, with_for_update=True)
    now = now_of(session)
    if plan.status is not PlanStatus.ANNOUNCED or plan.try_at > now:
        return None
    person = _giver(session, rescue)
    if person is None:
        end(session, rescue, "giver_gone", SYSTEM)
        return None
    principal = giving.principal_of(person)
    if plan.burn_id is not None:
        gift = session.get_one(Gift, plan.burn_id, populate_existing=True)
        return _look_again(session, rescue, plan, gift, principal)
    return _attempt(session, rescue, plan, principal)


def _look_again(
    session: Session, rescue: Rescue, plan: RescuePlan, gift: Gift, principal: Principal
) -> tuple[Principal, giving.Wish] | None:
    """What became of the last attempt."""
    now = now_of(session)
    if gift.status is GiftStatus.ASKED:
        plan.try_at = now + SOON
        session.flush()
        campaign = session.get_one(Campaign, gift.campaign_id)
        return principal, _wish(rescue, plan, campaign, gift.points)
    if gift.status is GiftStatus.CAPTURED:
        plan.status = PlanStatus.GIVEN
    elif gift.status is GiftStatus.VOIDED and gift.reason == giving.CANCELLED:
        plan.status = PlanStatus.STOPPED
    elif gift.status in (GiftStatus.VOIDED, GiftStatus.REFUSED):
        plan.burn_id, plan.attempt = None, plan.attempt + 1
        _later(session, plan, gift.reason)
    else:
        plan.try_at = now + PAUSE
    session.flush()
    return None


def _attempt(
    session: Session, rescue: Rescue, plan: RescuePlan, principal: Principal
) -> tuple[Principal, giving.Wish] | None:
    campaign = target(session, rescue)
    points, blocked = _left(session, rescue, plan)
    if not points and not blocked:
        _over(session, rescue, plan)
    elif campaign is None:
        _later(session, plan, NO_CAMPAIGN)
    elif not points:
        _later(session, plan, OTHER_POINTS)
    else:
        wish = _wish(rescue, plan, campaign, points)
        gift = giving.write_down(session, principal, wish)
        plan.burn_id, plan.try_at = gift.burn_id, now_of(session) + SOON
        session.flush()
        return principal, wish
    session.flush()
    return None


def _left(session: Session, rescue: Rescue, plan: RescuePlan) -> tuple[int, bool]:
    """What is left of the announced points at the front of the draw order, and whether others
    would be drawn before the first of them."""
    currency = session.get_one(Campaign, rescue.campaign_id).currency
    query = (
        sa.select(Lot.id, Lot.remaining)
        .where(
            Lot.wallet_id == rescue.wallet_id,
            Lot.open,
            Lot.currency == currency,
            Lot.expires_at > now_of(session),
            Lot.expires_at <= plan.last_until,
        )
        .order_by(Lot.expires_at, Lot.effective_at, Lot.id)
    )
    announced, total = set(plan.lot_ids), 0
    rows = session.execute(query).all()
    for lot_id, remaining in rows:
        if lot_id not in announced:
            break
        total += remaining
    blocked = not total and any(lot_id in announced for lot_id, _ in rows)
    return min(total, plan.points), blocked


def _over(session: Session, rescue: Rescue, plan: RescuePlan) -> None:
    """None of the points are there any more: spent, or expired because they could not be given."""
    expired = now_of(session) >= plan.until
    plan.status = PlanStatus.MISSED if expired else PlanStatus.NOTHING
    if expired:
        campaign = session.get_one(Campaign, rescue.campaign_id)
        telling.rescue_missed(session, rescue, plan, campaign)


def _later(session: Session, plan: RescuePlan, reason: str) -> None:
    plan.reason, plan.try_at = reason, now_of(session) + PAUSE


def put_off(session: Session, plan_id: UUID, reason: str) -> None:
    """Trouble of the moment: the plan is looked at again after a pause."""
    plan = session.get_one(RescuePlan, plan_id, with_for_update=True, populate_existing=True)
    if plan.status is PlanStatus.ANNOUNCED:
        _later(session, plan, reason)
        session.flush()


def _wish(rescue: Rescue, plan: RescuePlan, campaign: Campaign, points: int) -> giving.Wish:
    return giving.Wish(
        campaign=campaign.slug,
        wallet_id=rescue.wallet_id,
        points=points,
        key=f"expiring:{plan.id}:{plan.attempt}",
        anonymous=rescue.anonymous,
        locale=rescue.locale,
        origin=Origin.EXPIRING,
    )


def _giver(session: Session, rescue: Rescue) -> Person | None:
    """Who asked for it, where they may still give from their wallet."""
    person = session.get(Person, rescue.person_id)
    if person is None or person.disabled_at is not None:
        return None
    return person if person.participant_id == rescue.participant_id else None


def target(session: Session, rescue: Rescue) -> Campaign | None:
    """The campaign that gets the points now: the chosen one, or its charity's general fund."""
    chosen = session.get_one(Campaign, rescue.campaign_id, populate_existing=True)
    if _takes(session, chosen):
        return chosen
    fund = general_fund(session, chosen) if rescue.fallback else None
    return fund if fund is not None and _takes(session, fund) else None


def general_fund(session: Session, campaign: Campaign) -> Campaign | None:
    """The charity's oldest campaign in the same currency that is open and has no end."""
    return session.scalar(
        sa.select(Campaign)
        .where(
            Campaign.charity_id == campaign.charity_id,
            Campaign.currency == campaign.currency,
            Campaign.id != campaign.id,
            Campaign.ends_at.is_(None),
            Campaign.closed_at.is_(None),
            Campaign.starts_at <= now_of(session),
        )
        .order_by(Campaign.starts_at, Campaign.id)
        .limit(1)
    )


def _takes(session: Session, campaign: Campaign) -> bool:
    now = now_of(session)
    over = campaign.ends_at is not None and now >= campaign.ends_at
    charity = session.get_one(Charity, campaign.charity_id)
    receives = why_not(charity, now.date()) is None
    return receives and not over and campaign.closed_at is None and now >= campaign.starts_at


def why_wrong(session: Session, gift: Gift) -> str | None:
    """Why a held gift of points that expire must not be promised; None where it may be.

    It was stopped, another attempt has taken its place, or its draws are not what was announced.
    """
    plan = session.scalar(sa.select(RescuePlan).where(RescuePlan.burn_id == gift.burn_id))
    if plan is None:
        return OTHER_POINTS
    if plan.status is not PlanStatus.ANNOUNCED:
        return giving.CANCELLED
    drawn = session.scalars(
        sa.select(Draw.lot_id).where(Draw.wallet_id == gift.wallet_id, Draw.burn_id == gift.burn_id)
    )
    return None if set(drawn) <= set(plan.lot_ids) else OTHER_POINTS
