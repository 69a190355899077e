"""Events: made and changed whole, from one document, and read by everybody."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.api import Conflict, Host, InvalidRequest
from marketplace_conference import attendees, counting, documents, prerequisites, selling, stock
from marketplace_conference.counting import Count
from marketplace_conference.errors import EventExists, EventOff, UnknownCategory, UnknownEvent
from marketplace_conference.models import allotment, category, event, question, quota
from marketplace_conference.models import session as sessions
from marketplace_conference.names import said
from marketplace_conference.schemas import (
    CategoryView,
    EventView,
    NewAllotment,
    NewCategory,
    NewEvent,
    SessionView,
)
from marketplace_conference.tickets import moving

log = logging.getLogger(__name__)

JUST_ENDED: Final = timedelta(days=2)


def put(host: Host, new: NewEvent, member_id: UUID | None, *, actor: str) -> EventView:
    """Make an event, or bring it up to date. Nothing that is sold by it is taken away.

    `member_id` may only put events of its own; None: anybody's.
    """
    with host.transaction() as session:
        put_in(host, session, new, member_id, actor=actor)
    align(host, new.slug)
    return read(host, new.slug, drafts=True)


def put_in(
    host: Host, session: Session, new: NewEvent, member_id: UUID | None, *, actor: str
) -> None:
    """The same in a transaction of the caller's, who aligns the stock after it."""
    _check(new)
    organiser_id = host.member_id(session, new.organiser)
    moving.refuse_silently(session, new)
    if member_id not in (None, organiser_id):
        raise UnknownEvent("An event is organised by the member that you work for.")
    event_id = _put_event(session, new, organiser_id)
    session_ids = _put_sessions(session, event_id, new)
    prerequisites.put(session, new, session_ids)
    quota_ids = _put_quotas(session, event_id, new)
    _put_questions(session, event_id, new)
    for position, each in enumerate(new.categories):
        quota_id = None if each.quota is None else quota_ids[each.quota]
        _put_category(session, each, session_ids[each.session], quota_id, position)
    host.audit(session, actor=actor, action="event_put", subject=new.slug)


def align(host: Host, slug: str) -> None:
    """Bring the stock of every offer of an event up to date."""
    with host.transaction() as session:
        ids = session.scalars(
            sa.select(category.c.id)
            .join(sessions, sessions.c.id == category.c.session_id)
            .join(event, event.c.id == sessions.c.event_id)
            .where(event.c.slug == slug)
            .order_by(category.c.sku)
        ).all()
    for category_id in ids:
        with host.transaction() as session:
            stock.align(host, session, [category_id])


def align_all(host: Host) -> None:
    """The same of every event that is not over, for offers may have come after it; and of those
    that have just ended, for nothing is sold of them any more."""
    with host.transaction() as session:
        slugs = session.scalars(
            sa.select(event.c.slug)
            .where(event.c.ends_at > host.now(session) - JUST_ENDED)
            .order_by(event.c.slug)
        ).all()
    for slug in slugs:
        try:
            align(host, slug)
        except Exception:
            # Others have stock too; the next run comes to this one again.
            log.exception("conference: the stock of event %s is not aligned", slug)


def _check(new: NewEvent) -> None:
    if wrong := [reason for _, reason in documents.problems(new)]:
        raise InvalidRequest(f"{'; '.join(wrong[:10])}.")


def _said(**values: Any) -> dict[str, Any]:
    """What a document says of this; what it leaves out stays as it is."""
    return {name: value for name, value in values.items() if value is not None}


def _put_event(session: Session, new: NewEvent, organiser_id: UUID) -> UUID:
    values: dict[str, Any] = {
        "slug": new.slug,
        "name": new.name,
        "description": new.description,
        "language": new.language,
        "venue": new.venue,
        "address": new.address,
        "time_zone": new.time_zone,
        "starts_at": new.starts_at,
        "ends_at": new.ends_at,
        "hold_minutes": new.hold_minutes,
    }
    values |= _said(doors_open_minutes=new.doors_open_minutes, names=new.names)
    made = session.scalar(
        insert(event)
        .values(id=uuid4(), organiser_id=organiser_id, **values)
        .on_conflict_do_update(
            index_elements=["slug"], set_=values, where=event.c.organiser_id == organiser_id
        )
        .returning(event.c.id)
    )
    if made is None:
        raise EventExists(f"Another member organises {new.slug}.")
    found: UUID = made
    return found


