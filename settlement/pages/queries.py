"""What the pages read besides what services give."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.ledger.totals import totals
from settlement.clearing import netting, repository
from settlement.clearing.netting import Flow, Position


class Netted(msgspec.Struct, frozen=True):
    """Windows netted as a settlement of them would be; nothing is written."""

    flows: Sequence[Flow]
    positions: Sequence[Position]


async def netted(session: AsyncSession, window_ids: Sequence[UUID]) -> Netted:
    """What a settlement of these windows comes to by what their totals count now."""
    found = await totals(session, window_ids)
    contracts = {each.contract_id for each in found} | {each.acceptor_contract_id for each in found}
    operator_id = await repository.operator_id(session)
    fees = await repository.fee_bps(session, [each for each in contracts if each is not None])
    flows = netting.flows(found, fees, operator_id)
    return Netted(flows, netting.positions(flows, found, operator_id))
