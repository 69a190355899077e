"""An event as its document says it, changed a part at a time, and parts taken out again.

Whatever a form changes goes the way of a file: the document as it is now, with one part otherwise,
is put by `events.put_in`. So nothing can be said by a form that a file could not say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace.api import Host
from marketplace_conference import attendees, events
from marketplace_conference.errors import EventOff, PartTaken, UnknownEvent
from marketplace_conference.models import category, event, prerequisite, question, quota, seat
from marketplace_conference.models import session as sessions
from marketplace_conference.names import Names
from marketplace_conference.schemas import NewCategory, NewEvent, NewSession

Change = Callable[[NewEvent], NewEvent | None]
"""From the document as it is to the one that is wanted; None: nothing is to be written."""


def document(session: Session, slug: str, member_id: UUID, organiser: str) -> NewEvent:
    """What `put` would take to make the event as it is; UnknownEvent for another member's."""
    row = session.execute(
        sa.select(event).where(event.c.slug == slug, event.c.organiser_id == member_id)
    ).first()
    if row is None:
        raise UnknownEvent(f"There is no event {slug!r} of yours.")
    zone = ZoneInfo(row.time_zone)
    return NewEvent(
        slug=row.slug,
        name=_line(row.name),
        names=_others(row.names, row.language),
        organiser=organiser,
        language=row.language,
        venue=_line(row.venue),
        time_zone=row.time_zone,
        starts_at=row.starts_at.astimezone(zone),
        ends_at=row.ends_at.astimezone(zone),
        sessions=_sessions(session, row.id, row.language, zone),
        categories=_categories(session, row.id, row.language),
        quotas=_quotas(session, row.id),
        questions=attendees.questions(session, row.id),
        description=row.description,
        address=_line(row.address),
        hold_minutes=row.hold_minutes,
        doors_open_minutes=row.doors_open_minutes,
    )


def _sessions(session: Session, event_id: UUID, language: str, zone: ZoneInfo) -> list[NewSession]:
    rows = session.execute(
        sa.select(sessions)
        .where(sessions.c.event_id == event_id)
        .order_by(sessions.c.starts_at, sessions.c.code)
    ).all()
    needs = _requires(session, event_id)
    return [
        NewSession(
            code=row.code,
            name=_line(row.name),
            names=_others(row.names, language),
            starts_at=row.starts_at.astimezone(zone),
            ends_at=row.ends_at.astimezone(zone),
            room=_line(row.room),
            certified=row.certified,
            requires=needs.get(row.id, []),
        )
        for row in rows
    ]


def _line(words: str) -> str:
    """As a document may have it: what was taken before versions that look closer stays editable."""
    if words.isprintable():
        return words
    return " ".join("".join(each if each.isprintable() else " " for each in words).split())


def _others(names: Names, own: str) -> dict[str, str]:
    """Names in other languages than the event's, which a later document may have changed."""
    return {code: name for code, name in names.items() if code != own}


def _requires(session: Session, event_id: UUID) -> Mapping[UUID, list[str]]:
    needed, its_event = sessions.alias("needed"), event.alias("its_event")
    rows = session.execute(
        sa.select(prerequisite.c.session_id, its_event.c.slug, needed.c.code)
        .join(sessions, sessions.c.id == prerequisite.c.session_id)
        .join(needed, needed.c.id == prerequisite.c.needs_id)
        .join(its_event, its_event.c.id == needed.c.event_id)
        .where(sessions.c.event_id == event_id)
        .order_by(its_event.c.slug, needed.c.code)
    )
    found: dict[UUID, list[str]] = {}
    for row in rows:
        found.setdefault(row.session_id, []).append(f"{row.slug}/{row.code}")
    return found


def _categories(session: Session, event_id: UUID, language: str) -> list[NewCategory]:
    rows = session.execute(
        sa.select(category, sessions.c.code, quota.c.code.label("quota"))
        .join(sessions, sessions.c.id == category.c.session_id)
        .outerjoin(quota, quota.c.id == category.c.quota_id)
        .where(sessions.c.event_id == event_id)
        .order_by(category.c.position, category.c.sku)
    )
    return [
        NewCategory(
            sku=row.sku,
            name=_line(row.name),
            names=_others(row.names, language),
            session=row.code,
            quota=row.quota,
            numbered=row.numbered,
            must_choose=row.must_choose,
            most_at_once=row.most_at_once,
            points=row.points,
            cost_micros=row.cost_micros,
        )
        for row in rows
    ]


def _quotas(session: Session, event_id: UUID) -> dict[str, int]:
    rows = session.execute(
        sa.select(quota.c.code, quota.c.size)
        .where(quota.c.event_id == event_id)
        .order_by(quota.c.code)
    )
    return {row.code: row.size for row in rows}


