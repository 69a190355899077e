"""What the console says of orders to the member that is paid; called while a language is spoken."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from marketplace.exchange.domain import FulfilmentState
from marketplace.exchange.orders import Given, Order, OrderState
from marketplace.exchange.words import Happened, Step
from marketplace.ledger.words import reason_in_words
from marketplace.web.formats import day_and_hour, number
from marketplace.web.i18n import Lazy, spoken
from marketplace.web.i18n import lazy as _l

TITLES: Final[dict[OrderState, tuple[Lazy, str]]] = {
    OrderState.WAITING: (_l("Waiting"), "care"),
    OrderState.STUCK: (_l("Needs a person"), "bad"),
    OrderState.DELIVERED: (_l("Delivered"), "good"),
    OrderState.REFUNDED: (_l("Refunded"), "told"),
    OrderState.RETURNED: (_l("Not delivered"), "bad"),
}
"""How an order stands, and the tone of that."""

WAITING: Final = {
    FulfilmentState.QUEUED: _l("It is sent to you in a moment."),
    FulfilmentState.ORDERING: _l("Your system is being asked right now."),
    FulfilmentState.RETRY: _l("Your system could not take it; it is asked again."),
    FulfilmentState.PENDING: _l(
        "Your system took it and has not delivered yet; it is asked again."
    ),
    FulfilmentState.UNKNOWN: _l(
        "Your system gave no clear answer. It is asked what became of the order; until it says, "
        "nothing is ordered again and no points move."
    ),
    FulfilmentState.DEAD: _l(
        "Your system was asked again and again and never said what became of the order. The "
        "operator can have it asked once more."
    ),
}


def history(order: Order, refunds: Sequence[Given], labels: Sequence[str]) -> list[Step]:
    """What happened to an order, what is happening, what is to come."""
    steps = [_ordered(order)]
    if order.state in (OrderState.WAITING, OrderState.STUCK):
        is_stuck = order.state is OrderState.STUCK
        steps.append(
            Step(
                title=_l("Nobody can say what became of it") if is_stuck else _l("Waiting for you"),
                state="failed" if is_stuck else "now",
                note=WAITING[order.fulfilment],
            )
        )
        steps.append(Step(title=_l("Delivered"), state="next"))
        return steps
    if order.state is OrderState.RETURNED:
        return [*steps, _returned(order)]
    happened: list[Happened] = [(each.at, _refunded(each)) for each in refunds]
    happened.sort(key=itemgetter(0))
    return [*steps, _delivered(order, labels), *(step for _, step in happened)]


def _ordered(order: Order) -> Step:
    title = spoken().ngettext(
        "Ordered for %(points)s point", "Ordered for %(points)s points", order.points
    ) % {"points": number(order.points)}
    return Step(title=title, state="done", note=day_and_hour(order.effective_at))


def _delivered(order: Order, labels: Sequence[str]) -> Step:
    when = day_and_hour(order.resolved_at or order.effective_at)
    note: Lazy | str = when
    if labels:
        names = ", ".join(dict.fromkeys(labels))
        note = _l("%(day)s: %(what)s", day=when, what=names)
    return Step(title=_l("Delivered"), state="done", note=note)


def _returned(order: Order) -> Step:
    note = _l(
        "%(day)s. The points went back. Reason: %(reason)s",
        day=day_and_hour(order.resolved_at or order.effective_at),
        reason=reason_in_words(order.reason),
    )
    return Step(title=_l("Not delivered"), state="failed", note=note)


def _refunded(given: Given) -> Step:
    title = spoken().ngettext(
        "%(points)s point refunded", "%(points)s points refunded", given.points
    ) % {"points": number(given.points)}
    note = _l(
        "%(day)s, by %(who)s: %(reason)s",
        day=day_and_hour(given.at),
        who=given.who or _l("an API key"),
        reason=given.reason,
    )
    return Step(title=title, state="done", note=note)
