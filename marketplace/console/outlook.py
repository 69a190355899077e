"""What of a member wants looking at, and which one thing to do next. Pure; speaks while spoken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from marketplace.console.queries import Stock, Waiting
from marketplace.web.formats import number, relative
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l

FEW_UNITS: Final = 5
FEW_DAYS: Final = 14
"""Stock is low where so many units are left, or so many days of what goes of late."""
ORDERS: Final = "/partner/orders"
ISSUE: Final = "/partner/issue"


class Next(msgspec.Struct, frozen=True, kw_only=True):
    """The one thing to do next."""

    title: Lazy
    text: Lazy
    label: Lazy
    path: str
    tone: str = ""
    """care, calm or none."""
    query: dict[str, str] = {}


def is_low(stock: Stock) -> bool:
    """Whether an offer is about to run out, or has."""
    soon = stock.days_left is not None and stock.days_left <= FEW_DAYS
    return stock.remaining <= FEW_UNITS or soon


def what_next(waiting: Waiting, low: Sequence[Stock], *, issues: bool, accepts: bool) -> Next:
    """The most pressing thing first; where all is well, what one comes here for."""
    if waiting.dead:
        return Next(
            title=_l("An order waits for a person"),
            text=_l("Asked again and again, nobody could say whether it was delivered."),
            label=_l("Look at these orders"),
            path=ORDERS,
            query={"state": "stuck"},
            tone="care",
        )
    if waiting.unknown and waiting.oldest_at is not None:
        return Next(
            title=_l("Some orders are not confirmed"),
            text=_l(
                "The oldest order that is open was made %(when)s. Points stay held until it is "
                "known what became of it.",
                when=relative(waiting.oldest_at),
            ),
            label=_l("Look at these orders"),
            path=ORDERS,
            query={"state": "waiting"},
            tone="care",
        )
    gone = [each for each in low if not each.remaining]
    if gone:
        return Next(
            title=_l("%(name)s is sold out", name=gone[0].name),
            text=_l("People see it, and cannot have it. Fill it up, or pause it."),
            label=_l("See what was ordered"),
            path=ORDERS,
            query={"offer": str(gone[0].offer_id)},
            tone="care",
        )
    if low:
        return Next(
            title=_l("%(name)s runs low", name=low[0].name),
            text=_l("Left: %(left)s.", left=number(low[0].remaining)),
            label=_l("See what was ordered"),
            path=ORDERS,
            query={"offer": str(low[0].offer_id)},
            tone="care",
        )
    if issues:
        return Next(
            title=_l("All is well"),
            text=_l("Nothing waits for you. Thank somebody for an order?"),
            label=_l("Issue points"),
            path=ISSUE,
            tone="calm",
        )
    return Next(
        title=_l("All is well"),
        text=_l("Nothing waits for you.")
        if accepts
        else _l("No contract is in force, so nothing can happen yet."),
        label=_l("Look at the orders"),
        path=ORDERS,
        tone="calm" if accepts else "care",
    )
