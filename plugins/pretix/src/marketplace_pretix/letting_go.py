"""Seats that are held at pretix for a burn that is undone: given back at once, not with the cart.

What is to be let go is a row until pretix has answered; its cart ends by itself, and with it the
need to try.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import api
from marketplace_pretix.client import Pretix, is_proof_of_absence, status_of
from marketplace_pretix.domain import parse_sku
from marketplace_pretix.holding import EARLIER, TIMEOUT_S, Place, place_path
from marketplace_pretix.models import let_go, told
from marketplace_pretix.repository import LEASE, NOW
from marketplace_pretix.servers import settings_of

log = logging.getLogger(__name__)

MOST: Final = 50
"""In one run: a pretix takes about ten calls a second."""
FIRST_WAIT_S: Final = 15
LONGEST_WAIT_S: Final = 300


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a cart that nobody will order."""

    member_id: UUID
    place: str
    """The server, as settings name it."""
    number: int
    event: str
    tries: int


def ask(host: api.Host, session: Session, reference: str) -> None:
    """Have the seats of an order let go that will not be at pretix; again adds nothing.

    Also where the burn ended before it was sent: what it named is found by its selection, unless
    another order has used that since.
    """
    mine = told.c.reference == reference
    burn = host.placed_orders(session, [reference]).get(reference)
    if burn is not None and burn.selection is not None:
        unused = sa.and_(told.c.selection == burn.selection, told.c.reference.is_(None))
        mine = sa.or_(mine, unused)
    held = sa.and_(mine, told.c.held_until > NOW)
    for row in session.execute(sa.select(told).where(held).with_for_update()).all():
        _queue(host, session, row)
        done = sa.update(told).where(told.c.selection == row.selection)
        session.execute(done.values(held_until=None))


def _queue(host: api.Host, session: Session, row: Any) -> None:
    settings, sku = settings_of(host, row.member_id), parse_sku(row.sku)
    if settings is None or sku is None:
        return
    for each in msgspec.json.decode(row.cart_places or "[]", type=list[Place]):
        session.execute(
            insert(let_go)
            .values(
                member_id=row.member_id,
                place=settings.place,
                number=each.id,
                event=sku.event,
                ends_at=row.held_until + EARLIER,
            )
            .on_conflict_do_nothing()
        )


def run(host: api.Host) -> None:
    """Let go what is due. Twice at once takes each once, and pretix lets go once anyway."""
    with host.transaction() as session:
        session.execute(sa.delete(let_go).where(let_go.c.ends_at <= NOW))
        due = _take(session)
    for each in due:
        trouble = _release(host, each)
        mine = (
            (let_go.c.member_id == each.member_id)
            & (let_go.c.place == each.place)
            & (let_go.c.number == each.number)
        )
        with host.transaction() as session:
            if trouble is None:
                session.execute(sa.delete(let_go).where(mine))
                continue
            wait_s = min(FIRST_WAIT_S * 2 ** min(each.tries - 1, 10), LONGEST_WAIT_S)
            later = NOW + timedelta(seconds=wait_s)
            session.execute(sa.update(let_go).where(mine).values(due_at=later))
        log.warning("a seat at %s is not let go yet: %s", each.event, trouble)


def _take(session: Session) -> Sequence[Due]:
    """Places that are due; nobody else takes them for a while."""
    key = (let_go.c.member_id, let_go.c.place, let_go.c.number)
    due = (
        sa.select(*key)
        .where(let_go.c.due_at <= NOW)
        .order_by(let_go.c.due_at)
        .limit(MOST)
        .with_for_update(skip_locked=True)
    )
    taken = (
        sa.update(let_go)
        .where(sa.tuple_(*key).in_(due))
        .values(due_at=NOW + LEASE, tries=let_go.c.tries + 1)
        .returning(*key, let_go.c.event, let_go.c.tries)
    )
    return [Due(**row) for row in session.execute(taken).mappings()]


def _release(host: api.Host, due: Due) -> str | None:
    """Give one place back; what is in the way, or None where it is held no more."""
    settings = settings_of(host, due.member_id)
    if settings is None:
        return "the member has not enabled pretix"
    if settings.place != due.place:
        return f"it is held at {due.place}, which the settings left"
    try:
        answer = Pretix(host.outbound, settings).call(
            "DELETE", place_path(due.event, due.number), timeout_s=TIMEOUT_S
        )
    except api.MarketplaceError as error:
        return error.detail
    except Exception as error:
        log.exception("a seat at %s could not be let go", due.event)
        return f"it could not be asked: {type(error).__name__}"
    return None if answer.status == 204 or is_proof_of_absence(answer) else status_of(answer)
