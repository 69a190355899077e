"""Refunds of many burns: batch by batch beside burns, each batch whole or not at all.

A batch locks its burns and refunds what is left of each; whoever finds nothing left passes on. So
a run that was killed is started again as it was, two runs at once share the work, and nothing is
refunded twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import look_up_in_order, raw_connection
from marketplace.errors import NotFound
from marketplace.exchange import resolution_repository as repository
from marketplace.exchange.domain import BurnStatus
from marketplace.exchange.models import Burn, Offer, Refund
from marketplace.exchange.refunds import give_back, refund_fact, view_of
from marketplace.exchange.schemas import RefundView
from marketplace.identity.audit import audit
from marketplace.ids import uuid7
from marketplace.ledger.expiry import expire_wallets
from marketplace.ledger.periods import require_open
from marketplace.ledger.windows import pass_gate
from marketplace.runtime import Runtime

log = logging.getLogger(__name__)

BATCH = 100
"""Burns of one transaction: enough to be quick, few enough to hold their wallets only briefly."""
NAMED = 5_000
"""Burns looked up by id in one statement."""

Pair = tuple[UUID, UUID]
"""A burn's id and its wallet's."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which burns: those with these ids, or those of an offer burnt within a time."""

    burn_ids: Sequence[UUID] | None = None
    offer_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


class Outlook(msgspec.Struct, frozen=True):
    """What a run would do."""

    burns: int
    """Captured burns with points left to refund."""
    points: int
    others: int
    """Burns chosen that have nothing to refund: refunded, held, voided or rejected."""


async def offer_named(session: AsyncSession, reference: str) -> UUID:
    """The id of an offer; NotFound."""
    found = await session.scalar(sa.select(Offer.id).where(Offer.reference == reference))
    if found is None:
        raise NotFound(f"There is no offer {reference!r}.")
    return found


async def unknown_burns(session: AsyncSession, burn_ids: Sequence[UUID]) -> set[UUID]:
    """Those of these ids that no burn has."""
    unknown = set(burn_ids)
    for start in range(0, len(burn_ids), NAMED):
        some = burn_ids[start : start + NAMED]
        unknown -= set(await session.scalars(sa.select(Burn.id).where(Burn.id.in_(some))))
    return unknown


async def outlook(session: AsyncSession, chosen: Chosen) -> Outlook:
    """What a run would find now."""
    left = Burn.points - Burn.refunded_points
    refundable = sa.and_(Burn.status == BurnStatus.CAPTURED, left > 0)
    figures = [0, 0, 0]
    for piece in _pieces(chosen):
        row = await session.execute(
            sa.select(
                sa.func.count().filter(refundable),
                sa.func.coalesce(sa.func.sum(left).filter(refundable), 0),
                sa.func.count().filter(sa.not_(refundable)),
            ).where(*_conditions(piece))
        )
        figures = [whole + int(part) for whole, part in zip(figures, row.one(), strict=True)]
    return Outlook(*figures)


def _pieces(chosen: Chosen) -> list[Chosen]:
    """The choice itself, or, of many ids, as many as one statement takes."""
    if chosen.burn_ids is None:
        return [chosen]
    ids = sorted(set(chosen.burn_ids))
    return [Chosen(burn_ids=ids[at : at + NAMED]) for at in range(0, len(ids), NAMED)]


def _conditions(chosen: Chosen) -> list[sa.ColumnElement[bool]]:
    if chosen.burn_ids is not None:
        return [Burn.id.in_(chosen.burn_ids)]
    wanted: list[sa.ColumnElement[bool]] = [Burn.offer_id == chosen.offer_id]
    if chosen.since is not None:
        wanted.append(Burn.effective_at >= chosen.since)
    if chosen.until is not None:
        wanted.append(Burn.effective_at < chosen.until)
    return wanted


async def refund_all(
    runtime: Runtime,
    chosen: Chosen,
    *,
    caller_id: UUID,
    actor: str,
    reason: str,
    told: Callable[[int], None],
    limit: int = BATCH,
) -> tuple[int, int]:
    """Refund what is left of every chosen burn; returns how many refunds and points.

    A transaction for each `limit` burns; observers hear after each, and so does `told`.
    """
    grace = timedelta(days=runtime.settings.refund_grace_days)
    made = points = 0
    for piece in _pieces(chosen):
        after: UUID | None = None
        while True:
            async with runtime.database.begin() as session:
                pairs = await _next(session, piece, after, limit)
                refunds = await refund_batch(
                    session, pairs, caller_id=caller_id, actor=actor, reason=reason, grace=grace
                )
            if not pairs:
                break
            runtime.tell([("marketplace_after_burn_refunded", refund_fact(v)) for v in refunds])
            after = pairs[-1][0]
            made += len(refunds)
            points += sum(each.points for each in refunds)
            told(len(refunds))
    log.info("%d burns refunded, %d points: %s", made, points, reason)
    return made, points


async def _next(
    session: AsyncSession, chosen: Chosen, after: UUID | None, limit: int
) -> list[Pair]:
    """The next burns that have something to refund, by id."""
    query = sa.select(Burn.id, Burn.wallet_id).where(
        *_conditions(chosen),
        Burn.status == BurnStatus.CAPTURED,
        Burn.refunded_points < Burn.points,
    )
    if after is not None:
        query = query.where(Burn.id > after)
    rows = await session.execute(query.order_by(Burn.id).limit(limit))
    return [(burn_id, wallet_id) for burn_id, wallet_id in rows]


async def refund_batch(
    session: AsyncSession,
    pairs: Sequence[Pair],
    *,
    caller_id: UUID,
    actor: str,
    reason: str,
    grace: timedelta,
) -> list[RefundView]:
    """Refund what is left of these burns, in the caller's transaction; one audit entry for all.

    Burns that are not captured, or have nothing left once they are locked, are passed over.
    """
    if not pairs:
        return []
    connection = await raw_connection(session)
    await pass_gate(connection)
    await look_up_in_order(connection)
    locked = await repository.lock_burns(connection, pairs)
    burns = [
        burn
        for burn in locked.values()
        if burn.status == BurnStatus.CAPTURED and burn.refunded_points < burn.terms.points
    ]
    if not burns:
        return []
    await expire_wallets(session, [burn.terms.wallet_id for burn in burns])
    books = await repository.open_books(connection)
    await require_open(session, books.now)
    rows = [
        Refund(
            id=uuid7(),
            wallet_id=burn.terms.wallet_id,
            burn_id=burn.terms.id,
            caller_id=caller_id,
            points=burn.terms.points - burn.refunded_points,
            reason=reason,
            effective_at=books.now,
        )
        for burn in burns
    ]
    session.add_all(rows)
    await session.flush()
    await give_back(connection, list(zip(burns, rows, strict=True)), books, grace=grace)
    await audit(
        session,
        actor,
        "burns.refunded",
        "burns",
        f"{burns[0].terms.id} to {burns[-1].terms.id}",
        burns=len(rows),
        points=sum(row.points for row in rows),
        reason=reason,
    )
    return [view_of(row) for row in rows]
