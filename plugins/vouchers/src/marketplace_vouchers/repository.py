"""SQL of vouchers, their locks and redemptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import Order
from marketplace_vouchers.domain import AcceptedBy, Series, Use, Voucher
from marketplace_vouchers.models import (
    acceptor,
    lock,
    order,
    redemption,
    series,
    voucher,
)

ROWS_A_STATEMENT = 2_000


class NewVoucher(NamedTuple):
    """A voucher to be stored."""

    fingerprint: bytes
    secret: bytes
    """Encrypted."""
    order_reference: str | None
    batch_id: UUID | None
    position: int


class IssuedCode(NamedTuple):
    """A voucher that an order got."""

    id: int
    secret: str
    """Encrypted."""
    name: str
    ends_at: datetime


ADD_VOUCHERS = sa.text("""
insert into vouchers_voucher (series_id, fingerprint, secret, order_reference, batch_id, position,
                              value_micros, left_micros, starts_at, ends_at, issued_at)
select :series_id, decode(u.fingerprint, 'hex'), decode(u.secret, 'hex'), u.order_reference,
       :batch_id, u.position, :value_micros, :value_micros, :starts_at, :ends_at, :issued_at
from unnest(cast(:fingerprints as text[]), cast(:secrets as text[]),
            cast(:order_references as text[]), cast(:positions as int[]))
  as u(fingerprint, secret, order_reference, position)
""").bindparams(
    sa.bindparam("series_id", type_=sa.Uuid),
    sa.bindparam("batch_id", type_=sa.Uuid),
    sa.bindparam("value_micros", type_=sa.BigInteger),
    sa.bindparam("starts_at", type_=sa.DateTime(timezone=True)),
    sa.bindparam("ends_at", type_=sa.DateTime(timezone=True)),
    sa.bindparam("issued_at", type_=sa.DateTime(timezone=True)),
)

ADD_ORDERS = sa.text("""
insert into vouchers_order (reference, sku, quantity)
select reference, sku, quantity
from unnest(cast(:references as text[]), cast(:skus as text[]), cast(:quantities as int[]))
  as u(reference, sku, quantity)
