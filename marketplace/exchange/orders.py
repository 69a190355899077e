"""Orders: burns as the member sees them that is paid, never who burnt nor what was delivered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import NotFound
from marketplace.exchange.domain import BurnStatus, FulfilmentState
from marketplace.exchange.models import Burn, BurnResolution, Offer, Refund
from marketplace.fulfilment.models import Artefact, SupplierConfirmation
from marketplace.identity.models import Person
from marketplace.money import cost_of_interval


class Position(NamedTuple):
    """Where a page of orders ends."""

    effective_at: datetime
    id: UUID


class OrderState(StrEnum):
    """How an order stands, for who is paid for it."""

    WAITING = "waiting"
    STUCK = "stuck"
    """Given up by the program; a person must look."""
    DELIVERED = "delivered"
    REFUNDED = "refunded"
    """Delivered, and given back in whole or in part."""
    RETURNED = "returned"
    """Not delivered; the points went back."""


class OrderQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders are wanted; what is None does not matter."""

    state: OrderState | None = None
    offer_id: UUID | None = None
    since: date | None = None
    until: date | None = None
    """The last day, UTC."""
    text: str = ""
    """Part of an order's number, the supplier's own reference, or words of the offer's name."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order."""

    id: UUID
    wallet_id: UUID
    offer_id: UUID
    offer: str
    offer_reference: str
    quantity: int
    points: int
    cost_micros: int
    currency: str
    status: BurnStatus
    fulfilment: FulfilmentState
    attempts: int
    refunded_points: int
    effective_at: datetime
    resolved_at: datetime | None
    reason: str
    """Why it was not delivered; else empty."""
    supplier_reference: str | None

    @property
    def state(self) -> OrderState:
        if self.status is BurnStatus.HELD:
            dead = self.fulfilment is FulfilmentState.DEAD
            return OrderState.STUCK if dead else OrderState.WAITING
        if self.status is BurnStatus.VOIDED:
            return OrderState.RETURNED
        return OrderState.REFUNDED if self.refunded_points else OrderState.DELIVERED

    @property
    def number(self) -> str:
        """What it goes by among people: the end of its id, which is what differs."""
        return str(self.id)[-12:].upper()

    @property
    def refundable_points(self) -> int:
        """Points that can be given back still."""
        return self.points - self.refunded_points if self.status is BurnStatus.CAPTURED else 0

    @property
    def paid_micros(self) -> int:
        """What the member is paid for it, refunds taken off."""
        if self.status is not BurnStatus.CAPTURED:
            return 0
        return cost_of_interval(self.cost_micros, self.points, 0, self.refundable_points)

    def refund_micros(self, points: int) -> int:
        """What the member pays back where so many points are refunded now."""
        left = self.refundable_points
        return cost_of_interval(self.cost_micros, self.points, left - points, left)


STATES: Final[dict[OrderState, sa.ColumnElement[bool]]] = {
    OrderState.WAITING: sa.and_(Burn.status == "held", Burn.fulfilment != "dead"),
    OrderState.STUCK: sa.and_(Burn.status == "held", Burn.fulfilment == "dead"),
    OrderState.DELIVERED: sa.and_(Burn.status == "captured", Burn.refunded_points == 0),
    OrderState.REFUNDED: sa.and_(Burn.status == "captured", Burn.refunded_points > 0),
    OrderState.RETURNED: Burn.status == "voided",
}
# The two halves of a member's orders, each with an index of its own: see `Burn`.
ENDED: Final = Burn.status.in_(["captured", "voided"])
OPEN: Final = sa.and_(Burn.due_at.is_not(None), Burn.status == "held")


def _columns() -> sa.Select[*tuple[Any, ...]]:
    resolved = sa.and_(
        BurnResolution.burn_id == Burn.id, BurnResolution.wallet_id == Burn.wallet_id
    )
    confirmed = sa.and_(
        SupplierConfirmation.burn_id == Burn.id, SupplierConfirmation.wallet_id == Burn.wallet_id
    )
    return (
        sa.select(
            *(Burn.id, Burn.wallet_id, Burn.offer_id),
            Offer.name.label("offer"),
            Offer.reference.label("offer_reference"),
            *(Burn.quantity, Burn.points, Burn.cost_micros, Burn.currency, Burn.status),
            *(Burn.fulfilment, Burn.attempts, Burn.refunded_points, Burn.effective_at),
            BurnResolution.effective_at.label("resolved_at"),
            sa.func.coalesce(BurnResolution.reason, "").label("reason"),
            SupplierConfirmation.supplier_reference,
        )
        .join(Offer, Offer.id == Burn.offer_id)
        .outerjoin(BurnResolution, resolved)
        .outerjoin(SupplierConfirmation, confirmed)
    )


