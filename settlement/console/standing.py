"""How a member stands: in the window that is open, in those that are closed, and what it is paid.

Never what others are paid: positions, legs and counts are the member's own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.contract.rails import Direction
from marketplace.ledger.domain import WindowStatus
from marketplace.ledger.totals import DEBT, totals
from settlement.clearing.domain import LegStatus, SettlementKind, SettlementStatus
from settlement.clearing.drafting import netted
from settlement.clearing.models import CoveredWindow, SettledPosition, Settlement, SettlementLeg
from settlement.clearing.rounding import unit_micros
from settlement.disputes import service as disputing
from settlement.disputes.domain import DisputeStatus
from settlement.disputes.models import Dispute, DisputeLine
from settlement.domain import PartyKind
from settlement.statements import repository as statements
from settlement.statements.domain import Reader
from settlement.windows.service import WindowRow

FAILED = (LegStatus.REJECTED, LegStatus.RETURNED)
MOST_EXCEPTIONAL = 12
"""Settlements of what others failed to pay that are shown, the newest."""
UNFINISHED = (WindowStatus.OPEN, WindowStatus.CLOSING)


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What a member, its pool or (of the operator) the margin comes to in one currency.

    `net = credit - debit - fee`; above zero it is owed.
    """

    party: PartyKind
    currency: str
    debit_micros: int
    credit_micros: int
    fee_micros: int
    net_micros: int


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A leg as the member sees it, who is one of its sides."""

    reference: str
    currency: str
    collects: bool
    """Whether the member pays."""
    micros: int
    """What moves, not below zero."""
    counterparty: str | None
    """Slug of the other member of a bilateral leg; None: the clearing house."""
    status: LegStatus
    due_on: date
    booked_on: date | None
    reason: str
    again: bool
    """Whether another leg was made for it since."""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A settlement as a member sees it."""

    reference: str
    status: SettlementStatus
    due_on: date
    windows: int
    """How many it settles together."""
    payments: list[Payment]

    @property
    def moving(self) -> list[Payment]:
        """Payments that count: money moves, and no other leg stands for them."""
        return [each for each in self.payments if each.micros and not each.again]

    @property
    def failed(self) -> list[Payment]:
        """Payments that were rejected or came back, and are not paid again yet."""
        return [each for each in self.moving if each.status in FAILED]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A member in one window."""

    id: UUID
    status: WindowStatus
    opened_at: datetime
    closed_at: datetime | None
    shares: list[Share]
    settlement: Settled | None
    dispute_until: datetime | None
    """None: the window is not closed, or the time is over."""
    disputed: int
    """Lines that the member disputes and nobody has decided about."""

    @property
    def is_final(self) -> bool:
        """Whether nothing is added any more, so that there is a statement."""
        return self.status not in UNFINISHED


async def standings(
    session: AsyncSession, reader: Reader, rows: Sequence[WindowRow], now: datetime
) -> list[Standing]:
    """How a member stands in these windows, in the order given."""
    settled = await settlements(session, reader, [row.id for row in rows])
    disputed = await _disputed(session, reader, [row.id for row in rows])
    found = []
    for row in rows:
        until = None
        if row.closed_at is not None:
            terms = await disputing.terms_of(session, reader.id, row.closed_at)
            until = terms.until if terms and terms.until >= now else None
        found.append(
            Standing(
                id=row.id,
                status=row.status,
                opened_at=row.opened_at,
                closed_at=row.closed_at,
                shares=await shares(session, reader, row.id),
                settlement=settled.get(row.id),
                dispute_until=until,
                disputed=disputed.get(row.id, 0),
            )
        )
    return found


async def shares(session: AsyncSession, reader: Reader, window_id: UUID) -> list[Share]:
    """What the member comes to in a window, as far as it is counted; disputed lines count."""
    only = None if reader.is_operator else reader.id
    found = await netted(session, [window_id], member_id=only)
    return [
        Share(
            party=each.party.kind,
            currency=each.currency,
            debit_micros=each.debit_micros,
            credit_micros=each.credit_micros,
            fee_micros=each.fee_micros,
            net_micros=each.net_micros,
        )
        for each in found.positions
        if each.party.member_id == reader.id
    ]


async def has_lines(session: AsyncSession, reader: Reader, window_ids: Collection[UUID]) -> bool:
    """Whether these windows hold a line of the member, so that there is a statement of them."""
    return any(
        reader.id in (each.issuer_id, each.acceptor_id)
        or (reader.is_operator and each.kind != DEBT)
        for each in await totals(session, list(window_ids))
    )


async def settlements(
    session: AsyncSession, reader: Reader, window_ids: Collection[UUID]
) -> dict[UUID, Settled]:
    """Live settlements of these windows, by window."""
    rows = await session.execute(
        sa.select(CoveredWindow.window_id, Settlement)
        .join(Settlement, Settlement.id == CoveredWindow.settlement_id)
        .where(CoveredWindow.live, CoveredWindow.window_id.in_(window_ids))
    )
    by_window = {row[0]: row[1] for row in rows}
    told = {
        row.id: await settled(session, reader, row)
        for row in {row.id: row for row in by_window.values()}.values()
    }
    return {window_id: told[row.id] for window_id, row in by_window.items()}


async def settled(session: AsyncSession, reader: Reader, row: Settlement) -> Settled:
    """A settlement with the payments of this member."""
    legs = await statements.legs(session, row.id, reader.id)
    names = await statements.slugs(session) if any(leg.counterparty_id for leg in legs) else {}
    again = await _again(session, [leg.id for leg in legs])
    return Settled(
        reference=row.reference,
        status=row.status,
        due_on=row.due_on,
        windows=len(await statements.covered(session, row.id)),
        payments=[_payment(leg, reader, names, leg.id in again) for leg in legs],
    )


async def _again(session: AsyncSession, leg_ids: Collection[UUID]) -> set[UUID | None]:
    """Of these legs those that another stands for, be it of an exceptional settlement."""
    query = sa.select(SettlementLeg.replaces_id).where(
        SettlementLeg.replaces_id.in_(leg_ids), SettlementLeg.status != LegStatus.CANCELLED
    )
    return set(await session.scalars(query))


def _payment(leg: SettlementLeg, reader: Reader, names: dict[UUID, str], again: bool) -> Payment:
    own = leg.member_id == reader.id
    other = leg.counterparty_id if own else leg.member_id
    return Payment(
        reference=leg.reference,
        currency=leg.currency,
        collects=(leg.direction is Direction.COLLECT) is own,
        micros=leg.amount_minor * unit_micros(leg.currency),
        counterparty=None if other is None else names[other],
        status=leg.status,
        due_on=leg.due_on,
        booked_on=leg.booked_on,
        reason=leg.reason,
        again=again,
    )


async def exceptional(session: AsyncSession, reader: Reader) -> list[Settled]:
    """Settlements of what a member failed to pay that take money from this one or bring it some,
    newest first: of no window, so they are in no statement of one."""
    query = (
        sa.select(Settlement)
        .where(
            Settlement.kind == SettlementKind.EXCEPTIONAL,
            Settlement.status.not_in([SettlementStatus.PENDING, SettlementStatus.ABORTED]),
            sa.exists().where(
                SettlementLeg.settlement_id == Settlement.id,
                SettlementLeg.amount_minor > 0,
                sa.or_(
                    SettlementLeg.member_id == reader.id,
                    SettlementLeg.counterparty_id == reader.id,
                ),
            ),
        )
        .order_by(Settlement.made_at.desc())
        .limit(MOST_EXCEPTIONAL)
    )
    return [await settled(session, reader, row) for row in await session.scalars(query)]


async def settled_with(session: AsyncSession, reader: Reader) -> list[Settlement]:
    """Settlements that somebody vouches for, with a position of the member; newest first."""
    own = sa.exists().where(
        SettledPosition.settlement_id == Settlement.id, SettledPosition.member_id == reader.id
    )
    covers = sa.exists().where(CoveredWindow.settlement_id == Settlement.id)
    done = Settlement.status.not_in([SettlementStatus.PENDING, SettlementStatus.ABORTED])
    query = sa.select(Settlement).where(own, covers, done)
    return list(
        await session.scalars(query.order_by(Settlement.made_at.desc(), Settlement.reference))
    )


async def _disputed(
    session: AsyncSession, reader: Reader, window_ids: Collection[UUID]
) -> dict[UUID, int]:
    """How many lines of its own disputes are undecided, by window."""
    rows = await session.execute(
        sa.select(DisputeLine.window_id, sa.func.count())
        .join(Dispute, Dispute.id == DisputeLine.dispute_id)
        .where(
            DisputeLine.window_id.in_(window_ids),
            Dispute.member_id == reader.id,
            Dispute.status == DisputeStatus.OPEN,
        )
        .group_by(DisputeLine.window_id)
    )
    return {row[0]: row[1] for row in rows}
