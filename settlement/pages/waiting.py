"""How much waits for finance beside windows and settlements, counted."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from settlement.bank.breaking import UNRESOLVED
from settlement.bank.domain import SuggestionStatus
from settlement.bank.models import Break, Suggestion
from settlement.clearing.domain import PayAccountStatus
from settlement.clearing.models import PayAccount
from settlement.disputes.domain import DisputeStatus
from settlement.disputes.models import Dispute
from settlement.pages.outlook import Waiting


async def waiting(session: AsyncSession, reader: str) -> Waiting:
    """Breaks, suggestions, disputes and accounts that wait. `reader` is the actor who asks."""
    mine = Break.proposed_by.is_not_distinct_from(reader)
    return Waiting(
        breaks=await _count(session, Break, Break.status.in_(UNRESOLVED), ~mine),
        suggestions=await _count(
            session, Suggestion, Suggestion.status == SuggestionStatus.PROPOSED
        ),
        disputes=await _count(session, Dispute, Dispute.status == DisputeStatus.OPEN),
        accounts=await _count(
            session,
            PayAccount,
            PayAccount.status == PayAccountStatus.PROPOSED,
            PayAccount.made_by != reader,
        ),
    )


async def _count(session: AsyncSession, table: type, *where: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(*where)
    return int(await session.scalar(query) or 0)
