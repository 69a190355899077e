"""What drafts leave out because it is under dispute, and what they take in again.

For the draft of a settlement, once it covers its windows. A line under dispute is left out. A line
that an earlier settlement left out, and that nobody disputes any more, comes with a minus sign: to
leave out minus something is to take it in. Both are written down, so that every line ends up in
exactly one settlement; what an aborted settlement did does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.ledger.totals import DEBT, Total
from settlement.disputes import repository
from settlement.disputes.domain import Line, LineAction


async def frozen(session: AsyncSession, window_ids: Sequence[UUID]) -> list[Total]:
    """What a settlement of these windows leaves out (below zero: takes in again), by line.

    Windows that no settlement covers yet: what a draft of them would do; nothing is written.
    Drafts are made one after the other.
    """
    left_out = await repository.frozen_lines(session, window_ids)
    taken_in = await repository.releasable_lines(session, window_ids)
    settlement_id = await repository.settlement_of(session, window_ids)
    if settlement_id is not None:
        await repository.note_lines(session, settlement_id, left_out, LineAction.FROZEN)
        await repository.note_lines(session, settlement_id, taken_in, LineAction.RELEASED)
    known = await repository.lines(session, [*left_out, *taken_in])
    return [
        *(_total(known[each], 1) for each in left_out),
        *(_total(known[each], -1) for each in taken_in),
    ]


async def lines_wait(session: AsyncSession) -> bool:
    """Whether the next settlement takes in again what earlier ones left out."""
    return bool(await repository.releasable_lines(session, ()))


def _total(line: Line, sign: int) -> Total:
    """One line as a total of its window."""
    return Total(
        window_id=line.window_id,
        currency=line.currency,
        kind=DEBT if line.kind is None else line.kind,
        funding=line.funding,
        issuer_id=line.issuer_id,
        acceptor_id=line.acceptor_id,
        contract_id=line.contract_id,
        acceptor_contract_id=line.acceptor_contract_id,
        count=sign,
        points=sign * line.points,
        funded_micros=sign * line.funded_micros,
        cost_micros=sign * line.cost_micros,
        first_txid=line.txid,
        last_txid=line.txid,
    )
