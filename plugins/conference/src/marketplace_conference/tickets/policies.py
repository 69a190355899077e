"""What comes back for a ticket that is given up: percent by days before. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """So many percent of the points, so many days before the session or earlier."""

    valid_from: datetime
    """Rules of one policy share this moment; the policy in force at the sale holds."""
    days_before: int
    percent: int


def percent(rules: Sequence[Rule], *, sold_at: datetime, starts_at: datetime, now: datetime) -> int:
    """Of the policy in force when the ticket was sold; nothing where there was none."""
    known = [each.valid_from for each in rules if each.valid_from <= sold_at]
    if not known:
        return 0
    days = (starts_at - now) // timedelta(days=1)
    met = [each for each in rules if each.valid_from == max(known) and each.days_before <= days]
    return max(met, key=lambda each: each.days_before).percent if met else 0


def share(points: int, position: int, of: int) -> int:
    """Points of one place of an order: those of all places make the order's, to the point."""
    return points * position // of - points * (position - 1) // of


def refundable(points: int, position: int, of: int, rate: int) -> int:
    """Points that come back for one place, rounded down."""
    return share(points, position, of) * rate // 100
