"""Refunds: points of a captured burn go back to their lots, money back the way it came.

The last points drawn go back first. The money of a refund is posted into the window that is open
now, as a contra of the capture, exact to the micro however often a burn is refunded in parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import api
from marketplace.db import look_up_in_order, raw_connection
from marketplace.errors import IdempotencyKeyReused, InvalidRequest, NotFound
from marketplace.exchange import resolution_repository as repository
from marketplace.exchange.domain import BurnStatus
from marketplace.exchange.errors import NotRefundable
from marketplace.exchange.models import IdempotencyKey, Refund
from marketplace.exchange.resolution_repository import LockedBurn
from marketplace.exchange.schemas import RefundView
from marketplace.identity.domain import Principal
from marketplace.ids import uuid7
from marketplace.ledger import postings
from marketplace.ledger.domain import ObligationKind, TransferCode
from marketplace.ledger.expiry import expire_wallets
from marketplace.ledger.periods import require_open
from marketplace.ledger.windows import pass_gate
from marketplace.notices import feed
from marketplace.webhooks import feed as webhooks


class RefundRequest(msgspec.Struct, frozen=True):
    """What is asked for; `points` None is all that is left."""

    burn_id: UUID
    wallet_id: UUID
    points: int | None
    reason: str
    key: str
    request_hash: bytes


async def refund(
    session: AsyncSession, principal: Principal, asked: RefundRequest, *, grace: timedelta
) -> tuple[RefundView, bool]:
    """Refund once per key; returns the refund and whether it was made before.

    Raises NotFound, NotRefundable (not captured, or fewer points left), IdempotencyKeyReused.
    """
    connection = await raw_connection(session)
    await pass_gate(connection)
    await look_up_in_order(connection)
    locked = await repository.lock_burns(connection, [(asked.burn_id, asked.wallet_id)])
    burn = locked.get(asked.burn_id)
    if burn is None:
        raise NotFound
    earlier = await _earlier(session, principal, asked)
    if earlier is not None:
        return earlier, True
    points = _points_to_refund(burn, asked.points)
    await expire_wallets(session, [asked.wallet_id])
    books = await repository.open_books(connection)
    await require_open(session, books.now)
    row = Refund(
        id=uuid7(),
        wallet_id=asked.wallet_id,
        burn_id=asked.burn_id,
        caller_id=principal.caller_id,
        points=points,
        reason=asked.reason,
        effective_at=books.now,
    )
    await _remember(session, principal, asked, row)
    await give_back(connection, [(burn, row)], books, grace=grace)
    return view_of(row), False


async def give_back(
    connection: Any,
    refunds: Sequence[tuple[LockedBurn, Refund]],
    books: repository.Books,
    *,
    grace: timedelta,
) -> None:
    """Move points and money of these refunds, whose rows are written and whose burns are locked.

    Each burn is in `refunds` once; its wallet must have been rid of what has expired.
    """
    terms = {burn.terms.id: burn.terms for burn, _ in refunds}
    drawn = await repository.parts_of(connection, terms.values())
    restored: list[tuple[postings.BurnTerms, list[postings.Part]]] = []
    for burn, row in refunds:
        stop = burn.terms.points - burn.refunded_points
        parts = postings.last_points(drawn[burn.terms.id], stop - row.points, stop)
        restored.append((burn.terms, parts))
    points = {row.burn_id: row.points for _, row in refunds}
    await repository.add_refunded(connection, terms.values(), points)
    await repository.give_back(
        connection, restored, from_held=False, now=books.now, new_expiry=books.now + grace
    )
    await repository.post(
        connection,
        books,
        [
            row
            for burn, parts in restored
            for row in postings.transfers(burn, parts, TransferCode.REFUND, books.operator_id)
        ],
        [
            row
            for burn, parts in restored
            for row in postings.obligations(burn, parts, ObligationKind.REFUND)
        ],
        await repository.captured_under(connection, terms.values()),
    )
    made = [(row.id, row.wallet_id) for _, row in refunds]
    await feed.tell_refunded(connection, made)
    await webhooks.tell_refunded(connection, made)


def _points_to_refund(burn: LockedBurn, points: int | None) -> int:
    if burn.status != BurnStatus.CAPTURED:
        raise NotRefundable(f"The burn is {burn.status}; only a captured burn can be refunded.")
    left = burn.terms.points - burn.refunded_points
    if points is None:
        points = left
    elif points <= 0:
        raise InvalidRequest("`points` must be a positive number of points.")
    if left == 0 or points > left:
        raise NotRefundable(f"{left} of the burn's {burn.terms.points} points are left to refund.")
    return points


async def _earlier(
    session: AsyncSession, principal: Principal, asked: RefundRequest
) -> RefundView | None:
    """The refund this key made before, if any."""
    known = await session.get(IdempotencyKey, (principal.caller_id, asked.key))
    if known is None:
        return None
    row = await session.scalar(sa.select(Refund).where(Refund.id == known.subject_id))
    if row is None or known.request_hash != asked.request_hash:
        raise IdempotencyKeyReused
    return view_of(row)


async def _remember(
    session: AsyncSession, principal: Principal, asked: RefundRequest, row: Refund
) -> None:
    session.add(row)
    session.add(
        IdempotencyKey(
            caller_id=principal.caller_id,
            key=asked.key,
            request_hash=asked.request_hash,
            subject_id=row.id,
            wallet_id=row.wallet_id,
        )
    )
    try:
        await session.flush()
    except sa.exc.IntegrityError as error:
        # Two requests with one key at once: the other one named another burn.
        if "unique" in str(error.orig):
            raise IdempotencyKeyReused from None
        raise


def refund_fact(view: RefundView) -> api.RefundFact:
    """What observers are told of a refund."""
    return api.RefundFact(
        refund_id=view.id,
        burn_id=view.burn_id,
        wallet_id=view.wallet_id,
        points=view.points,
        reason=view.reason,
        effective_at=view.effective_at,
    )


def view_of(row: Refund) -> RefundView:
    """A refund as callers are told of it."""
    return RefundView(
        id=row.id,
        burn_id=row.burn_id,
        wallet_id=row.wallet_id,
        points=row.points,
        reason=row.reason,
        effective_at=row.effective_at,
    )
