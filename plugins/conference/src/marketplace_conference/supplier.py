"""Sells places for burns: the supplier the exchange orders from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.api import (
    Fulfilled,
    Health,
    Host,
    NeverOrdered,
    Order,
    Outcome,
    Rejected,
)
from marketplace_conference import prerequisites, selling, stock, tickets
from marketplace_conference.models import category, event, order, reservation, seat
from marketplace_conference.models import session as sessions

GONE = "so many places are not free any more"
CANCELLED = "the event was cancelled"
NOT_THE_ORGANISERS = "the seats belong to another partner than the one that sells them"


class BoxOffice:
    """Sells what was reserved, or the best places that are free. The truth is in its own tables."""

    slug = "conference"

    def __init__(self, host: Host) -> None:
        self._host = host

    def fulfil(self, orders: Sequence[Order]) -> Sequence[Outcome]:
        """Sell to orders not answered before; answer the others as they were."""
        if not orders:
            return []
        chosen = [each for each in orders if each.selection is not None]
        if chosen:
            with self._host.transaction() as session:
                self._sell_chosen(session, chosen)
        self._sell_unchosen([each for each in orders if each.selection is None])
        return self.lookup(orders)

    def lookup(self, orders: Sequence[Order]) -> Sequence[Outcome]:
        """What these orders were answered; NeverOrdered where they were not."""
        if not orders:
            return []
        with self._host.transaction() as session:
            return self._answers(session, [each.reference for each in orders])

    def health(self) -> Health:
        """Whether the plugin's tables can be read."""
        with self._host.transaction() as session:
            session.execute(sa.select(order.c.reference).limit(1)).first()
        return Health(ok=True)

    def _sell_unchosen(self, orders: Sequence[Order]) -> None:
        """One category after the other; where one is in trouble, the others are sold first."""
        by_sku: dict[str, list[Order]] = {}
        for each in orders:
            by_sku.setdefault(each.sku, []).append(each)
        failures: list[Exception] = []
        for sku in sorted(by_sku):
            try:
                with self._host.transaction() as session:
                    self._sell_best(session, sku, by_sku[sku])
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _sell_chosen(self, session: Session, orders: Sequence[Order]) -> None:
        new = _new(session, orders)
        kinds = _kinds(session, {each.sku for each in new})
        selling.lock_pools(
            session,
            {each.id for each in kinds.values() if each.quota_id or not each.numbered},
            alone=True,
        )
        owners = self._sellers(session, new)
        # Locked in one order, also where two orders name the same.
        rows = {
            row.id: row
            for row in session.execute(
                sa.select(reservation)
                .where(reservation.c.id.in_({each.selection for each in new}))
                .order_by(reservation.c.id)
                .with_for_update()
            )
        }
        session.execute(
            sa.select(seat.c.id)
            .where(seat.c.held_by.in_(rows))
            .order_by(seat.c.id)
            .with_for_update()
        )
        sold: set[UUID] = set()
        for each in sorted(new, key=lambda order: str(order.selection)):
            kind, row = kinds.get(each.sku), rows.get(str(each.selection))
            reason = _refusal(kind, owners.get(each.reference))
            if reason is None and row is None:
                reason = selling.NOT_CHOSEN
            if reason is None:
                reason = self._sell_in(session, each, kind)
            if reason is not None:
                _refuse(session, each.reference, reason)
            elif kind is not None and kind.quota_id is not None:
                sold.add(kind.id)
        stock.align(self._host, session, sold)

    def _sell_in(self, session: Session, each: Order, kind: Any) -> str | None:
        """Sell in a savepoint: what is refused leaves no trace."""
        mine = sa.select(reservation).where(reservation.c.id == each.selection)
        row = session.execute(mine).one()  # read again: an order before may have used it
        with session.begin_nested() as attempt:
            reason = selling.sell(self._host, session, each, row, kind)
            if reason is not None:
                attempt.rollback()
        return reason

    def _sell_best(self, session: Session, sku: str, orders: Sequence[Order]) -> None:
        """The best places that are free for anybody, in the order of the orders."""
        new = _new(session, orders)
        kind: Any = _kinds(session, {sku}).get(sku)
        sellers = self._sellers(session, new)
        needs = prerequisites.of_category(session, kind.id) if kind is not None else []
        good: list[Order] = []
        for each in new:
            reason = _refusal(kind, sellers.get(each.reference))
            if reason is None and kind.must_choose:
                reason = selling.NOT_CHOSEN
            if reason is None and needs:
                reason = prerequisites.NOT_ATTENDED
            if reason is None:
                good.append(each)
            else:
                _refuse(session, each.reference, reason)
        if good:
            for each in selling.sell_best(self._host, session, kind, good):
                _refuse(session, each.reference, GONE)

    def _sellers(self, session: Session, orders: Sequence[Order]) -> dict[str, UUID]:
        placed = self._host.placed_orders(session, [each.reference for each in orders])
        return {reference: each.acceptor_id for reference, each in placed.items()}

    def _answers(self, session: Session, references: Sequence[str]) -> list[Outcome]:
        rows = session.execute(
            sa.select(order.c.reference, order.c.refusal).where(order.c.reference.in_(references))
        )
        refusals = {row.reference: row.refusal for row in rows}
        places = selling.places_of(session, references)
        answers: list[Outcome] = []
        for reference in references:
            if reference not in refusals:
                answers.append(NeverOrdered(reference=reference))
            elif (reason := refusals[reference]) is not None:
                answers.append(Rejected(reference=reference, reason=reason))
            else:
                made = tickets.issue(self._host, session, places[reference])
                answers.append(
                    Fulfilled(
                        reference=reference,
                        supplier_reference=f"C-{reference}",
                        artefacts=tuple(made),
                    )
                )
        return answers


def _new(session: Session, orders: Sequence[Order]) -> list[Order]:
    """Those that were not answered before; two of the same at once wait for each other here."""
    rows = [
        {
            "reference": each.reference,
            "sku": each.sku,
            "quantity": each.quantity,
            "selection": each.selection,
        }
        for each in sorted(orders, key=lambda order: order.reference)
    ]
    made = set(
        session.scalars(
            insert(order).values(rows).on_conflict_do_nothing().returning(order.c.reference)
        )
    )
    return [each for each in orders if each.reference in made]


def _kinds(session: Session, skus: set[str]) -> dict[str, Any]:
    rows = session.execute(
        sa.select(category, event.c.status, event.c.organiser_id)
        .join(sessions, sessions.c.id == category.c.session_id)
        .join(event, event.c.id == sessions.c.event_id)
        .where(category.c.sku.in_(skus))
    )
    return {row.sku: row for row in rows}


def _refusal(kind: Any, seller_id: UUID | None) -> str | None:
    """Why nothing of this kind is sold, in words for the participant; None where it is."""
    if kind is None or kind.status == "draft":
        return selling.UNKNOWN
    if kind.status == "cancelled":
        return CANCELLED
    return None if seller_id in (None, kind.organiser_id) else NOT_THE_ORGANISERS


def _refuse(session: Session, reference: str, reason: str) -> None:
    session.execute(sa.update(order).where(order.c.reference == reference).values(refusal=reason))