def _put_sessions(session: Session, event_id: UUID, new: NewEvent) -> Mapping[str, UUID]:
    found = {}
    for each in new.sessions:
        values = {
            "name": each.name,
            "starts_at": each.starts_at,
            "ends_at": each.ends_at,
            "room": each.room,
            "certified": each.certified,
            **_said(names=each.names),
        }
        found[each.code] = session.execute(
            insert(sessions)
            .values(id=uuid4(), event_id=event_id, code=each.code, **values)
            .on_conflict_do_update(index_elements=["event_id", "code"], set_=values)
            .returning(sessions.c.id)
        ).scalar_one()
    return found


def _put_quotas(session: Session, event_id: UUID, new: NewEvent) -> Mapping[str, UUID]:
    return {
        code: session.execute(
            insert(quota)
            .values(id=uuid4(), event_id=event_id, code=code, size=size)
            .on_conflict_do_update(index_elements=["event_id", "code"], set_={"size": size})
            .returning(quota.c.id)
        ).scalar_one()
        for code, size in new.quotas.items()
    }


def _put_questions(session: Session, event_id: UUID, new: NewEvent) -> None:
    session.execute(sa.delete(question).where(question.c.event_id == event_id))
    for position, each in enumerate(new.questions):
        session.execute(
            sa.insert(question).values(
                id=uuid4(),
                event_id=event_id,
                code=each.code,
                label=each.label,
                kind=each.kind,
                options=each.options,
                required=each.required,
                position=position,
            )
        )


def _put_category(
    session: Session, new: NewCategory, session_id: UUID, quota_id: UUID | None, position: int
) -> None:
    values = {
        "name": new.name,
        "quota_id": quota_id,
        "must_choose": new.must_choose,
        "most_at_once": new.most_at_once,
        "position": position,
        "points": new.points,
        "cost_micros": new.cost_micros,
        **_said(names=new.names),
    }
    fixed = (category.c.session_id == session_id) & (category.c.numbered == new.numbered)
    made = session.scalar(
        insert(category)
        .values(id=uuid4(), session_id=session_id, sku=new.sku, numbered=new.numbered, **values)
        .on_conflict_do_update(index_elements=["sku"], set_=values, where=fixed)
        .returning(category.c.id)
    )
    if made is None:
        raise EventExists(f"{new.sku} is of another session, or is numbered otherwise.")


def set_status(host: Host, slug: str, member_id: UUID | None, status: str, *, actor: str) -> None:
    """Publish an event, or take it back to a draft. One that was called off stays so."""
    with host.transaction() as session:
        query = sa.select(event.c.id, event.c.status).where(event.c.slug == slug)
        if member_id is not None:
            query = query.where(event.c.organiser_id == member_id)
        row = session.execute(query.with_for_update()).first()
        if row is None:
            raise UnknownEvent(f"There is no event {slug!r}.")
        if row.status == "cancelled":
            raise EventOff
        session.execute(sa.update(event).where(event.c.id == row.id).values(status=status))
        host.audit(session, actor=actor, action=f"event_{status}", subject=slug)
    align(host, slug)