order by reference
on conflict (reference) do nothing
returning reference
""")


# -- series ----------------------------------------------------------------------------------------


def _series(row: Any) -> Series:
    return Series(
        id=row.series_id,
        sku=row.sku,
        owner_id=row.owner_id,
        name=row.name,
        use=Use(row.use),
        value_micros=row.series_value_micros,
        currency=row.currency,
        starts_at=row.series_starts_at,
        ends_at=row.series_ends_at,
        valid_days=row.valid_days,
        accepted_by=AcceptedBy(row.accepted_by),
        closed_at=row.closed_at,
    )


SERIES_COLUMNS = (
    series.c.id.label("series_id"),
    series.c.sku,
    series.c.owner_id,
    series.c.name,
    series.c.use,
    series.c.value_micros.label("series_value_micros"),
    series.c.currency,
    series.c.starts_at.label("series_starts_at"),
    series.c.ends_at.label("series_ends_at"),
    series.c.valid_days,
    series.c.accepted_by,
    series.c.closed_at,
)


def find_series(session: Session, skus: Sequence[str]) -> dict[str, Series]:
    """Series by sku, those there are."""
    rows = session.execute(sa.select(*SERIES_COLUMNS).where(series.c.sku.in_(skus)))
    return {row.sku: _series(row) for row in rows}


def list_series(session: Session, owner_id: UUID | None) -> list[Series]:
    """Every series, or those of one owner, by sku."""
    asked = sa.select(*SERIES_COLUMNS).order_by(series.c.sku)
    if owner_id is not None:
        asked = asked.where(series.c.owner_id == owner_id)
    return [_series(row) for row in session.execute(asked)]


def add_series(session: Session, new: Series, acceptors: Sequence[UUID]) -> bool:
    """Insert a series; False where its sku is taken."""
    values = msgspec.structs.asdict(new)
    made = session.execute(
        sa.dialects.postgresql.insert(series)
        .values(values)
        .on_conflict_do_nothing()
        .returning(series.c.id)
    ).first()
    if made is not None and acceptors:
        rows = [{"series_id": new.id, "member_id": each} for each in acceptors]
        session.execute(sa.insert(acceptor).values(rows))
    return made is not None


def acceptors_of(session: Session, series_id: UUID) -> set[UUID]:
    """The members that a series lists."""
    asked = sa.select(acceptor.c.member_id).where(acceptor.c.series_id == series_id)
    return set(session.scalars(asked))


def close_series(session: Session, series_id: UUID, now: datetime) -> None:
    """No more vouchers of it are issued."""
    session.execute(
        sa.update(series)
        .where(series.c.id == series_id, series.c.closed_at.is_(None))
        .values(closed_at=now)
    )


# -- issuing ---------------------------------------------------------------------------------------


def add_vouchers(session: Session, of: Series, rows: Sequence[NewVoucher], now: datetime) -> None:
    """Insert vouchers of one series and one batch (or of orders)."""
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        chunk = rows[start : start + ROWS_A_STATEMENT]
        session.execute(
            ADD_VOUCHERS,
            {
                "series_id": of.id,
                "batch_id": chunk[0].batch_id,
                "value_micros": of.value_micros,
                "starts_at": of.starts_at,
                "ends_at": of.end_of_one_issued(now),
                "issued_at": now,
                "fingerprints": [row.fingerprint.hex() for row in chunk],
                "secrets": [row.secret.hex() for row in chunk],
                "order_references": [row.order_reference for row in chunk],
                "positions": [row.position for row in chunk],
            },
        )


def add_orders(session: Session, orders: Sequence[Order]) -> set[str]:
    """Insert orders not seen before; returns their references.

    Waits for a transaction that is answering the same order right now.
    """
    result = session.execute(
        ADD_ORDERS,
        {
            "references": [each.reference for each in orders],
            "skus": [each.sku for each in orders],
            "quantities": [each.quantity for each in orders],
        },
    )
    return {row[0] for row in result}


def refuse_order(session: Session, reference: str, reason: str) -> None:
    """Note why an order got nothing."""
    session.execute(sa.update(order).where(order.c.reference == reference).values(refusal=reason))


def answers(session: Session, references: Sequence[str]) -> dict[str, str | None]:
    """Why each order seen was refused; None where it was delivered."""
    asked = sa.select(order.c.reference, order.c.refusal).where(order.c.reference.in_(references))
    return {row.reference: row.refusal for row in session.execute(asked)}


def codes_of(session: Session, references: Sequence[str]) -> dict[str, list[IssuedCode]]:
    """Vouchers of orders by reference, in order of position."""
    asked = (
        sa.select(
            voucher.c.order_reference,
            voucher.c.id,
            voucher.c.secret,
            series.c.name,
            voucher.c.ends_at,
        )
        .join(series, series.c.id == voucher.c.series_id)
        .where(voucher.c.order_reference.in_(references))
        .order_by(voucher.c.order_reference, voucher.c.position)
    )
    found: dict[str, list[IssuedCode]] = {}
    for row in session.execute(asked):
        code = IssuedCode(row.id, bytes(row.secret).decode(), row.name, row.ends_at)
        found.setdefault(row.order_reference, []).append(code)
    return found


# -- at the till -----------------------------------------------------------------------------------


def lock_row(session: Session, where: sa.ColumnElement[bool]) -> int | None:
    """Lock a voucher until the session ends; returns its id, None where there is none."""
    return session.scalar(sa.select(voucher.c.id).where(where).with_for_update())


def find_voucher(
    session: Session, where: sa.ColumnElement[bool], member_id: UUID
) -> Voucher | None:
    """A voucher that this member accepts, with the lock in force; None for every other."""
    listed = sa.exists().where(
        acceptor.c.series_id == series.c.id, acceptor.c.member_id == member_id
    )
    row = session.execute(
        sa.select(
            *SERIES_COLUMNS,
            voucher.c.id.label("voucher_id"),
            voucher.c.order_reference,
            voucher.c.value_micros,
            voucher.c.left_micros,
            voucher.c.starts_at,
            voucher.c.ends_at,
            voucher.c.cancelled_at,
            voucher.c.lock_id,
            lock.c.expires_at,
            lock.c.caller_id,
            lock.c.till,
        )
        .join(series, series.c.id == voucher.c.series_id)
        .outerjoin(lock, lock.c.id == voucher.c.lock_id)
        .where(
            where,
            sa.or_(
                series.c.owner_id == member_id,
                series.c.accepted_by == AcceptedBy.COALITION.value,
                sa.and_(series.c.accepted_by == AcceptedBy.LISTED.value, listed),
            ),
        )
    ).one_or_none()
    if row is None:
        return None
    return Voucher(
        id=row.voucher_id,
        series=_series(row),
        order_reference=row.order_reference,
        value_micros=row.value_micros,
        left_micros=row.left_micros,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        cancelled_at=row.cancelled_at,
        lock_id=row.lock_id,
        locked_until=row.expires_at,
        lock_caller_id=row.caller_id,
        lock_till=row.till,
    )


def find_lock(session: Session, lock_id: UUID, member_id: UUID, caller_id: UUID) -> Any:
    """A caller's own lock; None where there is none."""
    return session.execute(
        sa.select(lock).where(
            lock.c.id == lock_id, lock.c.member_id == member_id, lock.c.caller_id == caller_id
        )
    ).one_or_none()