def edit(
    host: Host, slug: str, member_id: UUID, organiser: str, change: Change, *, actor: str
) -> bool:
    """Put an event with one part otherwise; False where `change` asks for nothing.

    The event is locked while it is read and written, so two people who edit different parts at
    once lose nothing. Raises what `put` raises, and EventOff.
    """
    with host.transaction() as session:
        _lock(session, slug, member_id)
        present = document(session, slug, member_id, organiser)
        wanted = change(present)
        if wanted is None:
            return False
        events.put_in(host, session, wanted, member_id, actor=actor)
        used = {each.quota for each in wanted.categories}
        gone = {each.quota for each in present.categories} - used
        _drop_quotas(session, slug, {each for each in gone if each is not None})
    events.align(host, slug)
    return True


def _lock(session: Session, slug: str, member_id: UUID) -> Any:
    row = session.execute(
        sa.select(event.c.id, event.c.status)
        .where(event.c.slug == slug, event.c.organiser_id == member_id)
        .with_for_update()
    ).first()
    if row is None:
        raise UnknownEvent(f"There is no event {slug!r} of yours.")
    if row.status == "cancelled":
        raise EventOff
    return row


def _drop_quotas(session: Session, slug: str, codes: set[str]) -> None:
    """Forget quotas that no category names any more."""
    of_event = sa.select(event.c.id).where(event.c.slug == slug).scalar_subquery()
    unused = ~sa.exists().where(category.c.quota_id == quota.c.id)
    session.execute(
        sa.delete(quota).where(quota.c.event_id == of_event, quota.c.code.in_(codes), unused)
    )


def take_out_category(host: Host, slug: str, member_id: UUID, sku: str, *, actor: str) -> None:
    """Sell nothing of this kind any more, its seats with it; PartTaken where anybody has, or had,
    a place, or it is on offer."""
    with host.transaction() as session:
        of = _lock(session, slug, member_id)
        row = session.execute(
            sa.select(category.c.id, quota.c.code.label("quota"))
            .join(sessions, sessions.c.id == category.c.session_id)
            .outerjoin(quota, quota.c.id == category.c.quota_id)
            .where(sessions.c.event_id == of.id, category.c.sku == sku)
        ).first()
        if row is None:
            raise UnknownEvent(f"{slug!r} has no category {sku!r}.")
        if host.offers(session, sku=sku):
            raise PartTaken(f"{sku} is on offer: retire its offer first.")
        _delete(
            session,
            sa.delete(seat).where(seat.c.category_id == row.id),
            sa.delete(category).where(category.c.id == row.id),
        )
        _drop_quotas(session, slug, set() if row.quota is None else {row.quota})
        host.audit(session, actor=actor, action="category_taken_out", subject=sku, event=slug)


def take_out_session(host: Host, slug: str, member_id: UUID, code: str, *, actor: str) -> None:
    """The event has this part no more; PartTaken where something is sold of it, another session
    requires it, or it is the only one."""
    with host.transaction() as session:
        of = _lock(session, slug, member_id)
        rows = session.execute(
            sa.select(sessions.c.id, sessions.c.code).where(sessions.c.event_id == of.id)
        ).all()
        found = [row.id for row in rows if row.code == code]
        if not found:
            raise UnknownEvent(f"{slug!r} has no session {code!r}.")
        if len(rows) == 1:
            raise PartTaken("An event has one session at least.")
        _delete(
            session,
            sa.delete(prerequisite).where(prerequisite.c.session_id == found[0]),
            sa.delete(sessions).where(sessions.c.id == found[0]),
        )
        host.audit(session, actor=actor, action="session_taken_out", subject=slug, code=code)


def discard(host: Host, slug: str, member_id: UUID, *, actor: str) -> None:
    """Forget a draft whole; PartTaken where it is none, or anybody has, or had, something of it,
    or terms were set for it, which are kept for ever."""
    with host.transaction() as session:
        of = _lock(session, slug, member_id)
        mine = sessions.c.event_id == of.id
        skus = session.scalars(
            sa.select(category.c.sku)
            .join(sessions, sessions.c.id == category.c.session_id)
            .where(mine)
        )
        if of.status != "draft" or any(host.offers(session, sku=sku) for sku in skus):
            raise PartTaken
        parts = sa.select(sessions.c.id).where(mine)
        _delete(
            session,
            sa.delete(prerequisite).where(prerequisite.c.session_id.in_(parts)),
            sa.delete(seat).where(seat.c.session_id.in_(parts)),
            sa.delete(category).where(category.c.session_id.in_(parts)),
            sa.delete(quota).where(quota.c.event_id == of.id),
            sa.delete(question).where(question.c.event_id == of.id),
            sa.delete(sessions).where(mine),
            sa.delete(event).where(event.c.id == of.id),
        )
        host.audit(session, actor=actor, action="event_discarded", subject=slug)


def _delete(session: Session, *statements: sa.Delete) -> None:
    """All of it; PartTaken where a row of somebody's names what would go."""
    try:
        with session.begin_nested():
            for each in statements:
                session.execute(each)
    except IntegrityError:
        raise PartTaken from None
