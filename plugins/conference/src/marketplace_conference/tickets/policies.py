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


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What comes back until a moment, and not after it."""

    until: datetime
    percent: int


def in_force(rules: Sequence[Rule], sold_at: datetime) -> list[Rule]:
    """The policy that a ticket was sold under, earliest days first; empty where there was none."""
    known = [each.valid_from for each in rules if each.valid_from <= sold_at]
    found = [each for each in rules if known and each.valid_from == max(known)]
    return sorted(found, key=lambda each: -each.days_before)


def steps(policy: Sequence[Rule], *, starts_at: datetime) -> list[Step]:
    """The dates of a policy for one session; after the last of them nothing comes back."""
    return [
        Step(until=starts_at - timedelta(days=each.days_before), percent=each.percent)
        for each in policy
    ]


def percent(rules: Sequence[Rule], *, sold_at: datetime, starts_at: datetime, now: datetime) -> int:
    """Of the policy in force when the ticket was sold; nothing where there was none."""
    dated = steps(in_force(rules, sold_at), starts_at=starts_at)
    return next((each.percent for each in dated if now <= each.until), 0)


def share(points: int, position: int, of: int) -> int:
    """Points of one place of an order: those of all places make the order's, to the point."""
    return points * position // of - points * (position - 1) // of


def refundable(points: int, position: int, of: int, rate: int) -> int:
    """Points that come back for one place, rounded down."""
    return share(points, position, of) * rate // 100
