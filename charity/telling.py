"""What people are told of charity, in the transaction of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from charity.domain import GiftStatus
from charity.models import Campaign, CampaignText, Charity, Gift, Match, Receipt, Schedule
from charity.rescue_models import Rescue, RescuePlan
from marketplace.coalition.models import Participant
from marketplace.identity.domain import Role
from marketplace.identity.models import Person
from marketplace.notices.service import Telling, notify_many_sync
from marketplace.web.i18n import told_in

AT_ONCE: Final = 1_000


def title_of(session: Session, campaign: Campaign, language: str) -> str:
    """A campaign's title in a language, or the next best."""
    titles = titles_of(session, campaign)
    return titles[told_in(language, campaign.default_locale, titles)]


def titles_of(session: Session, campaign: Campaign) -> dict[str, str]:
    """A campaign's titles by language."""
    query = sa.select(CampaignText).where(CampaignText.campaign_id == campaign.id)
    return {each.locale: each.title for each in session.scalars(query)}


def _page(campaign: Campaign) -> str:
    return f"/charity/c/{campaign.slug}"


def _person(
    session: Session, kind: str, once_key: str, person_id: UUID, context: Mapping[str, Any]
) -> int:
    telling = Telling(once_key=once_key, person_id=person_id, context=context)
    return notify_many_sync(session, kind, [telling])


# -- givers ----------------------------------------------------------------------------------------


def receipt_ready(
    session: Session,
    gift: Gift,
    receipt: Receipt,
    code: str,
    *,
    taken_back_points: int,
    match_taken_back_points: int,
) -> int:
    """The giver's receipt is there, or the correction of one: of what was refunded, or (above zero)
    because a dispute took so many points back, of the gift or of its match. Of a pool's gift
    whoever gave it is told."""
    campaign = session.get_one(Campaign, gift.campaign_id)
    told = taken_back_points or match_taken_back_points
    telling = Telling(
        once_key=f"receipt:{receipt.id}",
        participant_id=gift.participant_id,
        person_id=None if gift.participant_id else gift.caller_id,
        context={
            "campaign": title_of(session, campaign, gift.locale),
            "receipt": code,
            "path": f"/charity/receipts/{receipt.id}",
            **({"points": told} if told else {}),
        },
    )
    kind = "donation_receipt" if receipt.corrects_id is None else "donation_corrected"
    if taken_back_points:
        kind = "donation_taken_back"
    elif match_taken_back_points:
        kind = "donation_match_taken_back"
    return notify_many_sync(session, kind, [telling])


def month_over(session: Session, schedule: Schedule, due: date, refusal: str) -> int:
    """A month's gift was made, or why it was not."""
    campaign = session.get_one(Campaign, schedule.campaign_id)
    context: dict[str, Any] = {
        "campaign": title_of(session, campaign, schedule.locale),
        "points": schedule.points,
    }
    if refusal:
        context["reason"] = refusal
    kind = "monthly_failed" if refusal else "monthly_made"
    once_key = f"monthly:{schedule.id}:{due:%Y-%m}"
    return _person(session, kind, once_key, schedule.person_id, context)


def monthly_ended(session: Session, schedule: Schedule) -> int:
    """A monthly gift ended with its campaign."""
    campaign = session.get_one(Campaign, schedule.campaign_id)
    context = {
        "campaign": title_of(session, campaign, schedule.locale),
        "points": schedule.points,
    }
    once_key = f"monthly:{schedule.id}:ended"
    return _person(session, "monthly_ended", once_key, schedule.person_id, context)


def rescue_planned(session: Session, rescue: Rescue, plan: RescuePlan, campaign: Campaign) -> int:
    """Which points will be given, how many and when."""
    context = {
        "campaign": title_of(session, campaign, rescue.locale),
        "points": plan.points,
        "until": _day(plan.last_until),
        "day": _day(plan.give_at),
    }
    return _person(session, "expiring_planned", f"rescue:{plan.id}", rescue.person_id, context)


def rescue_missed(session: Session, rescue: Rescue, plan: RescuePlan, campaign: Campaign) -> int:
    """Announced points could not be given before they expired."""
    context = {
        "campaign": title_of(session, campaign, rescue.locale),
        "points": plan.points,
        "reason": plan.reason,
    }
    once_key = f"rescue:{plan.id}:missed"
    return _person(session, "expiring_missed", once_key, rescue.person_id, context)


def payout_failed(
    session: Session, charity: Charity, reference: str, burn_ids: Sequence[UUID]
) -> int:
    """A payment to a charity did not arrive: those whose gifts it was to pay."""
    return _paid_for(session, "payout_failed", f"payout:{reference}:failed", charity, burn_ids, {})


