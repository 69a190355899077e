"""Vouchers whose burn was refunded, and batches that went astray, are worth nothing any more."""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import Host, RefundFact
from marketplace_vouchers.models import voucher

log = logging.getLogger(__name__)


def cancel_refunded(host: Host, fact: RefundFact) -> None:
    """Cancel the vouchers of a burn whose points were all given back; told twice, done once.

    A part of the points leaves the vouchers as they are. What was redeemed before the refund stays
    redeemed: the owner, who pays the refund, bears it; the audit trail and the log name it.
    """
    reference = str(fact.burn_id)
    with host.transaction() as session:
        burn = host.placed_orders(session, [reference]).get(reference)
        if burn is None or burn.refunded_points < burn.points:
            return
        cancelled, used_micros = _cancel(
            session, voucher.c.order_reference == reference, host.now(session)
        )
        if not cancelled:
            return
        details = {"vouchers": cancelled, "used_micros": used_micros}
        host.audit(
            session, actor="system:vouchers", action="cancelled", subject=reference, **details
        )
    if used_micros:
        log.warning(
            "vouchers: burn %s was refunded when %d micros of its vouchers were used already",
            reference,
            used_micros,
        )


def cancel_batch(session: Session, batch_id: UUID, now: datetime) -> tuple[int, int]:
    """Cancel the vouchers of a batch; returns how many, and what was used of them, in micros."""
    return _cancel(session, voucher.c.batch_id == batch_id, now)


def _cancel(session: Session, where: sa.ColumnElement[bool], now: datetime) -> tuple[int, int]:
    done = (
        sa.update(voucher)
        .where(where, voucher.c.cancelled_at.is_(None))
        .values(cancelled_at=now, lock_id=None)
        .returning((voucher.c.value_micros - voucher.c.left_micros).label("used"))
        .cte("done")
    )
    row = session.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(done.c.used), 0)).select_from(done)
    ).one()
    return int(row[0]), int(row[1])
