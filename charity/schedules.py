"""Monthly gifts: made by whoever owns the points, stopped by them, carried out by the clock.

A month's gift has a key of its own (`monthly:<schedule>:2026-03`), so it is given once however
often the clock asks. Of months that were missed only the last one that is due is given: nobody
wakes up to three gifts at once.
"""

from __future__ import annotations

import logging
import time
from calendar import monthrange
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from charity import giving, telling
from charity.domain import Origin
from charity.engine import engine_for
from charity.errors import UnknownCause
from charity.models import Campaign, Schedule
from charity.notes import SYSTEM, note, now_of
from charity.schemas import ScheduleView
from marketplace.api import EligibilityRule
from marketplace.db import Database
from marketplace.errors import Busy, InvalidRequest, MarketplaceError
from marketplace.exchange.decide import MAX_AMOUNT
from marketplace.identity.domain import Principal
from marketplace.identity.models import Person
from marketplace.ids import uuid7

log = logging.getLogger(__name__)

AT_ONCE = 200
MOST_S: Final = 240.0
"""Longest that one run begins to give."""
OURS: Final = 500
"""Errors with this status and above are troubles of our own."""
MOST = 20
"""Monthly gifts of one wallet."""
LAST_DAY = 31


class NewSchedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A monthly gift to be set up."""

    campaign: str
    wallet_id: UUID
    points: int
    day: int
    """Of the month, 1 to 31; shorter months have it on their last day."""
    anonymous: bool = False
    locale: str = "en"


def due_in(month: date, day: int) -> date:
    """When a month, of which any day is given, has its gift: on that day, or on its last."""
    return month.replace(day=min(day, monthrange(month.year, month.month)[1]))


def next_month(due: date, day: int) -> date:
    """When the month after `due` has its gift."""
    return due_in(due.replace(day=1) + timedelta(days=32), day)


def first_on(today: date, day: int) -> date:
    """The first time a schedule made today is due: never today."""
    this = due_in(today, day)
    return this if this > today else next_month(this, day)


def last_due(next_on: date, today: date, day: int) -> date:
    """The last due day until today of a schedule whose next one is `next_on`, which is due."""
    due = next_on
    while (after := next_month(due, day)) <= today:
        due = after
    return due


def set_up(session: Session, principal: Principal, new: NewSchedule) -> Schedule:
    """Set up a monthly gift. Raises UnknownCause, InvalidRequest, CampaignOver ..."""
    giving.own_wallet(session, principal, new.wallet_id)
    campaign = session.scalar(sa.select(Campaign).where(Campaign.slug == new.campaign))
    if campaign is None:
        raise UnknownCause(f"There is no campaign {new.campaign!r}.")
    giving.require_open(session, campaign)
    if not 0 < new.points <= MAX_AMOUNT or not 1 <= new.day <= LAST_DAY:
        raise InvalidRequest("Points are a whole number, the day is 1 to 31.", field="day")
    if len(standing_of(session, [new.wallet_id])) >= MOST:
        raise InvalidRequest(f"There are {MOST} monthly gifts already.")
    now = now_of(session)
    schedule = Schedule(
        id=uuid7(),
        wallet_id=new.wallet_id,
        person_id=principal.caller_id,
        campaign_id=campaign.id,
        points=new.points,
        day=new.day,
        next_on=first_on(now.date(), new.day),
        anonymous=new.anonymous,
        locale=new.locale,
        made_at=now,
        stopped_why="",
        last_refusal="",
    )
    session.add(schedule)
    session.flush()
    details = {"points": new.points, "day": new.day, "campaign": new.campaign}
    note(session, principal.actor, "schedule_made", schedule.id, **details)
    return schedule


def standing_of(session: Session, wallet_ids: Sequence[UUID]) -> Sequence[Schedule]:
    """Monthly gifts of wallets that are not stopped, oldest first."""
    query = sa.select(Schedule).where(
        Schedule.wallet_id.in_(wallet_ids), Schedule.stopped_at.is_(None)
    )
    return list(session.scalars(query.order_by(Schedule.id)))


def stop(session: Session, principal: Principal, schedule_id: UUID) -> Schedule:
    """Stop a monthly gift; again changes nothing. Raises UnknownCause."""
    schedule = session.get(Schedule, schedule_id, with_for_update=True, populate_existing=True)
    if schedule is None:
        raise UnknownCause("There is no such monthly gift of yours.")
    giving.own_wallet(session, principal, schedule.wallet_id)
    _stop(session, schedule, "", principal.actor)
    return schedule


def _stop(session: Session, schedule: Schedule, why: str, actor: str) -> None:
    if schedule.stopped_at is None:
        schedule.stopped_at, schedule.stopped_why = now_of(session), why
        session.flush()
        note(session, actor, "schedule_stopped", schedule.id, why=why)


async def give_due(
    database: Database, rules: dict[str, EligibilityRule], *, most_s: float = MOST_S
) -> int:
    """Give what is due, each once for its month; how many were looked at.

    What is left after `most_s` seconds is left to the next run.
    """
    until = time.monotonic() + most_s
    async with database.begin() as session:
        due = await session.run_sync(_due, None)
    looked_at = 0
    if not due:
        return looked_at
    async with engine_for(database, rules) as engine:
        while due and time.monotonic() < until:
            for schedule_id, _ in due:
                await _give_one(database, engine, schedule_id)
            looked_at += len(due)
            async with database.begin() as session:
                due = await session.run_sync(_due, due[-1])
    return looked_at


Place: TypeAlias = tuple[UUID, date]
"""A schedule and when it was due, as it was read."""


def _due(session: Session, after: Place | None) -> list[Place]:
    """What is due after that which was looked at last, in the order of their days."""
    query = sa.select(Schedule.id, Schedule.next_on).where(
        Schedule.stopped_at.is_(None), Schedule.next_on <= now_of(session).date()
    )
    if after is not None:
        place = sa.tuple_(Schedule.next_on, Schedule.id)
        query = query.where(place > sa.tuple_(sa.literal(after[1]), sa.literal(after[0])))
    rows = session.execute(query.order_by(Schedule.next_on, Schedule.id).limit(AT_ONCE))
    return [(row.id, row.next_on) for row in rows]


async def _give_one(database: Database, engine: giving.Engine, schedule_id: UUID) -> None:
    """One month of one schedule. Trouble of the moment leaves it due, and holds up no other."""
    try:
        async with database.begin() as session:
            asked = await session.run_sync(_wish, schedule_id)
        if asked is None:
            return
        principal, wish, due = asked
        refusal = await _refusal(database, engine, principal, wish)
        async with database.begin() as session:
            await session.run_sync(_move_on, schedule_id, due, refusal)
    except Exception as error:
        if isinstance(error, Busy):
            return
        log.exception("monthly gift %s could not be given; it stays due", schedule_id)


async def _refusal(
    database: Database, engine: giving.Engine, principal: Principal, wish: giving.Wish
) -> str:
    """Give it; the code of why it is refused for this month, empty where it is not. Raises what is
    no answer to the wish, Busy among it."""
    try:
        given = await giving.give(database, engine, principal, wish)
    except MarketplaceError as error:
        if error.status >= OURS:
            raise
        return error.code
    return getattr(given.error, "code", "")


def _wish(session: Session, schedule_id: UUID) -> tuple[Principal, giving.Wish, date] | None:
    """Who gives what for which due day; None where it is stopped, given or its giver is gone."""
    schedule = session.get(Schedule, schedule_id, with_for_update=True, populate_existing=True)
    today = now_of(session).date()
    if schedule is None or schedule.stopped_at is not None or schedule.next_on > today:
        return None
    person = session.get(Person, schedule.person_id)
    campaign = session.get_one(Campaign, schedule.campaign_id)
    if person is None or person.disabled_at is not None:
        _stop(session, schedule, "giver_gone", SYSTEM)
        return None
    if campaign.closed_at is not None or (campaign.ends_at and campaign.ends_at.date() < today):
        _stop(session, schedule, "campaign_over", SYSTEM)
        telling.monthly_ended(session, schedule)
        return None
    due = last_due(schedule.next_on, today, schedule.day)
    return (
        giving.principal_of(person),
        giving.Wish(
            campaign=campaign.slug,
            wallet_id=schedule.wallet_id,
            points=schedule.points,
            key=f"monthly:{schedule.id}:{due:%Y-%m}",
            anonymous=schedule.anonymous,
            locale=schedule.locale,
            origin=Origin.MONTHLY,
        ),
        due,
    )


def _move_on(session: Session, schedule_id: UUID, due: date, refusal: str) -> None:
    schedule = session.get_one(Schedule, schedule_id, with_for_update=True, populate_existing=True)
    if schedule.next_on <= due:
        schedule.next_on = next_month(due, schedule.day)
        schedule.last_refusal = refusal
        session.flush()
        telling.month_over(session, schedule, due, refusal)


def view(session: Session, schedule: Schedule) -> ScheduleView:
    """A monthly gift as its giver sees it."""
    campaign = session.get_one(Campaign, schedule.campaign_id)
    return ScheduleView(
        id=schedule.id,
        campaign=campaign.slug,
        wallet_id=schedule.wallet_id,
        points=schedule.points,
        day=schedule.day,
        next_on=schedule.next_on,
        anonymous=schedule.anonymous,
        last_refusal=schedule.last_refusal,
    )


def views_of(session: Session, principal: Principal) -> list[ScheduleView]:
    """Monthly gifts from the wallets that the caller gives from."""
    wallets = [each.id for each in giving.wallets_of(session, principal)]
    return [view(session, each) for each in standing_of(session, wallets)]