def _conditions(query: OrderQuery) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = []
    if query.state is not None:
        wanted.append(STATES[query.state])
    if query.offer_id is not None:
        wanted.append(Burn.offer_id == query.offer_id)
    if query.since is not None:
        wanted.append(Burn.effective_at >= _midnight(query.since))
    if query.until is not None:
        wanted.append(Burn.effective_at < _midnight(query.until + timedelta(days=1)))
    if query.text:
        plain = query.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        wanted.append(
            sa.or_(
                sa.cast(Burn.id, sa.Text).like(f"%{plain.lower()}"),
                SupplierConfirmation.supplier_reference == query.text,
                Offer.name.ilike(f"%{plain}%"),
                Offer.reference == query.text,
            )
        )
    return wanted


def _midnight(day: date) -> sa.ColumnElement[datetime]:
    return sa.literal(
        datetime(day.year, day.month, day.day, tzinfo=UTC), sa.DateTime(timezone=True)
    )


async def orders(
    session: AsyncSession,
    member_id: UUID,
    query: OrderQuery,
    *,
    before: Position | None,
    limit: int,
) -> list[Order]:
    """Orders of this member, newest first, from after `before`."""
    wanted = [Burn.acceptor_id == member_id, *_conditions(query)]
    if before is not None:
        wanted.append(
            sa.tuple_(Burn.effective_at, Burn.id)
            < sa.tuple_(sa.literal(before.effective_at, sa.DateTime(timezone=True)), before.id)
        )
    newest = (Burn.effective_at.desc(), Burn.id.desc())
    halves = [
        _columns().where(half, *wanted).order_by(*newest).limit(limit).subquery()
        for half in (ENDED, OPEN)
    ]
    both = sa.union_all(*(sa.select(half) for half in halves)).subquery()
    found = sa.select(both).order_by(both.c.effective_at.desc(), both.c.id.desc()).limit(limit)
    return [_order(row) for row in (await session.execute(found)).mappings()]


async def find_order(session: AsyncSession, member_id: UUID, burn_id: UUID) -> Order:
    """One order of this member; NotFound for those of others and for refused burns."""
    query = _columns().where(
        Burn.id == burn_id, Burn.acceptor_id == member_id, Burn.status != "rejected"
    )
    row = (await session.execute(query)).mappings().first()
    if row is None:
        raise NotFound("There is no such order, or it is not yours to see.")
    return _order(row)


def _order(row: Any) -> Order:
    return Order(**row)


class Given(msgspec.Struct, frozen=True):
    """A refund of an order, and by whom."""

    at: datetime
    points: int
    reason: str
    who: str | None
    """None: by an API key."""


async def refunds_given(session: AsyncSession, order: Order) -> list[Given]:
    """Refunds of an order, oldest first."""
    found = await session.execute(
        sa.select(Refund.effective_at, Refund.points, Refund.reason, Person.name)
        .outerjoin(Person, Person.id == Refund.caller_id)
        .where(Refund.burn_id == order.id, Refund.wallet_id == order.wallet_id)
        .order_by(Refund.id)
    )
    return [Given(*row) for row in found]


async def labels_delivered(session: AsyncSession, order: Order) -> Sequence[str]:
    """What was delivered, by its label; the secret stays where it is."""
    found = await session.scalars(
        sa.select(Artefact.label)
        .where(Artefact.burn_id == order.id, Artefact.wallet_id == order.wallet_id)
        .order_by(Artefact.position)
    )
    return found.all()


async def offers_of(session: AsyncSession, member_id: UUID) -> list[tuple[UUID, str]]:
    """(id, name) of the member's offers, by name."""
    query = sa.select(Offer.id, Offer.name).where(Offer.acceptor_id == member_id)
    return [(row.id, row.name) for row in await session.execute(query.order_by(Offer.name))]
