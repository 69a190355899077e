"""Who comes: one person for each place, with answers to the event's questions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import Lazy, lazy
from marketplace_conference.errors import BadAttendees, Wrong
from marketplace_conference.models import question
from marketplace_conference.schemas import Attendee, NewQuestion

ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
NUMBER = re.compile(r"-?\d{1,15}([.,]\d{1,6})?")
YES_NO = ("yes", "no")
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""What no answer may hold, though it may have several lines."""
NAMELESS: Final = lazy("Say who comes.")
UNSEEN: Final = lazy("It has a character that cannot be shown.")


def questions(session: Session, event_id: UUID | None) -> list[NewQuestion]:
    """What an event asks, in its order."""
    rows = session.execute(
        sa.select(question).where(question.c.event_id == event_id).order_by(question.c.position)
    )
    return [_question(row) for row in rows]


def _question(row: Any) -> NewQuestion:
    return NewQuestion(
        code=row.code,
        label=row.label,
        kind=row.kind,
        options=list(row.options),
        required=row.required,
    )


def check(
    session: Session,
    event_id: UUID | None,
    people: Sequence[Attendee],
    quantity: int,
    *,
    complete: bool,
) -> None:
    """Raises BadAttendees where something is wrong; with `complete` also where it is missing."""
    if not people and not complete:
        return
    if len(people) > quantity:
        words = lazy("There are no more places than these.")
        reason = f"only {quantity} places are reserved"
        raise BadAttendees([Wrong(quantity + 1, "name", reason, words)])
    asked = questions(session, event_id)
    errors = [
        Wrong(position, *problem)
        for position, each in enumerate(people, start=1)
        for problem in _problems(each, asked, complete=complete)
    ]
    if complete and len(people) < quantity:
        errors.append(Wrong(len(people) + 1, "name", "nobody is named", NAMELESS))
    if errors:
        raise BadAttendees(errors)


def _problems(
    each: Attendee, asked: Sequence[NewQuestion], *, complete: bool
) -> Iterator[tuple[str, str, Lazy]]:
    """Field, reason, and words for the form."""
    if complete and not each.name.strip():
        yield "name", "the name is missing", NAMELESS
    if not each.name.isprintable():
        yield "name", "the name has characters that are not seen", UNSEEN
    if each.email and not (ADDRESS.fullmatch(each.email) and each.email.isprintable()):
        words = lazy("An e-mail address is like anna@firm.example.")
        yield "email", "the e-mail address is none", words
    known = {question.code: question for question in asked}
    for code in each.answers:
        if code not in known:
            yield code, f"nobody asked {code!r}", lazy("Nobody asks this any more.")
    for code, of in known.items():
        answer = each.answers.get(code, "")
        if not answer and of.required and complete:
            yield code, f"{of.label}: an answer is missing", lazy("An answer is needed.")
        elif answer and not _fits(answer, of):
            words = lazy("A number.") if of.kind == "number" else lazy("Choose one of the answers.")
            yield code, f"{of.label}: {_expected(of)}", words
        elif CONTROLS.search(answer):
            yield code, f"{of.label}: control characters are no answer", UNSEEN


def _fits(answer: str, of: NewQuestion) -> bool:
    match of.kind:
        case "number":
            return NUMBER.fullmatch(answer) is not None
        case "choice":
            return answer in of.options
        case "yes_no":
            return answer in YES_NO
    return True


def _expected(of: NewQuestion) -> str:
    if of.kind == "number":
        return "a number is expected"
    return "one of " + ", ".join(of.options if of.kind == "choice" else YES_NO)
