"""Trainings that build on others: who may come to them, by what the doors noted.

A person is known by the e-mail address given for their place: nothing else is the same at two
events. Whoever sold or was given a ticket later on under another name has not attended by it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import InvalidRequest, lazy
from marketplace_conference.door.tables import admission
from marketplace_conference.errors import BadAttendees, Wrong
from marketplace_conference.models import category, event, place, prerequisite
from marketplace_conference.models import session as sessions
from marketplace_conference.names import said
from marketplace_conference.schemas import Attendee, NewEvent

NOT_ATTENDED: Final = "somebody who would come has not attended what these places are for"


class Required(msgspec.Struct, frozen=True):
    """A session that has to have been attended."""

    session_id: UUID
    words: str


def put(session: Session, new: NewEvent, session_ids: Mapping[str, UUID]) -> None:
    """Write down what the sessions of an event require, in place of what they did."""
    ids = [session_ids[each.code] for each in new.sessions]
    session.execute(sa.delete(prerequisite).where(prerequisite.c.session_id.in_(ids)))
    for each in new.sessions:
        for named in dict.fromkeys(each.requires):
            slug, _, code = named.partition("/")
            needs = session.scalar(
                sa.select(sessions.c.id)
                .join(event, event.c.id == sessions.c.event_id)
                .where(event.c.slug == slug, sessions.c.code == code)
            )
            if needs is None or needs == session_ids[each.code]:
                raise InvalidRequest(
                    f"{each.code!r} requires {named!r}, which is no other session."
                )
            values = {"session_id": session_ids[each.code], "needs_id": needs}
            session.execute(sa.insert(prerequisite).values(values))


def required(
    session: Session, session_ids: Collection[UUID], language: str | None = None
) -> dict[UUID, list[Required]]:
    """What has to have been attended, by session; those that require nothing are left out.

    Named in `language` where there are such names.
    """
    rows = session.execute(
        sa.select(
            prerequisite.c.session_id,
            prerequisite.c.needs_id,
            sessions.c.name,
            sessions.c.names,
            event.c.name.label("event_name"),
            event.c.names.label("event_names"),
            event.c.language,
        )
        .join(sessions, sessions.c.id == prerequisite.c.needs_id)
        .join(event, event.c.id == sessions.c.event_id)
        .where(prerequisite.c.session_id.in_(session_ids))
        .order_by(sessions.c.starts_at, sessions.c.name)
    )
    found: dict[UUID, list[Required]] = {}
    for row in rows:
        called = said(row.event_name, row.event_names, row.language, language).text
        part = said(row.name, row.names, row.language, language).text
        words = ": ".join(dict.fromkeys((called, part)))
        found.setdefault(row.session_id, []).append(Required(row.needs_id, words))
    return found


def of_category(session: Session, category_id: UUID) -> list[Required]:
    """What has to have been attended before a place of this category is anybody's."""
    session_id = session.scalar(
        sa.select(category.c.session_id).where(category.c.id == category_id)
    )
    return [] if session_id is None else required(session, [session_id]).get(session_id, [])


def lacking(session: Session, needs: Sequence[Required], email: str) -> list[Required]:
    """Which of them nobody with this address has attended."""
    attended = session.scalars(
        sa.select(admission.c.session_id)
        .join(place, place.c.id == admission.c.ticket_id)
        .where(
            admission.c.session_id.in_([each.session_id for each in needs]),
            sa.func.lower(place.c.attendee_email) == email.strip().lower(),
        )
    ).all()
    return [each for each in needs if not email.strip() or each.session_id not in attended]


def check(session: Session, category_id: UUID, people: Sequence[Attendee]) -> None:
    """BadAttendees where one of these people may not come; it says which, and what is missing."""
    check_people(session, of_category(session, category_id), people)


def check_people(session: Session, needs: Sequence[Required], people: Sequence[Attendee]) -> None:
    """The same, for what is known to be required."""
    if not needs:
        return
    errors = []
    for position, each in enumerate(people, start=1):
        missing = lacking(session, needs, each.email)
        if missing and not each.email.strip():
            reason = "the e-mail address is missing, by which we know who attended"
            words = lazy("The e-mail address is needed: by it we know who attended.")
            errors.append(Wrong(position, "email", reason, words))
        elif missing:
            named = ", ".join(of.words for of in missing)
            reason = f"nobody with this e-mail address attended {named}"
            words = lazy("Nobody with this e-mail address attended %(sessions)s.", sessions=named)
            errors.append(Wrong(position, "email", reason, words))
    if errors:
        raise BadAttendees(errors)


def refusal(
    session: Session, category_id: UUID, people: Sequence[Any], quantity: int
) -> str | None:
    """Why places are not sold to these people, as reservations keep them; None where they are."""
    needs = of_category(session, category_id)
    if not needs:
        return None
    emails = [str(each.get("email", "")) for each in people]
    if len(emails) < quantity or any(lacking(session, needs, each) for each in emails):
        return NOT_ATTENDED
    return None
