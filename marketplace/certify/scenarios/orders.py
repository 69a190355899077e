"""Scenarios about orders, with a world that is well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec

from marketplace import api
from marketplace.certify.scenario import Failed, scenario
from marketplace.certify.stage import Outcomes, Stage
from marketplace.testing.rehearsal import NotShown

LONGEST_ANSWER_BYTES = 65_536
TWICE = (
    "Keep every order by Order.reference before you deliver it (a unique column), and answer a "
    "known reference from what you kept."
)
STRANGE_SKUS = ("no-such-sku", "", "x" * 10_000, "'; drop table burn; --", "\u0130\U0001f381\u202e")


def same(first: Mapping[str, api.Outcome], again: Outcomes, what: str) -> None:
    """Failed unless both hold the same answers."""
    for reference, outcome in first.items():
        if again.get(reference) != outcome:
            raise Failed(
                f"{what}, and the answer was {_shown(again.get(reference))}; "
                f"at first it was {_shown(outcome)}.",
                advice=TWICE,
            )


def delivered_once(stage: Stage, orders: Sequence[api.Order]) -> None:
    """Failed where the outside world delivered one of these orders not exactly once."""
    for each in orders:
        count = stage.rehearsal.delivered(each.reference)
        if count not in (None, 1):
            raise Failed(
                f"The outside world delivered one order {count} times.",
                advice="Send Order.reference along as idempotency key, and look an order up "
                "before you send it again. " + TWICE,
            )


def _shown(outcome: api.Outcome | None) -> str:
    """An outcome without its secrets."""
    if isinstance(outcome, api.Fulfilled):
        return (
            f"Fulfilled({outcome.supplier_reference!r}, {len(outcome.artefacts)} artefacts, "
            f"fingerprint {hash(outcome.artefacts) & 0xFFFF:04x})"
        )
    return type(outcome).__name__ if outcome is not None else "missing"


@scenario("delivers", "Ordinary orders are fulfilled, one well-formed answer each")
def delivers(stage: Stage) -> None:
    """Five orders of one to three units, one batch; nothing asked is nothing answered."""
    goods = stage.goods(9)
    for method in ("fulfil", "lookup"):
        stage.ask(method, [])
    orders = [stage.order(goods.sku, quantity=quantity) for quantity in (1, 2, 1, 3, 2)]
    outcomes = stage.deliver(orders)
    for outcome in outcomes.values():
        size = len(msgspec.json.encode(outcome))
        if size > LONGEST_ANSWER_BYTES:
            raise Failed(
                f"The answer to one order has {size:,} bytes.",
                advice=f"Keep it below {LONGEST_ANSWER_BYTES:,}: give a link, not a document.",
            )


@scenario("duplicate-order", "The same order comes again: same answer, delivered once")
def duplicate_order(stage: Stage) -> None:
    """Three times, the last beside an order that is new."""
    goods = stage.goods(4)
    orders = [stage.order(goods.sku), stage.order(goods.sku, quantity=2)]
    first = stage.deliver(orders)
    again = [msgspec.structs.replace(each, attempt=2) for each in orders]
    same(first, stage.ask("fulfil", again), "The same orders came again")
    more = [*again, stage.order(goods.sku)]
    same(first, stage.ask("fulfil", more), "The same orders came again beside a new one")
    same(first, stage.ask("lookup", orders), "The orders were looked up")
    delivered_once(stage, orders)


@scenario("duplicate-parallel", "The same orders come four times at once: delivered once")
def duplicate_parallel(stage: Stage) -> None:
    """Four workers, each with the batch in another order."""
    goods = stage.goods(40)
    orders = [stage.order(goods.sku) for _ in range(10)]
    batches = [orders, orders[::-1], orders[5:] + orders[:5], orders[::2] + orders[1::2]]
    with ThreadPoolExecutor(len(batches)) as pool:
        answers = list(pool.map(lambda batch: stage.ask_in_trouble("fulfil", batch), batches))
    final = stage.deliver(orders)
    for each in answers:
        sure = {r: o for r, o in each.items() if isinstance(o, api.Fulfilled)}
        same(sure, final, "The same orders were sent four times at once")
        refused = [o for o in each.values() if isinstance(o, api.Rejected)]
        if refused:
            raise Failed(
                "Of the same order sent four times at once, one was Rejected and one Fulfilled.",
                advice="An order that is being handled is no refusal: wait for the other call, "
                "or answer Pending or Unknown.",
            )
    delivered_once(stage, orders)


@scenario("changed-order", "A known reference comes with another price: nothing new happens")
def changed_order(stage: Stage) -> None:
    """The exchange never does this; a bug or a forged message might."""
    goods = stage.goods(3)
    order = stage.order(goods.sku)
    first = stage.deliver([order])
    drifted = msgspec.structs.replace(order, cost_micros=order.cost_micros * 2, attempt=2)
    again = stage.ask_in_trouble("fulfil", [drifted])
    for outcome in again.values():
        if isinstance(outcome, api.Fulfilled) and outcome != first[order.reference]:
            raise Failed(
                "A reference that was delivered came again with twice the price, and something "
                "else was delivered.",
                advice=TWICE,
            )
    same(first, stage.ask("lookup", [order]), "Then the order was looked up")
    delivered_once(stage, [order])


@scenario("lookup", "A look-up proves what was never ordered, and orders nothing")
def lookup(stage: Stage) -> None:
    """Before and after, beside an order that never comes."""
    goods = stage.goods(2)
    order, never = stage.order(goods.sku), stage.order(goods.sku)
    for _ in range(2):
        found = stage.ask("lookup", [order])[order.reference]
        if not isinstance(found, api.NeverOrdered):
            raise Failed(
                f"An order that was never placed was looked up, and the answer was "
                f"{_shown(found)}.",
                advice="Answer NeverOrdered where you can prove it: without that proof the "
                "order waits for ever. And deliver nothing from lookup.",
            )
    first = stage.deliver([order])
    after = stage.ask("lookup", [order, never])
    same(first, after, "The order was looked up")
    if not isinstance(after[never.reference], api.NeverOrdered):
        raise Failed(
            "Looked up beside a delivered order, one that was never placed is "
            f"{_shown(after[never.reference])}.",
            advice="Answer each order by its own reference.",
        )


@scenario("partial-batch", "Good, unknown and strange orders in one batch: each gets its answer")
def partial_batch(stage: Stage) -> None:
    """Unknown and strange skus, a large quantity; the good orders are not harmed."""
    goods = stage.goods(2)
    good = [stage.order(goods.sku), stage.order(goods.sku)]
    strange = [stage.order(sku) for sku in STRANGE_SKUS]
    strange.append(stage.order(goods.sku, quantity=1_000_000))
    outcomes = stage.ask("fulfil", [good[0], *strange, good[1]])
    for each in good:
        if isinstance(outcomes[each.reference], api.Rejected | api.Retry):
            raise Failed(
                "A good order was refused because a bad one was in the same batch.",
                advice="Decide order by order; a batch holds orders of many participants.",
            )
    looked_up = stage.ask("lookup", strange)
    for each in strange:
        answers = (outcomes[each.reference], looked_up[each.reference])
        if any(isinstance(answer, api.Fulfilled) for answer in answers):
            what = f"{each.quantity:,} x {each.sku[:30]!r}"
            raise Failed(
                f"An order of {what} was fulfilled.",
                advice="Reject what you do not have, and quantities you cannot deliver.",
            )


@scenario("stock-out", "What is sold out is refused for good, with words")
def stock_out(stage: Stage) -> None:
    """The refusal stays, and harms no other order."""
    goods = stage.goods(2)
    if not goods.empty_sku:
        raise NotShown("nothing is known that it cannot deliver: name --empty-sku")
    bad, good = stage.order(goods.empty_sku), stage.order(goods.sku)
    outcomes = stage.ask("fulfil", [bad, good])
    refusal = outcomes[bad.reference]
    if not isinstance(refusal, api.Rejected):
        raise Failed(
            f"An order of something sold out is {_shown(refusal)}, not Rejected.",
            advice="Answer Rejected with words for the participant: the points go back at once.",
        )
    if not refusal.reason.strip():
        raise Failed("A refusal has no reason.", advice="The participant reads Rejected.reason.")
    if isinstance(outcomes[good.reference], api.Rejected):
        raise Failed(
            "A good order was refused because another in the batch was sold out.",
            advice="Decide order by order.",
        )
    again = stage.ask("fulfil", [bad])[bad.reference]
    if isinstance(again, api.Fulfilled):
        raise Failed(
            "An order that was Rejected was fulfilled when it came again.",
            advice="A refusal is for good: its points have gone back. " + TWICE,
        )
    found = stage.ask("lookup", [bad])[bad.reference]
    if not isinstance(found, api.Rejected | api.NeverOrdered):
        raise Failed(
            f"An order that was Rejected is {_shown(found)} when it is looked up.",
            advice="Answer Rejected again, or NeverOrdered.",
        )


@scenario("cancel-after-fulfil", "An order is cancelled or refunded after it was delivered")
def cancel_after_fulfil(stage: Stage) -> None:
    """Observers are told, twice; the order stays what it was, and is not delivered again."""
    order = stage.order(stage.goods(2).sku)
    first = stage.deliver([order])
    fact, refund = _facts(stage, order)
    for hook, told in (
        ("marketplace_after_burn_fulfilled", fact),
        ("marketplace_after_burn_voided", msgspec.structs.replace(fact, reason="cancelled")),
        ("marketplace_after_burn_refunded", refund),
        ("marketplace_after_burn_refunded", refund),
    ):
        for _, observe in stage.plugins.observers(hook):
            _tell(stage, hook, observe, told)
    same(first, stage.ask("lookup", [order]), "Then the refunded order was looked up")
    same(first, stage.ask("fulfil", [order]), "Then the refunded order came once more")
    delivered_once(stage, [order])


def _tell(stage: Stage, hook: str, observe: Callable[[Any], None], fact: object) -> None:
    try:
        stage.guarded(hook, lambda: observe(fact))
    except Failed:
        raise
    except Exception as error:
        raise Failed(
            f"{hook} raised {type(error).__name__}: {error}",
            advice="Observers may be told twice, and of burns they do not know; take it calmly.",
        ) from error


def _facts(stage: Stage, order: api.Order) -> tuple[api.BurnFact, api.RefundFact]:
    now = datetime.now(UTC)
    fact = api.BurnFact(
        burn_id=UUID(order.reference),
        wallet_id=uuid4(),
        offer_id=uuid4(),
        acceptor_id=uuid4(),
        plugin=stage.slug,
        quantity=order.quantity,
        points=order.points,
        cost_micros=order.cost_micros,
        currency=order.currency,
        reason="",
        effective_at=now,
    )
    refund = api.RefundFact(
        refund_id=uuid4(),
        burn_id=fact.burn_id,
        wallet_id=fact.wallet_id,
        points=order.points,
        reason="returned",
        effective_at=now,
    )
    return fact, refund
