"""The waiting list: who joined first is offered first what becomes free.

Under the locks of all pools of an event nobody joins or declines while somebody is served, and
nobody else takes what is free meanwhile. No points are held while one waits: an offer is a
reservation, and burning for it is what takes them.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import Host, InvalidRequest, Principal
from marketplace_conference import holding, reserving, selling, telling
from marketplace_conference.errors import NotWaiting, PlacesAreFree, UnknownCategory
from marketplace_conference.holding import Held, Wish
from marketplace_conference.models import category, event, reservation, waiter, waiter_category
from marketplace_conference.models import session as sessions
from marketplace_conference.names import everywhere
from marketplace_conference.schemas import NewWaiter, WaiterView

log = logging.getLogger(__name__)

OFFER = timedelta(hours=12)
"""How long an offer is kept; it ends with the event at the latest."""
AT_ONCE: Final = 50
"""Most offers of an event in a transaction, in which nobody else takes places of it."""
OVER = {
    "offered": "Places are reserved for you: burn for them before the offer ends.",
    "taken": "You have your places.",
    "declined": "You declined; the places went to the next.",
    "lapsed": "The offer ended before you took it; join again if you still want to come.",
    "left": "You left the list.",
}


def join(host: Host, principal: Principal, asked: NewWaiter) -> WaiterView:
    """Wait for places; PlacesAreFree where one of the wishes can be had at once."""
    if len(set(asked.skus)) != len(asked.skus):
        raise InvalidRequest("A category is named twice.")
    with host.transaction() as session:
        kinds = _kinds(session, asked)
        selling.lock_pools(session, {each.id for each in kinds}, alone=True)
        now = host.now(session)
        if (before := _same(session, principal, asked)) is not None:
            return _view(session, before)
        for each in kinds:
            if reserving.left(session, each.id, now).free >= asked.quantity:
                raise PlacesAreFree(f"{each.sku}: reserve them.", sku=each.sku)
        token = secrets.token_urlsafe(18)
        waiter_id = session.execute(
            sa.insert(waiter)
            .values(
                token=token,
                event_id=kinds[0].event_id,
                caller_id=principal.caller_id,
                quantity=asked.quantity,
                joined_at=now,
            )
            .returning(waiter.c.id)
        ).scalar_one()
        session.execute(
            sa.insert(waiter_category),
            [
                {"waiter_id": waiter_id, "category_id": each.id, "position": position}
                for position, each in enumerate(kinds)
            ],
        )
        host.subscribe(session, principal, token)
        return _view(session, _own(session, principal, token))


def _kinds(session: Session, asked: NewWaiter) -> list[Any]:
    """The categories of the wishes, in their order, all of one event that is public."""
    rows = session.execute(
        sa.select(category.c.id, category.c.sku, sessions.c.event_id, event.c.status)
        .join(sessions, sessions.c.id == category.c.session_id)
        .join(event, event.c.id == sessions.c.event_id)
        .where(category.c.sku.in_(asked.skus))
    )
    found = {row.sku: row for row in rows}
    kinds = [found[sku] for sku in asked.skus if sku in found]
    if len(kinds) < len(asked.skus) or any(each.status != "published" for each in kinds):
        raise UnknownCategory
    if len({each.event_id for each in kinds}) > 1:
        raise InvalidRequest("One waits for places of one event.")
    return kinds


def _same(session: Session, principal: Principal, asked: NewWaiter) -> Any | None:
    """The place in the list that a person has for just this; a key waits for many people."""
    if principal.is_key:
        return None
    open_still = session.execute(
        sa.select(waiter)
        .where(
            waiter.c.caller_id == principal.caller_id,
            waiter.c.state.in_(("waiting", "offered")),
            waiter.c.quantity == asked.quantity,
        )
        .order_by(waiter.c.id)
    )
    return next((row for row in open_still if set(_skus(session, row.id)) == set(asked.skus)), None)


def _skus(session: Session, waiter_id: int) -> Sequence[str]:
    return session.scalars(
        sa.select(category.c.sku)
        .join(waiter_category, waiter_category.c.category_id == category.c.id)
        .where(waiter_category.c.waiter_id == waiter_id)
        .order_by(waiter_category.c.position)
    ).all()


def tokens(session: Session, slug: str, principal: Principal | None) -> Mapping[str, str]:
    """Where a person waits for categories of an event: the latest place in the list, by sku."""
    if principal is None:
        return {}
    rows = session.execute(
        sa.select(category.c.sku, waiter.c.token)
        .join(waiter_category, waiter_category.c.category_id == category.c.id)
        .join(waiter, waiter.c.id == waiter_category.c.waiter_id)
        .join(event, event.c.id == waiter.c.event_id)
        .where(
            event.c.slug == slug,
            waiter.c.caller_id == principal.caller_id,
            waiter.c.state.in_(("waiting", "offered")),
        )
        .order_by(waiter.c.id)
    )
    return {row.sku: row.token for row in rows}


def _own(session: Session, principal: Principal, token: str) -> Any:
    mine = (waiter.c.token == token) & (waiter.c.caller_id == principal.caller_id)
    row = session.execute(sa.select(waiter).where(mine)).first()
    if row is None:
        raise NotWaiting
    return row


def read(host: Host, principal: Principal, token: str) -> WaiterView:
    """How the caller stands on the list, and why not yet."""
    with host.transaction() as session:
        return _view(session, _own(session, principal, token))


def decline(host: Host, principal: Principal, token: str) -> WaiterView:
    """Leave the list, or decline what is offered: then the next is offered it at once."""
    with host.transaction() as session:
        _lock_event(session, _own(session, principal, token).event_id)
        row = _own(session, principal, token)
        if row.state in ("waiting", "offered"):
            _end(session, [row], "left" if row.state == "waiting" else "declined")
        seen = _view(session, _own(session, principal, token))
    try_to_serve(host, row.event_id)
    return seen


def _lock_event(session: Session, event_id: UUID) -> dict[UUID, str]:
    """Lock the pools of an event; returns its categories with their skus."""
    found = session.execute(
        sa.select(category.c.id, category.c.sku)
        .join(sessions, sessions.c.id == category.c.session_id)
        .where(sessions.c.event_id == event_id)
    )
    skus = {row.id: row.sku for row in found}
    selling.lock_pools(session, set(skus), alone=True)
    return skus


def _end(session: Session, rows: Sequence[Any], state: str) -> Sequence[str]:
    """End these places in the list, and what was offered; who burnt meanwhile has it.

    Returns the tokens of those that ended.
    """
    ids = [row.id for row in rows]
    offers = reservation.c.waiter_id.in_(ids) & (reservation.c.state != "sold")
    reserving.end(session, offers)
    open_still = waiter.c.id.in_(ids) & waiter.c.state.in_(("waiting", "offered"))
    session.execute(
        sa.select(waiter.c.id).where(open_still).order_by(waiter.c.id).with_for_update()
    )
    return session.scalars(
        sa.update(waiter)
        .where(open_still)
        .values(state=state, ended_at=sa.text("marketplace_now()"))
        .returning(waiter.c.token)
    ).all()


def serve_all(host: Host) -> int:
    """Offer what is free to everybody who waits for it; returns how many were offered something."""
    with host.transaction() as session:
        sold = (event.c.status == "published") & (event.c.ends_at > host.now(session))
        to_offer = (waiter.c.state == "waiting") & sold
        ids = session.scalars(
            sa.select(waiter.c.event_id)
            .join(event, event.c.id == waiter.c.event_id)
            .where(to_offer | (waiter.c.state == "offered"))
            .distinct()
            .order_by(waiter.c.event_id)
        ).all()
    return sum(try_to_serve(host, event_id) for event_id in ids)


def try_to_serve(host: Host, event_id: UUID) -> int:
    """Serve one event; what fails keeps nobody from what they do, and the next run tries again."""
    try:
        return serve(host, event_id)
    except Exception:
        log.exception("conference: those who wait for event %s are not served", event_id)
        return 0


def serve(host: Host, event_id: UUID) -> int:
    """Offer what is free of one event, in the order of joining; offers that ended lapse first.

    Nobody buys of the event meanwhile, so they are let in now and then.
    """
    total = 0
    while True:
        offered = _serve_some(host, event_id)
        total += offered
        if offered < AT_ONCE:
            return total


def _serve_some(host: Host, event_id: UUID) -> int:
    """The first AT_ONCE of those who can be offered something; how many there were."""
    with host.transaction() as session:
        found = session.execute(
            sa.select(
                event.c.name,
                event.c.names,
                event.c.language,
                event.c.time_zone,
                event.c.status,
                event.c.ends_at,
            ).where(event.c.id == event_id)
        ).one()
        called = everywhere(found.name, found.names, found.language)
        skus = _lock_event(session, event_id)
        now = host.now(session)
        lapsed = session.execute(
            sa.select(waiter).where(
                waiter.c.event_id == event_id,
                waiter.c.state == "offered",
                waiter.c.offer_ends_at <= now,
            )
        ).all()
        if lapsed:
            telling.lapsed(host, session, called, _end(session, lapsed, "lapsed"))
        if found.status != "published" or found.ends_at <= now:
            return 0
        waits = session.execute(
            sa.select(waiter)
            .where(waiter.c.event_id == event_id, waiter.c.state == "waiting")
            .order_by(waiter.c.id)
            .with_for_update()
        ).all()
        serving = _Serving(host, session, skus, min(now + OFFER, found.ends_at))
        served = list(islice((row for row in waits if serving.offer(row)), AT_ONCE))
        for row in served:
            telling.offered(host, session, called, row.token, serving.ends_at, found.time_zone)
        return len(served)


class _Serving:
    """Offers what is free of an event whose pools are locked: what is free only becomes less."""

    def __init__(
        self, host: Host, session: Session, skus: Mapping[UUID, str], ends_at: datetime
    ) -> None:
        self.ends_at = ends_at
        self._host, self._session, self._skus = host, session, skus
        self._wishes = _all_wishes(session, skus)
        self._too_many: dict[UUID, int] = {}
        """How many places could not be had of a category: nor can more, for who comes later."""

    def offer(self, row: Any) -> bool:
        """Offer a waiter the dearest wish that can be had; whether one could."""
        for category_id in self._wishes.get(row.id, ()):
            if row.quantity >= self._too_many.get(category_id, row.quantity + 1):
                continue
            if self._hold(row, category_id):
                return True
            self._too_many[category_id] = row.quantity
        return False

    def _hold(self, row: Any, category_id: UUID) -> bool:
        sku = self._skus[category_id]
        wish = Wish(
            kind=holding.kinds(self._session, [sku])[sku],
            quantity=row.quantity,
            caller_id=row.caller_id,
            ends_at=self.ends_at,
            waiter_id=row.id,
        )
        holder = holding.Holder(self._host, self._session, waits=True)
        if not isinstance(holder.hold([wish])[0], Held):
            return False
        self._session.execute(
            sa.update(waiter)
            .where(waiter.c.id == row.id)
            .values(state="offered", offered_at=holder.now, offer_ends_at=self.ends_at)
        )
        self._host.audit(
            self._session, actor="system", action="offered", subject=sku, quantity=row.quantity
        )
        return True


def _all_wishes(session: Session, category_ids: Collection[UUID]) -> dict[int, list[UUID]]:
    """What everybody who waits would take of these categories, dearest wish first."""
    rows = session.execute(
        sa.select(waiter_category.c.waiter_id, waiter_category.c.category_id)
        .join(waiter, waiter.c.id == waiter_category.c.waiter_id)
        .where(waiter.c.state == "waiting", waiter_category.c.category_id.in_(category_ids))
        .order_by(waiter_category.c.waiter_id, waiter_category.c.position)
    )
    found: dict[int, list[UUID]] = {}
    for waiter_id, category_id in rows:
        found.setdefault(waiter_id, []).append(category_id)
    return found


def _wishes(session: Session, waiter_id: int) -> Sequence[UUID]:
    return session.scalars(
        sa.select(waiter_category.c.category_id)
        .where(waiter_category.c.waiter_id == waiter_id)
        .order_by(waiter_category.c.position)
    ).all()


def _view(session: Session, row: Any) -> WaiterView:
    wishes = _wishes(session, row.id)
    slug = session.scalar(sa.select(event.c.slug).where(event.c.id == row.event_id))
    same = waiter_category.alias()
    ahead = session.scalar(
        sa.select(sa.func.count(sa.distinct(waiter.c.id)))
        .join(same, same.c.waiter_id == waiter.c.id)
        .where(waiter.c.id < row.id, waiter.c.state == "waiting", same.c.category_id.in_(wishes))
    )
    now = session.execute(sa.text("select marketplace_now()")).scalar_one()
    left = max(reserving.left(session, each, now).left for each in wishes)
    selection = session.scalar(
        sa.select(reservation.c.id).where(
            reservation.c.waiter_id == row.id, reservation.c.state == "held"
        )
    )
    return WaiterView(
        token=row.token,
        event=str(slug),
        skus=list(_skus(session, row.id)),
        quantity=row.quantity,
        state=row.state,
        ahead=int(ahead or 0),
        free=left,
        why=OVER.get(row.state) or _why(int(ahead or 0), row.quantity, left),
        selection=selection,
        offer_ends_at=row.offer_ends_at if row.state == "offered" else None,
    )


def _why(ahead: int, quantity: int, left: int) -> str:
    """Why somebody who waits has nothing yet, in plain words."""
    if not left:
        people = "nobody is" if not ahead else f"{ahead} {'is' if ahead == 1 else 'are'}"
        return f"Nothing is free at present; {people} ahead of you for the same places."
    if left < quantity:
        return f"{left} free, and you wait for {quantity} together."
    if ahead:
        return f"{left} free; {ahead} who joined before you are asked first."
    return "You are next: places are offered within half a minute of becoming free."
