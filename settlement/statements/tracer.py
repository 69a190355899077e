"""The way of a burn's money through windows, settlements and payments, for other rooms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import BurnStep
from marketplace.contract.rails import Direction
from marketplace.errors import NotFound
from marketplace.host import PluginHost
from settlement.clearing.domain import LegStatus
from settlement.statements.tracing import LegTraced, LineTraced, trace

FAILED = {LegStatus.REJECTED.value, LegStatus.RETURNED.value}


class SettlementTracer:
    """Asked while a receipt or a page of gifts is made."""

    def __init__(self, host: PluginHost) -> None:
        self._host = host

    def trace(self, burn_ids: Sequence[UUID], payee_id: UUID) -> Mapping[UUID, Sequence[BurnStep]]:
        """See `marketplace.api.BurnTracer.trace`."""

        async def work(session: AsyncSession) -> dict[UUID, list[BurnStep]]:
            found = {}
            for burn_id in burn_ids:
                try:
                    lines = (await trace(session, str(burn_id), member_id=payee_id)).lines
                except NotFound:  # nothing was captured
                    continue
                found[burn_id] = _steps(lines)
            return found

        return self._host.transact(work)


def _steps(lines: Sequence[LineTraced]) -> list[BurnStep]:
    """Each window, settlement and payment once, in the order of the lines."""
    steps: dict[tuple[str, str], BurnStep] = {}
    for line in lines:
        window = BurnStep(
            stage="window", reference=str(line.window), status=line.window_status, at=line.at
        )
        steps.setdefault(("window", window.reference), window)
        settled = line.settlement
        if settled is None:
            continue
        settlement = BurnStep(
            stage="settlement", reference=settled.reference, status=settled.status
        )
        steps.setdefault(("settlement", settled.reference), settlement)
        for leg in settled.legs:
            if _pays(leg, line):
                steps.setdefault(("leg", leg.reference), _payment(leg))
    return list(steps.values())


def _pays(leg: LegTraced, line: LineTraced) -> bool:
    """Whether a leg pays whom the line is owed to: by the clearing house, or bilaterally.

    Whoever is paid in several currencies has a leg of each.
    """
    if leg.currency != line.currency:
        return False
    if leg.counterparty is not None:
        return (leg.member, leg.counterparty) == (line.payer, line.payee)
    return leg.member == line.payee and leg.direction == Direction.PAY.value


def _payment(leg: LegTraced) -> BurnStep:
    return BurnStep(
        stage="rejected" if leg.status in FAILED else "payout",
        reference=leg.rail_reference or leg.reference,
        status=leg.status,
        booked_on=leg.booked_on,
    )
