"""Points of a lot that is paid by its issuer and by the pool: every point by both, in parts.

Such a lot has two lines of the same points. Where points are counted, each line brings those that
its part of the cost is worth, rounded so that both come to the points, also of each refund. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from marketplace.coalition.domain import Funding
from marketplace.ledger.domain import ObligationKind
from settlement.disputes.domain import LineId
from settlement.statements.domain import Obligated


class Points(msgspec.Struct, frozen=True):
    """Points of one line; below zero in a refund."""

    own: int
    refunded: int = 0
    """Of a capture: all points of its lot that were refunded since."""
    own_refunded: int = 0


class _Part(msgspec.Struct, frozen=True):
    """The part of a lot that one line of it pays: of `whole` from `start` to `end`."""

    start: int = 0
    end: int = 1
    whole: int = 1

    def of(self, points: int) -> int:
        return points * self.end // self.whole - points * self.start // self.whole


def points_of(lines: Sequence[Obligated]) -> dict[LineId, Points]:
    """The points of every line of burns, given all lines of these burns."""
    lots: dict[object, list[Obligated]] = defaultdict(list)
    for each in lines:
        lots[each.wallet_id, each.burn_id, each.lot_id].append(each)
    found: dict[LineId, Points] = {}
    for lot in lots.values():
        found |= _of_lot(sorted(lot, key=lambda each: each.id))
    return found


def _of_lot(lines: Sequence[Obligated]) -> dict[LineId, Points]:
    parts = _parts([each for each in lines if each.kind is ObligationKind.CAPTURE])
    found: dict[LineId, Points] = {}
    back: dict[Funding, int] = defaultdict(int)
    for each in lines:
        if each.kind is ObligationKind.REFUND:
            part, before = parts.get(each.funding, _Part()), back[each.funding]
            back[each.funding] += abs(each.points)
            own = part.of(before) - part.of(back[each.funding])
            found[LineId(each.wallet_id, each.id)] = Points(own=own)
    for each in lines:
        if each.kind is ObligationKind.CAPTURE:
            part, refunded = parts[each.funding], back[each.funding]
            found[LineId(each.wallet_id, each.id)] = Points(
                own=part.of(each.points), refunded=refunded, own_refunded=part.of(refunded)
            )
    return found


def _parts(captured: Sequence[Obligated]) -> dict[Funding, _Part]:
    whole = sum(each.cost_micros for each in captured)
    if len(captured) < 2 or not whole:
        # One pays all; of a lot that costs nothing the first line counts.
        return {each.funding: _Part(end=int(not at)) for at, each in enumerate(captured)}
    parts, start = {}, 0
    for each in captured:
        parts[each.funding] = _Part(start, start + each.cost_micros, whole)
        start += each.cost_micros
    return parts
