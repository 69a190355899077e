"""From a figure down to its lines: the obligations and debts of a window, page by page.

No index leads from a window to its obligations (it would cost every burn), but totals know between
which transactions their rows were written, and rows lie in the order of transactions. Pages are
read from slices of that range, which grow while little is found.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.ledger.domain import ObligationKind
from marketplace.ledger.totals import DEBT, Total, totals

FIRST_SLICE: Final = 1_000
"""Transactions of the first slice."""
GROWTH: Final = 4
NIL: Final = UUID(int=0)


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ends: lines are in the order of transactions, then of their keys."""

    txid: int
    id: int
    wallet_id: UUID


START: Final = Position(-1, -1, NIL)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One obligation or debt. Points and micros of refunds and contras are negative."""

    position: Position
    kind: str
    """An obligation's kind, or `debt`."""
    currency: str
    issuer_id: UUID
    """Of a debt the debtor."""
    acceptor_id: UUID | None
    """Of a debt the creditor."""
    burn_id: UUID | None
    lot_id: int | None
    points: int
    funded_micros: int
    cost_micros: int
    effective_at: datetime
    reference: str
    """Of a debt: the plugin's, with the plugin's slug in front; of an obligation the lot's."""
    reason: str
    """Of a debt."""

    @property
    def line(self) -> str:
        """What names it: `<wallet>:<id>` of an obligation, `debt:<id>` of a debt."""
        if self.position.wallet_id == NIL:
            return f"debt:{self.position.id}"
        return f"{self.position.wallet_id}:{self.position.id}"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines of a window."""

    window_id: UUID
    debtor_id: UUID | None = None
    creditor_id: UUID | None = None
    member_id: UUID | None = None
    """On either side."""
    with_margin: bool = False
    """Obligations of all others too: each changes the margin of the operator, who is `member_id`.
    """
    kind: ObligationKind | None = None
    """Only obligations of this kind."""

    def counts(self, total: Total) -> bool:
        """Whether a total may count such lines."""
        sides = (total.issuer_id, total.acceptor_id)
        return (
            self.debtor_id in (None, total.issuer_id)
            and self.creditor_id in (None, total.acceptor_id)
            and self.kind in (None, total.kind)
            and (
                self.member_id is None
                or self.member_id in sides
                or (self.with_margin and total.kind != DEBT)
            )
        )


# Of the lots of one page only: joined outside.
_SLICE: Final = sa.text("""
select page.*, l.reference as lot_reference from (
    select txid, id, wallet_id, kind::text as kind, currency::text as currency, issuer_id,
           acceptor_id, burn_id, lot_id, points, funded_micros, cost_micros, effective_at,
           null::text as reference, '' as reason
    from obligation
    where window_id = :window_id and txid >= :start and txid < :stop
      and (txid, id, wallet_id) > (:txid, :id, :wallet_id)
      and (cast(:debtor_id as uuid) is null or issuer_id = :debtor_id)
      and (cast(:creditor_id as uuid) is null or acceptor_id = :creditor_id)
      and (cast(:member_id as uuid) is null or :with_margin
           or :member_id in (issuer_id, acceptor_id))
      and (cast(:kind as text) is null or kind::text = :kind)
    union all
    select txid, id, cast(:nil as uuid), 'debt', currency::text, debtor_id, creditor_id, null, null,
           0, amount_micros, amount_micros, effective_at, plugin || ':' || reference, reason
    from member_debt
    where window_id = :window_id and txid >= :start and txid < :stop
      and (txid, id, cast(:nil as uuid)) > (:txid, :id, :wallet_id)
      and (cast(:debtor_id as uuid) is null or debtor_id = :debtor_id)
      and (cast(:creditor_id as uuid) is null or creditor_id = :creditor_id)
      and (cast(:member_id as uuid) is null or :member_id in (debtor_id, creditor_id))
      and cast(:kind as text) is null
    order by txid, id, wallet_id limit :most
) page
left join lot l on l.wallet_id = page.wallet_id and l.id = page.lot_id
order by page.txid, page.id, page.wallet_id
""").bindparams(
    sa.bindparam("debtor_id", type_=sa.Uuid()),
    sa.bindparam("creditor_id", type_=sa.Uuid()),
    sa.bindparam("member_id", type_=sa.Uuid()),
    sa.bindparam("with_margin", type_=sa.Boolean()),
    sa.bindparam("kind", type_=sa.Text()),
    sa.bindparam("wallet_id", type_=sa.Uuid()),
    sa.bindparam("nil", type_=sa.Uuid()),
    sa.bindparam("txid", type_=sa.BigInteger()),
    sa.bindparam("id", type_=sa.BigInteger()),
)


async def lines(
    session: AsyncSession, asked: Asked, *, after: Position | None, most: int
) -> list[Line]:
    """Up to `most` lines after a position; of an open window those that its totals count."""
    found = [each for each in await totals(session, [asked.window_id]) if asked.counts(each)]
    if not found:
        return []
    end = max(each.last_txid for each in found) + 1
    begin = min(each.first_txid for each in found)
    place = after or START
    return await _read(session, asked, place, (max(begin, place.txid), end), most)


async def _read(
    session: AsyncSession, asked: Asked, place: Position, between: tuple[int, int], most: int
) -> list[Line]:
    begin, end = between
    width = FIRST_SLICE
    page: list[Line] = []
    while begin < end and len(page) < most:
        stop = min(begin + width, end)
        rows = await session.execute(
            _SLICE,
            {
                **msgspec.structs.asdict(asked),
                **msgspec.structs.asdict(place),
                "nil": NIL,
                "start": begin,
                "stop": stop,
                "most": most - len(page),
            },
        )
        page += [_line(row) for row in rows]
        begin, width = stop, width * GROWTH
    return page


def _line(row: Any) -> Line:
    return Line(
        position=Position(row.txid, row.id, row.wallet_id),
        kind=row.kind,
        currency=row.currency,
        issuer_id=row.issuer_id,
        acceptor_id=row.acceptor_id,
        burn_id=row.burn_id,
        lot_id=row.lot_id,
        points=row.points,
        funded_micros=row.funded_micros,
        cost_micros=row.cost_micros,
        effective_at=row.effective_at,
        reference=row.reference or row.lot_reference or "",
        reason=row.reason,
    )
