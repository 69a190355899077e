"""The points transfers of one wallet.

Holds are found by following them from the wallet's last one, all others by an index: so a burn
writes no index in which the rows of a wallet lie together, which would be another page for each.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
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
    parts = [_others(wallet_id, before, codes, limit)]
    if not codes or TransferCode.HOLD in codes:
        parts.append(_holds(wallet_id, before, codes, limit))
    return aliased(Transfer, sa.union_all(*parts).subquery())


def _holds(
    wallet_id: UUID, before: int | None, codes: Collection[TransferCode], limit: int | None
) -> sa.Select[Any]:
    chain = _chain(wallet_id)
    found = sa.select(chain).where(*_chosen(chain.c, before, codes))
    # A chain is followed from its newest hold, and no further than its rows are asked for.
    return found if limit is None else sa.select(found.limit(limit).subquery())


def _others(
    wallet_id: UUID, before: int | None, codes: Collection[TransferCode], limit: int | None
) -> sa.Select[Any]:
    columns = Transfer.__table__.c
    found = sa.select(*columns).where(
        Transfer.wallet_id == wallet_id,
        Transfer.previous_hold_id.is_(None),
        Transfer.unit == POINTS,
        *_chosen(columns, before, codes),
    )
    if limit is None:
        return found
    return sa.select(found.order_by(Transfer.id.desc()).limit(limit).subquery())


def _chosen(
    columns: Any, before: int | None, codes: Collection[TransferCode]
) -> list[sa.ColumnElement[bool]]:
    chosen: list[sa.ColumnElement[bool]] = []
    if codes:
        chosen.append(columns.code.in_(codes))
    if before is not None:
        chosen.append(columns.id < before)
    return chosen


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
