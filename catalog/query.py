"""What somebody asks of the catalog: read from an address, and written back into one."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote_plus, urlencode

import msgspec

from catalog.domain import Sort
from catalog.errors import BadSearch
from marketplace.money import MAX_POINTS

DEFAULT_LIMIT: Final = 24
MOST: Final = 100
LONGEST_TEXT: Final = 200
MOST_WORDS: Final = 8
MOST_VALUES: Final = 20
"""Values of one facet that may be chosen at once."""
LONGEST_VALUE: Final = 100
LONGEST_CURSOR: Final = 500
MOST_FIELDS: Final = 200

LISTS: Final = ("kind", "category", "partner", "language", "country", "place", "delivery", "tag")
"""Facets by value; the names are the parameters and the fields of `Query`."""


class Query(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A search. Two that mean the same are equal: lists are sorted, words are in lower case."""

    words: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    partner: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    place: tuple[str, ...] = ()
    delivery: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    points_min: int | None = None
    points_max: int | None = None
    affordable: bool = False
    """Only what the caller has the points for; nothing to callers without a wallet."""
    available: bool = False
    """Only what can be burnt on now."""
    sort: Sort = Sort.RELEVANCE
    cursor: str | None = None
    limit: int = DEFAULT_LIMIT
    text: str = ""
    """What was typed, for the search field."""

    @property
    def narrowed(self) -> bool:
        """Whether anything but words, order and page was asked for."""
        plain = Query(
            words=self.words,
            sort=self.sort,
            cursor=self.cursor,
            limit=self.limit,
            text=self.text,
        )
        return self != plain

    def link(self, **changes: Any) -> str:
        """The query string of this search with `changes`, from its first page unless `cursor`.

        `query.link(kind=("gift",))`, `query.link(points_min=None)`; empty for a bare search.
        """
        asked = msgspec.structs.replace(self, **{"cursor": None, **changes})
        pairs: list[tuple[str, str]] = [("q", asked.text)] if asked.text else []
        for name in LISTS:
            pairs += [(name, value) for value in getattr(asked, name)]
        for name in ("points_min", "points_max", "cursor"):
            if (value := getattr(asked, name)) is not None:
                pairs.append((name, str(value)))
        pairs += [(name, "yes") for name in ("affordable", "available") if getattr(asked, name)]
        if asked.sort is not Sort.RELEVANCE:
            pairs.append(("sort", asked.sort.value))
        if asked.limit != DEFAULT_LIMIT:
            pairs.append(("limit", str(asked.limit)))
        return f"?{urlencode(pairs)}" if pairs else "?"

    def toggled(self, name: str, value: str) -> str:
        """The query string with a value of a facet chosen, or no longer chosen."""
        chosen = set(getattr(self, name)) ^ {value}
        return self.link(**{name: tuple(sorted(chosen))})


def split_words(text: str) -> tuple[str, ...]:
    """The words of a text, in lower case, at most MOST_WORDS of them."""
    plain = unicodedata.normalize("NFC", text).lower()
    if not plain.replace(" ", "").isalnum():
        plain = "".join(char if char.isalnum() or _is_mark(char) else " " for char in plain)
    return tuple(dict.fromkeys(plain.split()))[:MOST_WORDS]


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) == "Mn"


def read_pairs(asked: str) -> list[tuple[str, str]]:
    """Names and values of an undecoded query string, as forms write it; BadSearch for too many."""
    parts = asked.split("&", MOST_FIELDS)
    if len(parts) > MOST_FIELDS:
        raise BadSearch(f"A search has at most {MOST_FIELDS} parameters.")
    pairs = []
    for part in parts:
        name, _, value = part.partition("=")
        if "%" in name or "+" in name:
            name = unquote_plus(name)
        if "%" in value or "+" in value:
            value = unquote_plus(value)
        pairs.append((name, value))
    return pairs


def read_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """The search that the parameters of an address ask for; BadSearch names what does not fit.

    Unknown parameters are left alone; an empty value is none, as forms send them.
    """
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        if name in READERS and (plain := value.strip()):
            given.setdefault(name, []).append(value if name == "q" else plain)
    read = {FIELDS.get(name, name): READERS[name](given, name) for name in given}
    if read.get("text"):
        read["words"] = split_words(read["text"])
    query = Query(**read)
    least, most = query.points_min, query.points_max
    if least is not None and most is not None and least > most:
        raise BadSearch("points_min is more than points_max.")
    return query


Given = Mapping[str, list[str]]


def _text(given: Given, name: str) -> str:
    text = given[name][-1].lstrip()
    if len(text) > LONGEST_TEXT:
        raise BadSearch(f"q has at most {LONGEST_TEXT} characters.")
    if "\x00" in text:
        raise BadSearch("q holds a character that no word has.")
    return text


def _values(given: Given, name: str) -> tuple[str, ...]:
    values = [value for value in given[name] if len(value) <= LONGEST_VALUE]
    if len(values) > 1:
        values = sorted(set(values))
    if len(values) > MOST_VALUES:
        raise BadSearch(f"{name} is given more than {MOST_VALUES} times.")
    return tuple(values)


def _points(given: Given, name: str) -> int:
    return _whole(given[name][-1], name, 0, MAX_POINTS)


def _limit(given: Given, name: str) -> int:
    return _whole(given[name][-1], name, 1, MOST)


def _whole(text: str, name: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise BadSearch(f"{name} is a whole number from {least} to {most}.")
    return int(text)


def _yes(given: Given, name: str) -> bool:
    text = given[name][-1]
    if text not in ("yes", "no", "on", "true", "false", "1", "0"):
        raise BadSearch(f"{name} is yes or no.")
    return text in ("yes", "on", "true", "1")


def _sort(given: Given, name: str) -> Sort:
    found = SORTS.get(given[name][-1])
    if found is None:
        raise BadSearch(f"sort is one of {', '.join(SORTS)}.")
    return found


def _cursor(given: Given, name: str) -> str:
    text = given[name][-1]
    if len(text) > LONGEST_CURSOR:
        raise BadSearch("cursor is longer than any we gave.")
    return text


SORTS: Final = {each.value: each for each in Sort}
FIELDS: Final = {"q": "text"}
READERS: Final[dict[str, Callable[[Given, str], Any]]] = {
    "q": _text,
    **dict.fromkeys(LISTS, _values),
    "points_min": _points,
    "points_max": _points,
    "affordable": _yes,
    "available": _yes,
    "sort": _sort,
    "cursor": _cursor,
    "limit": _limit,
}
"""How each parameter is read."""
