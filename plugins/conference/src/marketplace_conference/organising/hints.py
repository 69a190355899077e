"""What a draft lacks still, said before it is published. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from marketplace_conference.schemas import EventView, NewEvent


class Hint(msgspec.Struct, frozen=True):
    """Something that is missing, or looks wrong; nothing of it keeps anybody from publishing."""

    kind: str
    """`unsold`, `seats`, `price`, `paused`, `hours` or `terms`."""
    name: str = ""
    """Of the category or session it is about."""
    code: str = ""
    """By which its form is found."""


def of(
    event: EventView, draft: NewEvent, prices: Mapping[str, Collection[Any]], *, has_terms: bool
) -> list[Hint]:
    """In the order in which one would see to them. `prices`: the offers of each sku."""
    return [*_times(draft), *_sold(event, draft, prices), *([] if has_terms else [Hint("terms")])]


def _times(draft: NewEvent) -> Iterator[Hint]:
    for each in draft.sessions:
        if each.starts_at < draft.starts_at or each.ends_at > draft.ends_at:
            yield Hint("hours", each.name, each.code)


def _sold(
    event: EventView, draft: NewEvent, prices: Mapping[str, Collection[Any]]
) -> Iterator[Hint]:
    if not draft.categories:
        yield Hint("unsold")
    views = {each.sku: each for part in event.sessions for each in part.categories}
    parts = {each.sku: each.session for each in draft.categories}
    for each in draft.categories:
        if each.numbered and not views[each.sku].places:
            yield Hint("seats", each.name, parts[each.sku])
        offers = prices.get(each.sku, ())
        if not offers and each.points is None:
            yield Hint("price", each.name, each.sku)
        elif offers and not any(offer.is_on_sale for offer in offers):
            yield Hint("paused", each.name, each.sku)
