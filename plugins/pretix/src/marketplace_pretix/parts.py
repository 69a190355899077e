"""Orders that bear our reference: ours, and those that its organizer split from it.

A split takes tickets into an order of its own, with a new code and our reference. A ticket that was
taken out stays in its order, marked as cancelled. So every ticket is accounted for, or nothing is
given back for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace_pretix.domain import META, Sku
from marketplace_pretix.models import part

WORTHLESS: Final = ("c", "e")
"""Cancelled, and expired: nobody is let in with it."""


class Ticket(msgspec.Struct, frozen=True):
    """A position, as the list of changes has it."""

    addon_to: int | None = None
    canceled: bool = False
    item: int | None = None
    variation: int | None = None
    subevent: int | None = None


class Change(msgspec.Struct, frozen=True):
    """An order, as the list of changes has it."""

    code: str
    event: str
    status: str
    last_modified: datetime
    positions: list[Ticket] = []
    api_meta: dict[str, Any] = {}

    @property
    def reference(self) -> str:
        """Ours, or empty."""
        found = self.api_meta.get(META)
        return found if isinstance(found, str) else ""

    @property
    def tickets(self) -> list[Ticket]:
        """What somebody is let in with, and what was."""
        return [each for each in self.positions if each.addon_to is None]


FIELDS: Final = (
    *("code", "event", "status", "last_modified", "api_meta"),
    *("positions.id", "positions.addon_to", "positions.canceled"),
    *("positions.item", "positions.variation", "positions.subevent"),
)
"""What is asked for of an order, so that lists stay small."""


class Part(msgspec.Struct, frozen=True):
    """One order at pretix that bears a reference of ours."""

    code: str
    status: str
    """`p` paid, `n` pending, `e` expired, `c` cancelled."""
    standing: int
    """Tickets in it that were not taken out."""
    taken_out: int
    is_moved: bool = False
    """Whether one of them is for something else than what was ordered."""

    @property
    def good(self) -> int:
        """Tickets that somebody is let in with, or will be once they are paid for."""
        return 0 if self.status in WORTHLESS else self.standing


class Whole(msgspec.Struct, frozen=True):
    """What is left of an order of ours, all its parts together."""

    good: int
    gone: int
    """Tickets that are worth nothing any more, of those that were ordered."""
    unseen: int
    """Tickets that are in no order that we know of."""
    is_unpaid: bool
    is_moved: bool


def read(body: bytes) -> Change | None:
    """An order in an answer; None where it is none."""
    try:
        return msgspec.json.decode(body, type=Change)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def part_of(change: Change, sku: Sku | None) -> Part:
    """What the list says of one order; `sku` is what was ordered, where that is known."""
    standing = [each for each in change.tickets if not each.canceled]
    ordered = None if sku is None else (sku.item, sku.variation, sku.subevent)
    are = {(each.item, each.variation, each.subevent) for each in standing}
    return Part(
        code=change.code,
        status=change.status,
        standing=len(standing),
        taken_out=len(change.tickets) - len(standing),
        is_moved=ordered is not None and not are <= {ordered},
    )


def weigh(quantity: int, parts: Iterable[Part]) -> Whole:
    """What is left of an order of so many tickets."""
    found = list(parts)
    good = sum(each.good for each in found)
    unseen = max(quantity - sum(each.standing + each.taken_out for each in found), 0)
    stand = [each for each in found if each.good]
    return Whole(
        good=good,
        gone=max(quantity - good - unseen, 0),
        unseen=unseen,
        is_unpaid=any(each.status != "p" for each in stand),
        is_moved=any(each.is_moved for each in stand),
    )


def share(points: int, gone: int, quantity: int) -> int:
    """Points of so many of an order's tickets: of all of them, all its points."""
    return points * min(gone, quantity) // quantity


def keep(session: Session, reference: str, found: Part) -> None:
    """Keep what one order is like now."""
    values = {name: getattr(found, name) for name in Part.__struct_fields__ if name != "code"}
    session.execute(
        insert(part)
        .values(reference=reference, code=found.code, **values)
        .on_conflict_do_update(index_elements=["reference", "code"], set_=values)
    )


def of(session: Session, reference: str) -> Sequence[Part]:
    """All orders that bear a reference, as they were last seen."""
    rows = session.execute(sa.select(part).where(part.c.reference == reference))
    names = Part.__struct_fields__
    return [Part(**{name: getattr(row, name) for name in names}) for row in rows]
