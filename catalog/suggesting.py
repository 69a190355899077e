"""What may suit somebody, and why. Pure: from what they, their role and their firm took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import UUID

import msgspec

from catalog.bits import to_numbers
from catalog.domain import FEWEST_PEOPLE, Reason, Sort
from catalog.entries import Entry, eligibility_of
from catalog.shelf import Shelf
from catalog.viewer import Viewer

Fits = Callable[[Entry], bool]


class Past(msgspec.Struct, frozen=True):
    """What was taken lately."""

    own: Sequence[UUID]
    """Offers the viewer took, newest first."""
    firm: Mapping[UUID, int]
    """People of the viewer's firm by listing, the viewer included."""
    role: Mapping[UUID, int]
    """People of the viewer's role by listing, in every firm, the viewer included."""


class Suggested(msgspec.Struct, frozen=True):
    """An entry and why it is suggested."""

    entry: Entry
    reason: Reason
    about: str = ""


def suggest(
    shelf: Shelf, past: Past, viewer: Viewer, locale: str, *, limit: int
) -> list[Suggested]:
    """Up to `limit` entries the viewer has not taken, the reasons taking turns.

    What fewer than FEWEST_PEOPLE others took is never a reason: nobody's choice shows.
    """
    own = list(dict.fromkeys(e.id for o in past.own if (e := shelf.by_offer.get(o)) is not None))
    open_to = shelf.visible & shelf.available
    taken = set(own)

    def fits(entry: Entry) -> bool:
        return (
            entry.id not in taken
            and bool(open_to >> entry.number & 1)
            and any(_may(row, viewer) for row in entry.offers)
        )

    turns = [
        _among(shelf, past.firm, Reason.FIRM, fits, ""),
        _alike(shelf, own, fits, locale),
        _among(shelf, past.role, Reason.ROLE, fits, viewer.role),
        _popular(shelf, fits),
        _new(shelf, fits),
    ]
    return _take_turns(turns, limit)


def _may(row: Mapping[str, object], viewer: Viewer) -> bool:
    """Whether the role and country let the viewer have an offer (rules are asked later)."""
    terms = eligibility_of(row)
    return (not terms.roles or viewer.role in terms.roles) and (
        not terms.countries or viewer.country in terms.countries
    )


def _among(
    shelf: Shelf, people: Mapping[UUID, int], reason: Reason, fits: Fits, about: str
) -> Iterable[Suggested]:
    """What enough others took, most taken first."""
    for listing_id, count in sorted(people.items(), key=lambda each: (-each[1], str(each[0]))):
        entry = shelf.by_id.get(listing_id)
        # Who took it is not offered it again, so those counted here are all others.
        if entry is not None and count >= FEWEST_PEOPLE and fits(entry):
            yield Suggested(entry, reason, about)


def _alike(shelf: Shelf, own: Sequence[UUID], fits: Fits, locale: str) -> Iterable[Suggested]:
    """What is in the category of what the viewer took, best known first."""
    rank = shelf.orders[Sort.RELEVANCE].rank
    for listing_id in own:
        before = shelf.by_id[listing_id]
        category = before.row["category"]
        if category is None:
            continue
        numbers = to_numbers(shelf.sets["category"].get(category, 0))
        for number in sorted(numbers, key=rank.__getitem__):
            if fits(shelf.entries[number]):
                title = shelf.card(before, locale)[0].title
                yield Suggested(shelf.entries[number], Reason.HISTORY, title)


def _popular(shelf: Shelf, fits: Fits) -> Iterable[Suggested]:
    """What the coalition takes most; nothing is liked before somebody has taken it."""
    for number in shelf.orders[Sort.POPULAR].numbers:
        entry = shelf.entries[number]
        if not entry.row["taken"]:
            return
        if fits(entry):
            yield Suggested(entry, Reason.POPULAR)


def _new(shelf: Shelf, fits: Fits) -> Iterable[Suggested]:
    """What has just come, the newest first."""
    for number in shelf.orders[Sort.NEWEST].numbers:
        if shelf.entries[number].new and fits(shelf.entries[number]):
            yield Suggested(shelf.entries[number], Reason.NEW)


def _take_turns(turns: Iterable[Iterable[Suggested]], limit: int) -> list[Suggested]:
    """One of each reason after the other, no entry twice."""
    waiting = [iter(each) for each in turns]
    seen: set[UUID] = set()
    made: list[Suggested] = []
    while waiting and len(made) < limit:
        for source in list(waiting):
            found = next((each for each in source if each.entry.id not in seen), None)
            if found is None:
                waiting.remove(source)
            else:
                seen.add(found.entry.id)
                made.append(found)
    return made[:limit]