def expiry_of_lock_in_force(session: Session, lock_id: UUID) -> datetime | None:
    """When a lock ends that its voucher names; None where the voucher names it no more."""
    return session.scalar(
        sa.select(lock.c.expires_at)
        .join(voucher, voucher.c.lock_id == lock.c.id)
        .where(lock.c.id == lock_id)
    )


def add_lock(session: Session, **values: Any) -> None:
    """Insert a lock and make it the one in force of its voucher."""
    session.execute(sa.insert(lock).values(values))
    set_voucher(session, values["voucher_id"], lock_id=values["id"])


def set_voucher(session: Session, voucher_id: int, **values: Any) -> None:
    """Change what changes of a voucher whose row is locked."""
    session.execute(sa.update(voucher).where(voucher.c.id == voucher_id).values(values))


def add_redemption(session: Session, **values: Any) -> int:
    """Insert a redemption, or the negative row that undoes one; returns its id."""
    made = session.execute(sa.insert(redemption).values(values).returning(redemption.c.id))
    number: int = made.scalar_one()
    return number


REDEMPTION_COLUMNS = (
    redemption.c.id,
    redemption.c.voucher_id,
    redemption.c.undoes_id,
    redemption.c.member_id,
    redemption.c.till,
    redemption.c.reference,
    redemption.c.amount_micros,
    redemption.c.left_micros,
    redemption.c.made_at,
    series.c.sku,
    series.c.name,
    series.c.owner_id,
    series.c.currency,
)


def _redemptions() -> sa.Select[Any]:
    undoing = redemption.alias("undoing")
    return (
        sa.select(*REDEMPTION_COLUMNS, undoing.c.id.label("rolled_back_by"))
        .join(voucher, voucher.c.id == redemption.c.voucher_id)
        .join(series, series.c.id == voucher.c.series_id)
        .outerjoin(undoing, undoing.c.undoes_id == redemption.c.id)
    )


def find_redemption(session: Session, redemption_id: int) -> Any:
    """One redemption or rollback with its series; None where there is none."""
    return session.execute(_redemptions().where(redemption.c.id == redemption_id)).one_or_none()


def list_redemptions(
    session: Session, member_id: UUID | None, *, before: int | None, limit: int
) -> Sequence[Any]:
    """Redemptions that a member accepted, or of its own series, newest first; None: everybody's."""
    asked = _redemptions().order_by(redemption.c.id.desc()).limit(limit)
    if member_id is not None:
        asked = asked.where(
            sa.or_(redemption.c.member_id == member_id, series.c.owner_id == member_id)
        )
    if before is not None:
        asked = asked.where(redemption.c.id < before)
    return session.execute(asked).all()


UNEVEN = sa.text("""
select v.id, v.value_micros - v.left_micros as taken, coalesce(r.amount, 0) as redeemed
from vouchers_voucher v
left join (
    select voucher_id, sum(amount_micros) as amount from vouchers_redemption group by voucher_id
) r on r.voucher_id = v.id
where v.value_micros - v.left_micros <> coalesce(r.amount, 0)
order by v.id limit 20
""")


def uneven(session: Session) -> Sequence[Any]:
    """Vouchers of which not exactly what was redeemed is gone: there must be none."""
    return session.execute(UNEVEN).all()