def payout_made_good(
    session: Session, charity: Charity, reference: str, day: date, burn_ids: Sequence[UUID]
) -> int:
    """What had not arrived was paid anew by this payment."""
    once_key, more = f"payout:{reference}:booked", {"day": day.isoformat()}
    return _paid_for(session, "payout_made_good", once_key, charity, burn_ids, more)


def _paid_for(
    session: Session,
    kind: str,
    once_key: str,
    charity: Charity,
    burn_ids: Sequence[UUID],
    more: Mapping[str, Any],
) -> int:
    """Tell whoever gave these gifts and did not get them back whole, each giver once."""
    query = (
        sa.select(
            Gift.participant_id,
            sa.case((Gift.participant_id.is_(None), Gift.caller_id)).label("person_id"),
        )
        .where(
            Gift.burn_id.in_(burn_ids),
            Gift.status == GiftStatus.CAPTURED,
            Gift.kept_points > 0,
        )
        .distinct()
    )
    tellings = [
        Telling(
            once_key=once_key,
            participant_id=participant_id,
            person_id=person_id,
            context={"charity": charity.legal_name, **more},
        )
        for participant_id, person_id in session.execute(query)
    ]
    return notify_many_sync(session, kind, tellings)


def reached(session: Session, campaign: Campaign) -> int:
    """A campaign has come to its goal: those who gave to it."""
    return _givers(session, campaign, "campaign_reached", {})


def closed(session: Session, campaign: Campaign) -> int:
    """A campaign takes no more gifts: those who gave to it."""
    return _givers(session, campaign, "campaign_closed", {"reason": campaign.closed_reason})


def _givers(session: Session, campaign: Campaign, kind: str, more: Mapping[str, Any]) -> int:
    """Tell who gave from a wallet of their own and did not get it all back."""
    titles = titles_of(session, campaign)
    query = (
        sa.select(Participant.id, Participant.locale)
        .where(
            sa.exists().where(
                Gift.participant_id == Participant.id,
                Gift.campaign_id == campaign.id,
                Gift.status == GiftStatus.CAPTURED,
                Gift.kept_points > 0,
            )
        )
        .order_by(Participant.id)
    )
    told, after = 0, UUID(int=0)
    while rows := session.execute(query.where(Participant.id > after).limit(AT_ONCE)).all():
        after = rows[-1][0]
        told += notify_many_sync(
            session,
            kind,
            [
                Telling(
                    once_key=f"{kind}:{campaign.id}",
                    participant_id=participant_id,
                    context={
                        "campaign": titles[
                            told_in(locale or "en", campaign.default_locale, titles)
                        ],
                        "path": _page(campaign),
                        **more,
                    },
                )
                for participant_id, locale in rows
            ],
        )
    return told


# -- others ----------------------------------------------------------------------------------------


def match_exhausted(session: Session, match: Match) -> int:
    """Nothing is left below a match's cap: the people of the member or the firm."""
    campaign = session.get_one(Campaign, match.campaign_id)
    if match.firm_id is None:
        whose = sa.and_(_has(Role.PARTNER), Person.member_id == match.member_id)
    else:
        whose = sa.and_(_has(Role.FIRM_MANAGER), Person.firm_id == match.firm_id)
    people = session.execute(sa.select(Person.id, Person.locale).where(whose)).all()
    return notify_many_sync(
        session,
        "match_exhausted",
        [
            Telling(
                once_key=f"match:{match.id}:exhausted",
                person_id=person_id,
                context={
                    "campaign": title_of(session, campaign, locale or campaign.default_locale),
                    "points": match.cap_points,
                    "path": _page(campaign),
                },
            )
            for person_id, locale in people
        ],
    )


def review_due(session: Session, charities: Iterable[Charity], days: int) -> int:
    """A charity is to be verified again within so many days: the operator."""
    return sum(_operator(session, "charity_review_due", each, f"{days}") for each in charities)


def lapsed(session: Session, charities: Iterable[Charity]) -> int:
    """Nobody verified a charity in time: the operator."""
    return sum(_operator(session, "charity_lapsed", each, "lapsed") for each in charities)


def _operator(session: Session, kind: str, charity: Charity, occasion: str) -> int:
    if charity.review_due_on is None:
        raise ValueError(f"{charity.slug} was never verified")
    due = charity.review_due_on.isoformat()
    people = session.scalars(sa.select(Person.id).where(_has(Role.OPERATOR)))
    return notify_many_sync(
        session,
        kind,
        [
            Telling(
                once_key=f"charity:{charity.id}:{due}:{occasion}",
                person_id=person_id,
                context={"charity": charity.legal_name, "until": due},
            )
            for person_id in people
        ],
    )


def _has(role: Role) -> sa.ColumnElement[bool]:
    """Whether a person has a role and may sign in."""
    return sa.and_(Person.disabled_at.is_(None), Person.roles.contains([role.value]))


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
