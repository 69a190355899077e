"""The forms of a draft, read: an event, a session, the questions. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from marketplace.api import Lazy, lazy
from marketplace_conference.organising.forms import (
    LANGUAGES,
    SLUG,
    Form,
    code_of,
    hour_field,
    name_fields,
    utc,
)
from marketplace_conference.schemas import NewCategory, NewEvent, NewQuestion, NewSession

Part = TypeVar("Part", NewSession, NewCategory)

FIRST: Final = "main"
"""Code of the session that a new event begins with."""
MOST_HOLD: Final = 1_440
MOST_REQUIRED: Final = 20
MOST_QUESTIONS: Final = 50
SPARE_QUESTIONS: Final = 2
NEEDS: Final = "requires:"
"""Before the name of a session that has to have been attended: the name of its box."""
KINDS: Final[Mapping[str, Lazy]] = {
    "text": lazy("A line of text"),
    "number": lazy("A number"),
    "choice": lazy("One of several answers"),
    "yes_no": lazy("Yes or no"),
}


def read_event(form: Form, organiser: str, present: NewEvent | None) -> NewEvent | None:
    """The event with its name, place and time as typed; a new one has one session, all of it."""
    name = form.line("name")
    slug = _slug(form, name) if present is None else present.slug
    if form["language"] not in LANGUAGES and not (present and form["language"] == present.language):
        form.wrong("language", lazy("Choose a language."))
    given: dict[str, Any] = {
        "name": name,
        "names": form.names(form["language"], present.names or {} if present else {}),
        "language": form["language"],
        "venue": form.line("venue", kept=present.venue if present else ""),
        "address": form.line("address", required=False, kept=present.address if present else ""),
        "description": form.text("description"),
        "hold_minutes": form.number("hold", 1, MOST_HOLD, default=10),
    }
    zone = form.zone("time_zone")
    span = form.span(zone, present)
    if form.problems or span is None:
        return None
    starts_at, ends_at = map(utc, span)
    given |= {"time_zone": zone.key, "starts_at": starts_at, "ends_at": ends_at}
    if present is not None and (own := _other_name(form, present, name)):
        given |= {"name": own, "names": {**given["names"], present.language: name}}
    if present is None:
        called = {"name": name, "names": given["names"]}
        whole = NewSession(code=FIRST, **called, starts_at=starts_at, ends_at=ends_at)
        return NewEvent(slug=slug, organiser=organiser, sessions=[whole], **given)
    sold = [_respoken(each, present.language, given["language"]) for each in present.categories]
    return replace(present, sessions=_following(present, given), categories=sold, **given)


def _other_name(form: Form, present: NewEvent, name: str) -> str:
    """Its name in the language it is changed to, where only the language is; else empty."""
    if form["language"] == present.language or name != present.name:
        return ""
    return form.line(f"name-{form['language']}", required=False)


def _slug(form: Form, name: str) -> str:
    typed = form["slug"].strip()
    if typed and not SLUG.fullmatch(typed):
        form.wrong("slug", lazy("Lower case letters, digits and dashes only, at most 64."))
    made = typed or code_of(name, (), "")
    if name and not made:
        form.wrong("slug", lazy("The name has no Latin letters: say what the address is."))
    form.typed["slug"] = typed or ("" if form.problems else made)
    return made


def _following(of: NewEvent, given: Mapping[str, Any]) -> list[NewSession]:
    """Sessions; one that is as the whole event, in its name or its hours, stays so."""
    return [
        replace(
            _called(each, of, given),
            **_hours(
                given if (each.starts_at, each.ends_at) == (of.starts_at, of.ends_at) else each
            ),
        )
        for each in of.sessions
    ]


def _called(part: NewSession, of: NewEvent, given: Mapping[str, Any]) -> NewSession:
    if part.name == of.name and (part.names or of.names) == of.names:
        return replace(part, name=given["name"], names=given["names"])
    return _respoken(part, of.language, given["language"])


def _respoken(part: Part, before: str, now: str) -> Part:
    """A part of an event that has another language of its own now: its name in that, if any."""
    names = dict(part.names or {})
    if now == before or now not in names:
        return part
    name = names.pop(now)
    return replace(part, name=name, names={**names, before: part.name})


def _hours(whose: Any) -> dict[str, datetime]:
    if isinstance(whose, Mapping):
        return {"starts_at": whose["starts_at"], "ends_at": whose["ends_at"]}
    return {"starts_at": whose.starts_at, "ends_at": whose.ends_at}


def event_fields(of: NewEvent) -> dict[str, str]:
    """An event as its form shows it."""
    return {
        "name": of.name,
        **name_fields(of.names or {}),
        "slug": of.slug,
        "language": of.language,
        "venue": of.venue,
        "address": of.address,
        "description": of.description,
        "time_zone": of.time_zone,
        "starts": hour_field(of.starts_at, of.time_zone),
        "ends": hour_field(of.ends_at, of.time_zone),
        "hold": str(of.hold_minutes),
    }


def read_session(form: Form, of: NewEvent, code: str, known: Collection[str]) -> NewEvent | None:
    """The event with this session as typed, with one more where `code` is empty.

    `known`: sessions that may have to be attended before, as `event/session`.
    """
    present = next((each for each in of.sessions if each.code == code), None)
    name, room = form.line("name"), form.line("room", required=False)
    names = form.names(of.language, present.names or {} if present else {})
    span = form.span(ZoneInfo(of.time_zone), present)
    requires = [each for each in known if form.has(f"{NEEDS}{each}")]
    if len(requires) > MOST_REQUIRED:
        form.wrong("requires", lazy("20 at most."))
    if form.problems or span is None:
        return None
    made = NewSession(
        code=code or code_of(name, [each.code for each in of.sessions], "part"),
        name=name,
        names=names,
        starts_at=utc(span[0]),
        ends_at=utc(span[1]),
        room=room,
        certified=form.has("certified"),
        requires=requires,
    )
    if not code:
        return replace(of, sessions=[*of.sessions, made])
    return replace(of, sessions=[made if each.code == code else each for each in of.sessions])


def session_fields(of: NewEvent, part: NewSession | None) -> dict[str, str]:
    """A session as its form shows it; a new one lasts as long as the event."""
    span: Any = part or of
    fields = {
        "name": part.name if part else "",
        **name_fields(part.names or {} if part else {}),
        "room": part.room if part else "",
        "starts": hour_field(span.starts_at, of.time_zone),
        "ends": hour_field(span.ends_at, of.time_zone),
        "certified": "yes" if part and part.certified else "",
    }
    return fields | {f"{NEEDS}{each}": "yes" for each in (part.requires if part else [])}


def read_questions(form: Form, of: NewEvent) -> NewEvent | None:
    """The event with the questions as typed, in their order; a row without words is none."""
    asked: list[NewQuestion] = []
    codes = {each.code for each in of.questions}
    for row in range(1, MOST_QUESTIONS + 1):
        if not form[f"label-{row}"].strip():
            continue
        label = form.line(f"label-{row}")
        kind = form[f"kind-{row}"] if form[f"kind-{row}"] in KINDS else "text"
        options = [" ".join(each.split()) for each in form[f"options-{row}"].split("\n")]
        options = list(dict.fromkeys(each for each in options if each)) if kind == "choice" else []
        if kind == "choice" and len(options) < 2:
            form.wrong(f"options-{row}", lazy("Two answers at least, each in a line of its own."))
        elif any(len(each) > 200 or not each.isprintable() for each in options):
            form.wrong(f"options-{row}", lazy("200 characters at most, in one line."))
        kept = form[f"code-{row}"]
        known = kept in codes and kept not in {each.code for each in asked}
        taken = codes | {each.code for each in asked}
        code = kept if known else code_of(label, taken, "question")
        asked.append(
            NewQuestion(
                code=code,
                label=label,
                kind=kind,  # type: ignore[arg-type]
                options=options,
                required=form.has(f"required-{row}"),
            )
        )
    return None if form.problems else replace(of, questions=asked)


def question_fields(of: NewEvent) -> dict[str, str]:
    """Questions as their form shows them."""
    fields: dict[str, str] = {}
    for row, each in enumerate(of.questions, start=1):
        fields |= {
            f"code-{row}": each.code,
            f"label-{row}": each.label,
            f"kind-{row}": each.kind,
            f"options-{row}": "\n".join(each.options),
            f"required-{row}": "yes" if each.required else "",
        }
    return fields


def question_rows(form: Form) -> range:
    """Numbers of the rows to show: those that are used, and some to fill in."""
    used = [row for row in range(1, MOST_QUESTIONS + 1) if form[f"label-{row}"].strip()]
    return range(1, min(max(used, default=0) + SPARE_QUESTIONS, MOST_QUESTIONS) + 1)
