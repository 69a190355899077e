"""The way of a burn's money through windows, settlements and payments, for other rooms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import BurnStep
from marketplace.contract.rails import Direction
from marketplace.errors import NotFound
from marketplace.host import PluginHost
from settlement.clearing.domain import LegStatus
from settlement.statements.domain import LineKind
from settlement.statements.tracing import LegTraced, LineTraced, SettlementTraced, trace

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
    """Each window, settlement and payment of what was captured once, settlement by settlement;
    then what was taken off again. Each with the points that are in it."""
    captured = [line for line in lines if line.kind is LineKind.CAPTURE]
    adjusted = {line.undoes for line in lines if line.kind is LineKind.ADJUSTMENT}
    undone = {
        line.line: line.own_points if line.line in adjusted else line.own_refunded_points
        for line in captured
    }
    steps: dict[tuple[str, str], BurnStep] = {}

    def add(step: BurnStep) -> None:
        known = steps.setdefault((step.stage, step.reference), step)
        if known is not step:
            steps[step.stage, step.reference] = msgspec.structs.replace(
                known,
                points=known.points + step.points,
                undone_points=known.undone_points + step.undone_points,
            )

    for line in captured:
        add(_window(line))
    for line in sorted(captured, key=_settled_by):  # stable
        if line.settlement is None:
            if line.disputed or line.left_out_of is not None:
                add(_kept_out(line))
            continue
        add(_taken("settlement", line, line.settlement.reference, line.settlement.status))
        for step in _payments(line, line.settlement):
            add(msgspec.structs.replace(step, undone_points=undone[line.line]))
    points = {line.line: line.own_points - line.own_refunded_points for line in captured}
    for line in lines:
        if line.kind is LineKind.REFUND:
            add(_undone("refund", line, abs(line.own_points)))
        elif line.kind is LineKind.ADJUSTMENT and line.undoes in undone:
            # In parts: the cost, and the fee on it. What undoes refunds is nothing of its own.
            add(_undone("adjusted", line, points.pop(line.undoes or "", 0)))
    return list(steps.values())


def _settled_by(line: LineTraced) -> str:
    return line.settlement.reference if line.settlement is not None else ""


def _taken(stage: str, line: LineTraced, reference: str, status: str) -> BurnStep:
    return BurnStep(stage=stage, reference=reference, status=status, points=abs(line.own_points))


def _window(line: LineTraced) -> BurnStep:
    step = _taken("window", line, str(line.window), line.window_status)
    return msgspec.structs.replace(step, at=line.at)


def _kept_out(line: LineTraced) -> BurnStep:
    status = "disputed" if line.disputed else "waiting"
    return _taken("disputed", line, line.left_out_of or str(line.window), status)


def _undone(stage: str, line: LineTraced, points: int) -> BurnStep:
    """What takes captured points off again: a refund, or a dispute that was upheld."""
    settled = line.settlement
    return BurnStep(
        stage=stage,
        reference=str(line.window) if settled is None else settled.reference,
        status=line.window_status if settled is None else settled.status,
        points=points,
    )


def _payments(line: LineTraced, settlement: SettlementTraced) -> list[BurnStep]:
    paying = [leg for leg in settlement.legs if _pays(leg, line)]
    names = {leg.reference: leg.rail_reference or leg.reference for leg in paying}
    return [
        BurnStep(
            stage="rejected" if leg.status in FAILED else "payout",
            reference=names[leg.reference],
            status=leg.status,
            booked_on=leg.booked_on,
            points=abs(line.own_points),
            replaces=names.get(leg.replaces) if leg.replaces else None,
        )
        for leg in paying
    ]


def _pays(leg: LegTraced, line: LineTraced) -> bool:
    """Whether a leg pays whom the line is owed to: by the clearing house, or bilaterally.

    Whoever is paid in several currencies has a leg of each.
    """
    if leg.currency != line.currency:
        return False
    if leg.counterparty is not None:
        return (leg.member, leg.counterparty) == (line.payer, line.payee)
    return leg.member == line.payee and leg.direction == Direction.PAY.value
