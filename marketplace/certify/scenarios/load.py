"""Scenarios about many orders: time, memory, threads."""

from __future__ import annotations

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil

from marketplace import api
from marketplace.certify.scenario import Failed, scenario
from marketplace.certify.scenarios.orders import TWICE, same
from marketplace.certify.stage import Outcomes, Stage

CHUNK = 200
THOUSAND = 1_000
MOST_GROWTH_MB = 256
MOST_THREADS = 8
BYTES_IN_MB = 1_048_576
ONE_GIVEN_ONCE = ("code", "ticket")


def _memory_mb() -> float:
    """The memory this process has now. Its peak would tell of the parent it was forked from."""
    return float(psutil.Process().memory_info().rss) / BYTES_IN_MB


def _unlike(outcomes: Outcomes) -> None:
    """Failed where two units got the same code or ticket."""
    secrets = [
        artefact.secret
        for outcome in outcomes.values()
        if isinstance(outcome, api.Fulfilled)
        for artefact in outcome.artefacts
        if artefact.kind in ONE_GIVEN_ONCE
    ]
    if len(set(secrets)) < len(secrets):
        raise Failed(
            f"{len(secrets) - len(set(secrets))} codes were given to more than one order.",
            advice="Take a code out of the pool in the transaction that gives it, under a lock "
            "(for update skip locked).",
        )


@scenario("thousand-orders", "A thousand orders, in time, with bounded memory and threads")
def thousand_orders(stage: Stage) -> None:
    """Five full chunks, then all of them looked up."""
    goods = stage.goods(THOUSAND)
    stage.deliver([stage.order(goods.sku)])  # what is made once is not counted
    gc.collect()
    before_mb, threads = _memory_mb(), threading.active_count()
    first: Outcomes = {}
    chunks = [[stage.order(goods.sku) for _ in range(CHUNK)] for _ in range(THOUSAND // CHUNK)]
    for chunk in chunks:
        first |= stage.deliver(chunk)
    _unlike(first)
    for chunk in chunks:
        sent = {each.reference: first[each.reference] for each in chunk}
        same(sent, stage.ask("lookup", chunk), "A thousand orders were looked up")
    grown_mb = _memory_mb() - before_mb
    if grown_mb > MOST_GROWTH_MB:
        raise Failed(
            f"A thousand orders took {grown_mb:.0f} MB of memory.",
            advice=f"A worker carries many plugins; {MOST_GROWTH_MB} MB is too much. Keep no "
            "orders in memory, and read only what the batch needs.",
        )
    more = threading.active_count() - threads
    if more > MOST_THREADS:
        raise Failed(
            f"After a thousand orders {more} more threads run.",
            advice="End every thread that a call starts, or use one pool.",
        )


@scenario("threads", "Four workers with different orders at once")
def threads(stage: Stage) -> None:
    """No answer is lost or mixed up, no code given twice, nobody waits for ever."""
    goods = stage.goods(80)
    batches = [[stage.order(goods.sku) for _ in range(20)] for _ in range(4)]
    started = time.monotonic()
    with ThreadPoolExecutor(len(batches)) as pool:
        answers = list(pool.map(lambda batch: stage.ask("fulfil", batch), batches))
    if time.monotonic() - started > stage.terms.call_limit_s:
        raise Failed("Four workers kept each other waiting.", advice="Lock in one order, briefly.")
    outcomes: Outcomes = {}
    for each in answers:
        outcomes |= each
    wrong = [o for o in outcomes.values() if not isinstance(o, api.Fulfilled | api.Pending)]
    if wrong:
        raise Failed(
            f"Of 80 orders sent by four workers at once, {len(wrong)} were not fulfilled, e.g. "
            f"{type(wrong[0]).__name__}.",
            advice="One object serves all threads of a worker: keep no order in self without a "
            "lock. " + TWICE,
        )
    _unlike(outcomes)
    everything = [order for batch in batches for order in batch]
    sure = {r: o for r, o in outcomes.items() if isinstance(o, api.Fulfilled)}
    same(sure, stage.ask("lookup", everything), "Then all were looked up")
