"""What the routes of disputes take and answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.domain import DisputeDefault
from marketplace.coalition.models import Member
from settlement.disputes import repository
from settlement.disputes.domain import DisputeStatus, LineId
from settlement.disputes.models import Dispute
from settlement.disputes.service import LONGEST_TEXT, MOST_LINES

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_TEXT)]


class DisputeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lines to be disputed: `<wallet>:<id>` of an obligation, `debt:<id>` of a debt."""

    lines: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MOST_LINES)]
    reason: Text
    member: Annotated[
        str | None, msgspec.Meta(description="Slug; only finance disputes for a member")
    ] = None


class WithdrawBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why it is taken back, if there is anything to say."""

    note: Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)] = ""


class DecideBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What finance decides, and why."""

    outcome: Literal["upheld", "rejected"]
    note: Text


class AdjustmentView(msgspec.Struct, frozen=True, kw_only=True):
    """A debt that undoes a part of a line."""

    line: str
    """Its origin."""
    part: str
    debtor: str
    """Slug."""
    creditor: str
    amount_micros: int
    currency: str
    window_id: UUID
    debt: str
    """As a line: `debt:<id>`."""


class DisputeView(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute."""

    id: UUID
    member: str
    """Slug."""
    window_id: UUID
    status: DisputeStatus
    lines: list[str]
    reason: str
    opened_at: datetime
    opened_by: str
    decide_by: datetime
    """Without a decision until then it is decided by default."""
    default: DisputeDefault
    decided_at: datetime | None
    decided_by: str | None
    note: str
    adjustments: list[AdjustmentView]


class Disputes(msgspec.Struct, frozen=True):
    """Disputes, newest first."""

    disputes: list[DisputeView]


async def views(
    session: AsyncSession, disputes: Sequence[Dispute], *, member_id: UUID | None = None
) -> list[DisputeView]:
    """Disputes with their lines and adjustments; with `member_id` those that it pays or is paid,
    for what others are paid is told to nobody else.
    """
    ids = [each.id for each in disputes]
    lines = await repository.lines_of(session, ids)
    adjustments = await repository.adjustments_of(session, ids)
    rows = await session.execute(sa.select(Member.id, Member.slug))
    slugs = {row.id: row.slug for row in rows}
    found: dict[UUID, list[AdjustmentView]] = {each: [] for each in ids}
    for adjustment, debt in adjustments:
        if member_id not in (None, debt.debtor_id, debt.creditor_id):
            continue
        found[adjustment.dispute_id].append(
            AdjustmentView(
                line=str(LineId(adjustment.wallet_id, adjustment.line_id)),
                part=adjustment.part,
                debtor=slugs[debt.debtor_id],
                creditor=slugs[debt.creditor_id],
                amount_micros=debt.amount_micros,
                currency=debt.currency,
                window_id=adjustment.window_id,
                debt=f"debt:{debt.id}",
            )
        )
    return [
        DisputeView(
            id=each.id,
            member=slugs[each.member_id],
            window_id=each.window_id,
            status=each.status,
            lines=[str(line) for line in lines[each.id]],
            reason=each.reason,
            opened_at=each.opened_at,
            opened_by=each.opened_by,
            decide_by=each.decide_by,
            default=each.default,
            decided_at=each.decided_at,
            decided_by=each.decided_by,
            note=each.note,
            adjustments=found[each.id],
        )
        for each in disputes
    ]
