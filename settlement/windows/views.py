"""Windows, totals and lines as they are shown: with slugs of members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.ledger.domain import WindowStatus
from marketplace.ledger.totals import Total, lag, totals
from settlement.windows.domain import Cell, Side, matrix
from settlement.windows.lines import Line
from settlement.windows.repository import slugs
from settlement.windows.schemas import (
    CellView,
    ClosedView,
    CurrencyTotal,
    LagView,
    LineView,
    PartyView,
    WindowDetail,
    WindowView,
)
from settlement.windows.service import Closed, WindowRow

COUNTED_IN_BACKGROUND = (WindowStatus.OPEN, WindowStatus.CLOSING)


def window_view(row: WindowRow) -> WindowView:
    """A window in a list."""
    return WindowView(
        id=row.id, status=row.status, opened_at=row.opened_at, closed_at=row.closed_at
    )


def closed_view(closed: Closed) -> ClosedView:
    """A window just closed."""
    return ClosedView(
        window_id=closed.window_id,
        opened_id=closed.opened_id,
        closed_at=closed.closed_at,
        settled=closed.settled,
        obligations=closed.obligations,
    )


async def window_detail(session: AsyncSession, row: WindowRow) -> WindowDetail:
    """A window with totals by currency and kind, and who owes whom."""
    found = await totals(session, [row.id])
    cells = matrix(found)
    names = await slugs(
        session, [side.member_id for cell in cells for side in (cell.debtor, cell.creditor)]
    )
    return WindowDetail(
        id=row.id,
        status=row.status,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        totals=by_currency(found),
        matrix=[_cell(cell, names) for cell in cells],
        lag=await lag_view(session) if row.status in COUNTED_IN_BACKGROUND else None,
    )


async def lag_view(session: AsyncSession) -> LagView:
    """How far running totals are behind."""
    found = await lag(session)
    return LagView(rows=found.rows, rolled_at=found.rolled_at)


def by_currency(found: Iterable[Total]) -> list[CurrencyTotal]:
    """Totals added up by currency and kind, in order."""
    sums: dict[tuple[str, str], list[int]] = {}
    for each in found:
        row = sums.setdefault((each.currency, str(each.kind)), [0, 0, 0, 0])
        added = (each.count, each.points, each.funded_micros, each.cost_micros)
        row[:] = [old + new for old, new in zip(row, added, strict=True)]
    return [
        CurrencyTotal(
            currency=currency,
            kind=kind,
            count=row[0],
            points=row[1],
            funded_micros=row[2],
            cost_micros=row[3],
        )
        for (currency, kind), row in sorted(sums.items())
    ]


async def line_views(session: AsyncSession, found: Sequence[Line]) -> list[LineView]:
    """Lines as they are shown."""
    members = [member for each in found for member in (each.issuer_id, each.acceptor_id)]
    names = await slugs(session, members)
    return [
        LineView(
            line=each.line,
            kind=each.kind,
            currency=each.currency,
            debtor=names[each.issuer_id],
            creditor=None if each.acceptor_id is None else names[each.acceptor_id],
            burn_id=each.burn_id,
            lot_id=None if each.lot_id is None else str(each.lot_id),
            points=each.points,
            funded_micros=each.funded_micros,
            cost_micros=each.cost_micros,
            effective_at=each.effective_at,
            reference=each.reference,
            reason=each.reason,
        )
        for each in found
    ]


def _cell(cell: Cell, names: Mapping[UUID, str]) -> CellView:
    return CellView(
        currency=cell.currency,
        debtor=_party(cell.debtor, names),
        creditor=_party(cell.creditor, names),
        count=cell.count,
        micros=cell.micros,
    )


def _party(side: Side, names: Mapping[UUID, str]) -> PartyView:
    member = None if side.member_id is None else names[side.member_id]
    return PartyView(kind=side.kind, member=member)
