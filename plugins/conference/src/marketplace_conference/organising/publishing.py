"""Puts an event on sale: everybody sees it, and what has a price gets an offer of the exchange.

The page, the route and the command come here. Offers that are there already are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from msgspec.structs import replace

from marketplace.api import Host, MarketplaceError, NewOffer
from marketplace_conference import events
from marketplace_conference.errors import UnknownEvent
from marketplace_conference.models import category, event
from marketplace_conference.models import session as sessions

KIND: Final = "seat"
LONGEST_NAME: Final = 200
MOST_OFFERS: Final = 100
"""Of one category, one after the other: all but the last were retired."""


def publish(host: Host, slug: str, member_id: UUID | None, *, actor: str) -> Sequence[str]:
    """Show an event to everybody and sell what of it has a price; returns the offers made.

    All prices are looked at before anything is done; an error names its category in
    `extra["sku"]`. Whoever was interrupted publishes it again.
    """
    owner_id, wanted = _wanted(host, slug, member_id)
    for each in wanted:
        offer(host, owner_id, each, actor=actor, dry_run=True)
    events.set_status(host, slug, member_id, "published", actor=actor)
    made = [offer(host, owner_id, each, actor=actor) for each in wanted]
    if wanted:
        events.align(host, slug)
    return [each for each in made if each is not None]


def withdraw(host: Host, slug: str, member_id: UUID | None, *, actor: str) -> None:
    """Hide an event again: its offers stay, and have no stock meanwhile."""
    events.set_status(host, slug, member_id, "draft", actor=actor)


def offer(
    host: Host, owner_id: UUID, new: NewOffer, *, actor: str, dry_run: bool = False
) -> str | None:
    """Make one offer, or see whether it could be made; returns its reference.

    A retired offer keeps its reference for ever, so the one after it is numbered. None: somebody
    else has made it meanwhile.
    """
    for number in range(1, MOST_OFFERS + 1):
        reference = new.reference if number == 1 else f"{new.reference}-{number}"
        wanted = replace(new, reference=reference)
        try:
            host.make_offer(owner_id, wanted, actor=actor, dry_run=dry_run)
        except MarketplaceError as error:
            error.extra["sku"] = new.sku
            if error.extra.get("field") != "reference" or number == MOST_OFFERS:
                raise
        else:
            return reference
        with host.transaction() as session:
            if host.offers(session, member_id=owner_id, sku=new.sku):
                break
    return None


def offer_of(
    organiser: str, event_name: str, sku: str, name: str, points: int, cost_micros: int
) -> NewOffer:
    """The offer of a category."""
    return NewOffer(
        reference=f"{organiser}/{sku}",
        kind=KIND,
        name=f"{event_name}, {name}"[:LONGEST_NAME].strip(),
        sku=sku,
        points=points,
        cost_micros=cost_micros,
    )


def _wanted(host: Host, slug: str, member_id: UUID | None) -> tuple[UUID, list[NewOffer]]:
    """The organiser, and offers of categories that have a price and no offer yet."""
    with host.transaction() as session:
        row = session.execute(
            sa.select(event.c.id, event.c.name, event.c.organiser_id).where(event.c.slug == slug)
        ).first()
        if row is None or member_id not in (None, row.organiser_id):
            raise UnknownEvent(f"There is no event {slug!r}.")
        (organiser,) = (each.slug for each in host.members(session) if each.id == row.organiser_id)
        there = {each.sku for each in host.offers(session, member_id=row.organiser_id)}
        priced = session.execute(
            sa.select(category)
            .join(sessions, sessions.c.id == category.c.session_id)
            .where(sessions.c.event_id == row.id, category.c.points.is_not(None))
            .order_by(category.c.position, category.c.sku)
        ).all()
    return row.organiser_id, [
        offer_of(organiser, row.name, each.sku, each.name, each.points, each.cost_micros)
        for each in priced
        if each.sku not in there
    ]
