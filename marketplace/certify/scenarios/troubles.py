"""Scenarios with an outside world that is in trouble: what may be said without proof."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from marketplace import api
from marketplace.certify.scenario import Failed, scenario
from marketplace.certify.scenarios.orders import delivered_once, same
from marketplace.certify.stage import Outcomes, Stage
from marketplace.testing.rehearsal import LATE_S, NotShown, Trouble

GIVE_UP_S = 0.3
PATIENCE_S = 5.0
HEALTH_S = 1.0
UNSURE = (
    "Answer Unknown (or let the error pass): the points stay held and we ask lookup. Only say "
    "Rejected, Retry or NeverOrdered with proof that nothing was taken."
)


def _none_is(outcomes: Outcomes, *wrong: type, what: str, advice: str = UNSURE) -> None:
    """Failed where one of the outcomes is of a wrong kind."""
    for outcome in outcomes.values():
        if isinstance(outcome, wrong):
            raise Failed(f"{what} was answered {type(outcome).__name__}.", advice=advice)


def _settled(stage: Stage, orders: list[api.Order]) -> Outcomes:
    """What the exchange would do now: look up, order what was never ordered, until all is known."""
    until = time.monotonic() + PATIENCE_S
    while True:
        outcomes = stage.ask_in_trouble("lookup", orders)
        again = [o for o in orders if isinstance(outcomes[o.reference], api.NeverOrdered)]
        if again:
            outcomes |= stage.ask_in_trouble("fulfil", again)
        open_ones = [
            each for each in orders if not isinstance(outcomes[each.reference], api.Fulfilled)
        ]
        if not open_ones:
            return outcomes
        if time.monotonic() > until:
            found = type(outcomes[open_ones[0].reference]).__name__
            raise Failed(
                f"The trouble is over, and after {PATIENCE_S:g} s of look-ups an order is still "
                f"{found}.",
                advice="lookup must find out what became of an order: ask the outside by "
                "Order.reference, and answer Fulfilled or NeverOrdered.",
            )
        time.sleep(0.1)


@scenario("timeout-after-success", "It delivers, and the answer is lost")
def timeout_after_success(stage: Stage) -> None:
    """The order is not refused, is found again, and is delivered once."""
    goods = stage.goods(4)
    orders = [stage.order(goods.sku), stage.order(goods.sku)]
    with stage.outside(Trouble.LOST_ANSWER):
        outcomes = stage.ask_in_trouble("fulfil", orders)
    _none_is(outcomes, api.Rejected, api.Retry, what="An order that was taken (its answer lost)")
    sure = {r: o for r, o in outcomes.items() if isinstance(o, api.Fulfilled)}
    after = stage.ask("lookup", orders)
    _none_is(
        after,
        api.NeverOrdered,
        api.Rejected,
        what="After the answer was lost, a look-up of an order that was taken",
    )
    final = _settled(stage, orders)
    same(sure, final, "Then it was looked up")
    same(final, stage.ask("fulfil", orders), "Then the order came again")
    delivered_once(stage, orders)


@scenario("late-answer", "It answers after we have given up, while we ask again")
def late_answer(stage: Stage) -> None:
    """The first call still runs when the look-up and the second order come."""
    goods = stage.goods(4)
    orders = [stage.order(goods.sku), stage.order(goods.sku)]
    with ThreadPoolExecutor(1) as pool, stage.outside(Trouble.SLOW):
        first = pool.submit(stage.ask_in_trouble, "fulfil", orders)
        time.sleep(GIVE_UP_S)
        between = stage.ask_in_trouble("lookup", orders)
        _none_is(between, api.Rejected, what="A look-up while the order is still being handled")
        again = [o for o in orders if isinstance(between[o.reference], api.NeverOrdered)]
        second = stage.ask_in_trouble("fulfil", again) if again else {}
        late = first.result(stage.terms.call_limit_s + 4 * LATE_S)
    final = _settled(stage, orders)
    for answers in (late, second):
        _none_is(answers, api.Rejected, what="An order that was handled twice at once")
        sure = {r: o for r, o in answers.items() if isinstance(o, api.Fulfilled)}
        same(sure, final, "An order came again while the first call was late")
    delivered_once(stage, orders)


@scenario("outage", "Its outside cannot be reached: no proof is claimed, and health says so")
def outage(stage: Stage) -> None:
    """An outage is no refusal, and a look-up during it proves nothing."""
    goods = stage.goods(4)
    known, new = stage.order(goods.sku), stage.order(goods.sku)
    first = stage.deliver([known])
    with stage.outside(Trouble.DOWN):
        outcomes = stage.ask_in_trouble("fulfil", [new])
        looked = stage.ask_in_trouble("lookup", [known])
        _health(stage)
    _none_is(
        outcomes,
        api.Rejected,
        api.Fulfilled,
        what="An order during an outage",
        advice="Answer Unknown, or Retry where it certainly was not taken: participants should "
        "not lose a reward to an outage.",
    )
    _none_is(
        looked, api.NeverOrdered, api.Rejected, what="A delivered order, looked up in an outage,"
    )
    same(first, _settled(stage, [known, new]), "After the outage it was looked up")
    delivered_once(stage, [known, new])


def _health(stage: Stage) -> None:
    """A health check in trouble may raise; it may not hang."""
    assert stage.supplier is not None  # noqa: S101 - scenarios about suppliers only
    try:
        stage.guarded("health", stage.supplier.health, 2 * HEALTH_S)
    except Failed:
        raise
    except Exception:
        return  # counts as not well, which is true


@scenario("late-outcome", "It accepts an order and delivers later")
def late_outcome(stage: Stage) -> None:
    """Pending until then; no second order, no refusal."""
    goods = stage.goods(2)
    order = stage.order(goods.sku)
    with stage.outside(Trouble.PENDING):
        outcomes = stage.ask_in_trouble("fulfil", [order])
        outcomes |= stage.ask_in_trouble("lookup", [order])
    _none_is(
        outcomes,
        api.Rejected,
        api.Retry,
        api.NeverOrdered,
        api.Fulfilled,
        what="An order that was accepted and not delivered yet",
        advice="Answer Pending, from fulfil and from lookup, until it is delivered.",
    )
    _settled(stage, [order])
    delivered_once(stage, [order])


@scenario("price-drift", "Its outside asks more than the exchange pays")
def price_drift(stage: Stage) -> None:
    """Nothing is bought at another price than Order.cost_micros."""
    goods = stage.goods(2)
    order = stage.order(goods.sku)
    with stage.outside(Trouble.PRICE):
        outcomes = stage.ask_in_trouble("fulfil", [order])
    _none_is(
        outcomes,
        api.Fulfilled,
        what="An order for which the outside asks more than you are paid",
        advice="Compare the asked price with Order.cost_micros (micros of Order.currency) before "
        "you buy; answer Rejected, or Retry until the price is agreed.",
    )
    count = stage.rehearsal.delivered(order.reference)
    if count:
        raise Failed(
            "It was bought all the same, at the higher price.",
            advice="Compare prices before you buy, not after.",
        )


@scenario("malformed-reply", "Its outside answers what cannot be read")
def malformed_reply(stage: Stage) -> None:
    """It may have taken the order: that is unknown, no refusal and no delivery."""
    goods = stage.goods(2)
    order = stage.order(goods.sku)
    with stage.outside(Trouble.MALFORMED):
        outcomes = stage.ask_in_trouble("fulfil", [order])
    _none_is(
        outcomes,
        api.Fulfilled,
        api.Rejected,
        api.Retry,
        what="An order whose answer cannot be read",
    )
    _settled(stage, [order])
    delivered_once(stage, [order])


@scenario("partial-reply", "Its outside answers about one order of three")
def partial_reply(stage: Stage) -> None:
    """Every order still gets its own, true answer."""
    goods = stage.goods(6)
    orders = [stage.order(goods.sku) for _ in range(3)]
    with stage.outside(Trouble.PARTIAL):
        outcomes = stage.ask_in_trouble("fulfil", orders)
    missing = [o for o in orders if stage.rehearsal.delivered(o.reference) == 0]
    for each in missing:
        if isinstance(outcomes[each.reference], api.Fulfilled | api.Rejected):
            raise Failed(
                "An order about which the outside said nothing was answered "
                f"{type(outcomes[each.reference]).__name__}.",
                advice=UNSURE,
            )
    _settled(stage, orders)
    delivered_once(stage, orders)


@scenario("health", "It tells its health within a second")
def health(stage: Stage) -> None:
    """Well, and, where that can be played, with a slow world."""
    assert stage.supplier is not None  # noqa: S101 - scenarios about suppliers only
    supplier = stage.supplier
    advice = "Let health() ask one quick question with a time limit of its own, and no more."

    def check(when: str) -> None:
        started = time.monotonic()
        try:
            found = stage.guarded("health", supplier.health, 5 * HEALTH_S)
        except Failed:
            raise
        except Exception as error:
            raise Failed(
                f"health raised {type(error).__name__}{when}: {error}",
                advice="Answer Health(ok=False, message=...).",
            ) from error
        if not isinstance(found, api.Health):
            raise Failed(f"health answered {type(found).__name__}.", advice="Answer api.Health.")
        took_s = time.monotonic() - started
        if took_s > HEALTH_S:
            raise Failed(f"health took {took_s:.1f} s{when}.", advice=advice)

    _ = stage.rehearsal  # which gives it the settings it needs
    check("")
    try:
        slow = (
            None
            if Trouble.SLOW in stage.rehearsal.without
            else stage.rehearsal.trouble(Trouble.SLOW)
        )
    except NotShown:
        slow = None
    if slow is not None:
        with slow:
            check(" while its outside was slow")
