"""Reads the document of an event, and says in which lines something is wrong. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from json import JSONDecoder
from typing import Final
from zoneinfo import available_timezones

import msgspec

from marketplace_conference.errors import BadFile
from marketplace_conference.schemas import NewCategory, NewEvent, NewSession

Path = tuple[str | int, ...]
"""Where something stands in a document: names of fields and places in lists."""
Problem = tuple[Path, str]

NO_PLACE: Final = {"Factory", "localtime"}
"""Zones of machines that nobody has told where they are."""
UNSEEN: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
"""Control characters, and marks that turn the direction of the writing around them."""
BLANK: Final = re.compile(r"[ \t\r\n]*")
BYTE: Final = re.compile(r"\(byte (\d+)\)")
WHERE: Final = re.compile(r"(?P<reason>.*) - at (?:`key` in )?`(?P<path>[^`]*)`", re.DOTALL)
STEP: Final = re.compile(r"\.([\w-]+)|\[(\d+)\]|\[\.\.\.\]")


def read(body: bytes) -> NewEvent:
    """The event of a JSON file; BadFile names its bad lines."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        raise BadFile([(line, "this is not UTF-8")]) from None
    try:
        new = msgspec.json.decode(text, type=NewEvent)
    except msgspec.ValidationError as error:
        found = WHERE.fullmatch(str(error))
        path = _path(found["path"]) if found else ()
        raise BadFile([(line_of(text, path), found["reason"] if found else str(error))]) from None
    except msgspec.DecodeError as error:
        at = BYTE.search(str(error))
        before = text.encode() if at is None else text.encode()[: int(at[1])]
        raise BadFile([(before.count(b"\n") + 1, str(error))]) from None
    if wrong := list(problems(new)):
        raise BadFile([(line_of(text, path), reason) for path, reason in wrong])
    return new


def zones() -> set[str]:
    """Time zones that a place may be in, by name."""
    return available_timezones() - NO_PLACE


def problems(new: NewEvent) -> Iterator[Problem]:
    """All that does not fit together, and where it stands."""
    if new.time_zone not in zones():
        yield ("time_zone",), f"{new.time_zone!r} is no time zone, like Europe/Warsaw"
    if new.ends_at <= new.starts_at:
        yield ("ends_at",), f"{new.name!r} ends before it starts"
    for path, words in _lines(new):
        if UNSEEN.search(words):
            yield path, f"{words!r} has a character that cannot be seen"
        elif path[-1] not in ("room", "address") and not words.strip():
            yield path, "nothing is said here"
    for path, each in _named(new):
        if new.language in (each.names or {}):
            words = f"{each.name!r} is its name in {new.language!r}, the language of the event"
            yield (*path, "names"), words
    known: set[str] = set()
    for at, part in enumerate(new.sessions):
        if part.ends_at <= part.starts_at:
            yield ("sessions", at, "ends_at"), f"{part.name!r} ends before it starts"
        if part.code in known:
            yield ("sessions", at, "code"), f"two sessions have the code {part.code!r}"
        known.add(part.code)
    skus: set[str] = set()
    for at, of in enumerate(new.categories):
        here = ("categories", at)
        if of.sku in skus:
            yield (*here, "sku"), f"two categories have the sku {of.sku!r}"
        skus.add(of.sku)
        if of.session not in known:
            yield (*here, "session"), f"{of.sku}: there is no session {of.session!r}"
        if of.quota is not None and of.quota not in new.quotas:
            yield (*here, "quota"), f"{of.sku}: there is no quota {of.quota!r}"
        if of.quota is None and not of.numbered:
            yield here, f"{of.sku}: places without numbers need a quota"
        if of.must_choose and not of.numbered:
            yield (*here, "must_choose"), f"{of.sku}: only numbered seats can be chosen"
        if (of.points is None) != (of.cost_micros is None):
            yield here, f"{of.sku}: points and cost_micros belong together"
    codes: set[str] = set()
    for at, asked in enumerate(new.questions):
        if (asked.kind == "choice") != bool(asked.options):
            words = "a question has options where, and only where, it is a choice"
            yield ("questions", at), f"{asked.code}: {words}"
        if asked.code in codes:
            yield ("questions", at, "code"), f"two questions have the code {asked.code!r}"
        codes.add(asked.code)


def _named(new: NewEvent) -> Iterator[tuple[Path, NewEvent | NewSession | NewCategory]]:
    """Whatever has names, and where it stands."""
    yield (), new
    for at, part in enumerate(new.sessions):
        yield ("sessions", at), part
    for at, of in enumerate(new.categories):
        yield ("categories", at), of


def _lines(new: NewEvent) -> Iterator[tuple[Path, str]]:
    """All words of one line, and where they stand."""
    for path, each in _named(new):
        yield (*path, "name"), each.name
        for code, words in (each.names or {}).items():
            yield (*path, "names", code), words
        if isinstance(each, NewSession):
            yield (*path, "room"), each.room
    yield ("venue",), new.venue
    yield ("address",), new.address
    for at, asked in enumerate(new.questions):
        yield ("questions", at, "label"), asked.label
        for number, option in enumerate(asked.options):
            yield ("questions", at, "options", number), option


def _path(written: str) -> Path:
    """`$.sessions[0].code`; the field of a map, `[...]`, is not said, so it ends there."""
    steps: list[str | int] = []
    for name, place in STEP.findall(written):
        if not name and not place:
            break
        steps.append(name or int(place))
    return tuple(steps)


def line_of(text: str, path: Path) -> int:
    """The line in which something stands in a JSON text; of what is missing, that of its parent."""
    at = _after_blank(text, 0)
    for step in path:
        found = _inside(text, at, step)
        if found is None:
            break
        at = found
    return text.count("\n", 0, at) + 1


def _inside(text: str, at: int, step: str | int) -> int | None:
    """Where a member of the object, or an item of the list, at `at` begins."""
    if text[at] != ("{" if isinstance(step, str) else "["):
        return None
    decoder, number, end = JSONDecoder(strict=False), 0, _after_blank(text, at + 1)
    while text[end] not in "}]":
        key: str | int = number
        if isinstance(step, str):
            key, end = decoder.raw_decode(text, end)
            end = _after_blank(text, _after_blank(text, end) + 1)
        if key == step:
            return end
        end = _after_blank(text, decoder.raw_decode(text, end)[1])
        end = _after_blank(text, end + 1) if text[end] == "," else end
        number += 1
    return None


def _after_blank(text: str, at: int) -> int:
    found = BLANK.match(text, at)
    return at if found is None else found.end()
