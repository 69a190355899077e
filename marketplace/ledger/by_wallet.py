"""The points transfers of one wallet.

Holds are found by following them from the wallet's last one, all others by an index: so a burn
writes no index in which the rows of a wallet lie together, which would be another page for each.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from marketplace.ledger.domain import POINTS, TransferCode
from marketplace.ledger.models import Transfer, Wallet


def points_transfers(
    wallet_id: UUID,
    *,
    before: int | None = None,
    codes: Collection[TransferCode] = (),
    limit: int | None = None,
) -> type[Transfer]:
    """Transfers of points of a wallet, as an entity to select from.

    Of these `codes` (none: of all), with ids below `before`; with `limit` they may be up to twice
    as many, in no order, and the newest `limit` are among them.
    """
    chain = _chain(wallet_id)
    parts = [sa.select(chain)] if not codes or TransferCode.HOLD in codes else []
    parts.append(
        sa.select(*Transfer.__table__.c).where(
            Transfer.wallet_id == wallet_id,
            Transfer.previous_hold_id.is_(None),
            Transfer.unit == POINTS,
        )
    )
    chosen = []
    for part in parts:
        rows = part.selected_columns
        if codes:
            part = part.where(rows.code.in_(codes))
        if before is not None:
            part = part.where(rows.id < before)
        if limit is not None:
            # A chain is followed from its newest hold, so its first rows are its newest.
            ordered = part if part is parts[0] and len(parts) > 1 else part.order_by(rows.id.desc())
            part = sa.select(ordered.limit(limit).subquery())
        chosen.append(part)
    return aliased(Transfer, sa.union_all(*chosen).subquery())


def _chain(wallet_id: UUID) -> sa.CTE:
    """Holds of the wallet, from its last one back."""
    columns = Transfer.__table__.c
    newest = (
        sa.select(*columns)
        .join(Wallet, sa.and_(Wallet.id == wallet_id, Wallet.last_hold_id == Transfer.id))
        .where(Transfer.wallet_id == wallet_id)
        .cte("chain", recursive=True)
    )
    return newest.union_all(
        sa.select(*columns)
        .join(newest, newest.c.previous_hold_id == Transfer.id)
        .where(Transfer.wallet_id == wallet_id)
    )