def allot(host: Host, new: NewAllotment, member_id: UUID | None, *, actor: str) -> None:
    """Keep places for a firm; a smaller size gives the rest back to everybody."""
    with host.transaction() as session:
        row = session.execute(
            sa.select(category.c.id, event.c.organiser_id)
            .join(sessions, sessions.c.id == category.c.session_id)
            .join(event, event.c.id == sessions.c.event_id)
            .where(category.c.sku == new.sku)
        ).first()
        if row is None or member_id not in (None, row.organiser_id):
            raise UnknownCategory(f"There is no category {new.sku!r} of yours.")
        if new.size and new.releases_at <= host.now(session):
            raise InvalidRequest("The day of release is over: nothing would be kept.")
        selling.lock_pools(session, {row.id}, alone=True)
        before = counting.of_pool(session, row.id, host.now(session))
        values = {"size": new.size, "releases_at": new.releases_at}
        session.execute(
            insert(allotment)
            .values(id=uuid4(), category_id=row.id, firm_reference=new.firm, **values)
            .on_conflict_do_update(index_elements=["category_id", "firm_reference"], set_=values)
        )
        after = counting.of_pool(session, row.id, host.now(session))
        more = _kept(after) - _kept(before)
        if more > counting.standing(row.id, before).left:
            raise Conflict("So many places are not left to be kept.")
        details = {"firm": new.firm, "size": new.size}
        host.audit(session, actor=actor, action="allotted", subject=new.sku, **details)


def _kept(counts: list[Count]) -> int:
    return sum(each.allotted for each in counts)


def listed(host: Host, language: str | None = None) -> list[EventView]:
    """Events that are public and not over, the next first; named as in `read`."""
    with host.transaction() as session:
        rows = session.execute(
            sa.select(event)
            .where(event.c.status == "published", event.c.ends_at > host.now(session))
            .order_by(event.c.starts_at, event.c.slug)
        ).all()
        return [_view(host, session, row, language) for row in rows]


def read(host: Host, slug: str, language: str | None = None, *, drafts: bool = False) -> EventView:
    """One event with how each of its categories stands; drafts only where they are asked for.

    Names are in `language` where there are such, else in the event's own.
    """
    with host.transaction() as session:
        row = session.execute(sa.select(event).where(event.c.slug == slug)).first()
        if row is None or (row.status == "draft" and not drafts):
            raise UnknownEvent(f"There is no event {slug!r}.")
        return _view(host, session, row, language)


def _view(host: Host, session: Session, row: Any, language: str | None) -> EventView:
    counts = counting.of_event(session, row.id, host.now(session))
    parts = session.execute(
        sa.select(sessions)
        .where(sessions.c.event_id == row.id)
        .order_by(sessions.c.starts_at, sessions.c.code)
    ).all()
    needs = prerequisites.required(session, [each.id for each in parts], language)
    sold = session.execute(
        sa.select(category)
        .where(category.c.session_id.in_([each.id for each in parts]))
        .order_by(category.c.position, category.c.sku)
    ).all()

    def named(of: Any) -> dict[str, Any]:
        name = said(of.name, of.names, row.language, language)
        return {"name": name.text, "name_language": name.language, "names": of.names}

    return EventView(
        slug=row.slug,
        **named(row),
        description=row.description,
        language=row.language,
        venue=row.venue,
        address=row.address,
        time_zone=row.time_zone,
        starts_at=row.starts_at.astimezone(ZoneInfo(row.time_zone)),
        ends_at=row.ends_at.astimezone(ZoneInfo(row.time_zone)),
        status=row.status,
        doors_open_minutes=row.doors_open_minutes,
        sessions=[
            SessionView(
                code=each.code,
                **named(each),
                starts_at=each.starts_at.astimezone(ZoneInfo(row.time_zone)),
                ends_at=each.ends_at.astimezone(ZoneInfo(row.time_zone)),
                room=each.room,
                certified=each.certified,
                requires=[of.words for of in needs.get(each.id, [])],
                categories=[
                    _category(of, named(of), each.code, counts)
                    for of in sold
                    if of.session_id == each.id
                ],
            )
            for each in parts
        ],
        questions=attendees.questions(session, row.id),
    )


def _category(
    row: Any, named: Mapping[str, Any], session_code: str, counts: list[Count]
) -> CategoryView:
    mine = next(each for each in counts if each.id == row.id)
    stands = counting.standing(row.id, counts)
    return CategoryView(
        sku=row.sku,
        **named,
        session=session_code,
        numbered=row.numbered,
        must_choose=row.must_choose,
        places=stands.places,
        sold=mine.sold,
        held=mine.held,
        allotted=mine.allotted,
        waiting=stands.waiting,
        elsewhere=stands.elsewhere,
        free=stands.free,
    )
