"""Makes vouchers: codes, their fingerprints, their rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from marketplace.api import Host
from marketplace_vouchers import repository
from marketplace_vouchers.codes import new_code
from marketplace_vouchers.domain import Series
from marketplace_vouchers.repository import NewVoucher


def issue_for_orders(
    host: Host, session: Session, of: Series, orders: Sequence[tuple[str, int]], now: datetime
) -> None:
    """Vouchers for orders (reference, quantity), one per unit."""
    rows = [
        _voucher(host, position, order_reference=reference)
        for reference, quantity in orders
        for position in range(quantity)
    ]
    repository.add_vouchers(session, of, rows, now)


def issue_for_batch(
    host: Host, session: Session, of: Series, batch_id: UUID, positions: range, now: datetime
) -> None:
    """Vouchers of a batch at these positions."""
    rows = [_voucher(host, position, batch_id=batch_id) for position in positions]
    repository.add_vouchers(session, of, rows, now)


def _voucher(
    host: Host, position: int, *, order_reference: str | None = None, batch_id: UUID | None = None
) -> NewVoucher:
    code = new_code()
    return NewVoucher(
        host.fingerprint(code), host.encrypt(code), order_reference, batch_id, position
    )
