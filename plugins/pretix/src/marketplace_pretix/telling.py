"""What is kept of offers' products, and of who comes: two tables, all their SQL."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import api
from marketplace_pretix.asking import Asks, Person
from marketplace_pretix.holding import Held, Place
from marketplace_pretix.models import order, state, told

NOW: Final = sa.func.statement_timestamp()
UNUSED: Final = timedelta(days=1)
"""After which nobody burns any more for what was said."""
HELD: Final = told.c.held_until > NOW
AT_ALL: Final = timedelta(days=30)
"""After which it is forgotten, whatever became of the order."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What an offer's product was like when its event was last looked at."""

    sku: str
    name: str
    free: int
    trouble: str | None
    """A code of `words.TROUBLES`; None where it is sold."""
    asks: Asks
    age_s: float = 0.0
    """Since the look."""
    names: dict[str, str] = {}
    """`name` by language, where its organizer calls it otherwise there."""

    def called(self, language: str) -> str:
        """Its name for who reads this language."""
        return self.names.get(language, self.name)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody said about who comes, before they burnt points."""

    member_id: UUID
    sku: str
    quantity: int
    people: list[Person]
    reference: str | None
    """The order that it was used for."""
    cart: str | None = None
    """At pretix, in which its seats are held."""
    places: list[Place] = []


def keep(session: Session, member_id: UUID, states: Sequence[State]) -> None:
    """Keep what a member's products are like now."""
    for each in sorted(states, key=lambda one: one.sku):
        values: dict[str, Any] = {
            "name": each.name,
            "free": each.free,
            "trouble": each.trouble,
            "asks": msgspec.json.encode(each.asks),
            "seen_at": NOW,
            "names": msgspec.json.encode(each.names).decode(),
        }
        session.execute(
            insert(state)
            .values(member_id=member_id, sku=each.sku, **values)
            .on_conflict_do_update(index_elements=["member_id", "sku"], set_=values)
        )


def states(session: Session, pairs: Sequence[tuple[UUID, str]]) -> dict[tuple[UUID, str], State]:
    """What is known of products, by member and sku."""
    key = sa.tuple_(state.c.member_id, state.c.sku)
    age_s = sa.extract("epoch", NOW - state.c.seen_at).label("age_s")
    found = session.execute(sa.select(state, age_s).where(key.in_(list(set(pairs)))))
    return {
        (row.member_id, row.sku): State(
            sku=row.sku,
            name=row.name,
            free=row.free,
            trouble=row.trouble,
            asks=msgspec.json.decode(row.asks, type=Asks),
            age_s=float(row.age_s),
            names=msgspec.json.decode(row.names or "{}", type=dict[str, str]),
        )
        for row in found
    }


def tell(
    host: api.Host,
    session: Session,
    member_id: UUID,
    sku: str,
    people: Sequence[Person],
    held: Held | None = None,
    held_by: UUID | None = None,
) -> str:
    """Keep who comes, encrypted, and what is held for them; returns the selection that a burn
    names.
    """
    selection = secrets.token_urlsafe(24)
    session.execute(
        sa.insert(told).values(
            selection=selection,
            member_id=member_id,
            sku=sku,
            quantity=len(people),
            people=host.encrypt(msgspec.json.encode(list(people)).decode()),
            cart=None if held is None else held.cart,
            cart_places=None if held is None else msgspec.json.encode(held.places).decode(),
            held_until=None if held is None else held.until,
            held_by=None if held is None else held_by,
        )
    )
    return selection


def held_by(
    host: api.Host, session: Session, person: UUID, member_id: UUID, sku: str
) -> list[Told]:
    """What is held for somebody of a product, and not ordered yet."""
    mine = sa.and_(told.c.held_by == person, told.c.member_id == member_id, told.c.sku == sku)
    asked = sa.select(told).where(mine, HELD, told.c.reference.is_(None))
    return [_told(host, row) for row in session.execute(asked)]


def let_go(session: Session, carts: Sequence[str]) -> None:
    """Nothing is held in these carts any more."""
    session.execute(sa.update(told).where(told.c.cart.in_(carts)).values(held_until=None))


def held_units(
    session: Session, member_id: UUID, skus: Sequence[str], since: datetime
) -> Mapping[str, int]:
    """Units by sku that pretix counts as taken, for they are held there for people of ours."""
    asked = (
        sa.select(told.c.sku, sa.func.sum(told.c.quantity).label("units"))
        .where(told.c.member_id == member_id, told.c.sku.in_(skus), HELD, told.c.made_at < since)
        .group_by(told.c.sku)
    )
    return {row.sku: int(row.units) for row in session.execute(asked)}


def use(host: api.Host, session: Session, orders: Sequence[api.Order]) -> dict[str, Told]:
    """What was said for orders, by their reference; each is used for the first that names it."""
    found: dict[str, Told] = {}
    for each in sorted(orders, key=lambda one: (str(one.selection), one.reference)):
        if each.selection is None:
            continue
        mine = told.c.selection == each.selection
        if not each.sandbox:
            free = sa.and_(mine, told.c.reference.is_(None))
            session.execute(sa.update(told).where(free).values(reference=each.reference))
        row = session.execute(sa.select(told).where(mine)).one_or_none()
        if row is not None:
            found[each.reference] = _told(host, row)
    return found


def forget(session: Session) -> None:
    """Forget who comes where it is ordered, where nobody burnt for it, and in any case in time."""
    done = sa.select(order.c.reference).where(order.c.delivered_at.is_not(None))
    over = sa.or_(
        sa.and_(told.c.reference.is_(None), told.c.made_at < NOW - UNUSED),
        told.c.reference.in_(done),
        told.c.made_at < NOW - AT_ALL,
    )
    session.execute(sa.delete(told).where(over))


def drop(session: Session, references: Sequence[str]) -> None:
    """Forget who comes with orders that are over."""
    session.execute(sa.delete(told).where(told.c.reference.in_(references)))


def known(session: Session, member_id: UUID) -> Mapping[str, State]:
    """What is known of all of a member's products, by sku."""
    skus = session.scalars(sa.select(state.c.sku).where(state.c.member_id == member_id))
    found = states(session, [(member_id, sku) for sku in skus])
    return {sku: each for (_, sku), each in found.items()}


def _told(host: api.Host, row: Any) -> Told:
    return Told(
        member_id=row.member_id,
        sku=row.sku,
        quantity=row.quantity,
        people=msgspec.json.decode(host.decrypt(bytes(row.people)), type=list[Person]),
        reference=row.reference,
        cart=row.cart,
        places=msgspec.json.decode(row.cart_places or "[]", type=list[Place]),
    )
