"""Asks a supplier, under a deadline and outside any transaction.

A plugin's supplier works in a process of its own, which is killed when it is over its limits; one
that lives in this process (the certificate's stage, tests) is called in a daemon thread. Either
way one that hangs, exits or raises leaves its orders unknown and the worker free. What became of
them is found out by look-up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Generic, Literal, TypeVar

import msgspec

from marketplace import api
from marketplace.containment.process import (
    STOP_GRACE_S,
    NotStarted,
    PluginRaised,
    ProcessEnded,
)
from marketplace.containment.proxies import ProcessSupplier
from marketplace.contract.judging import LONGEST_WORDS
from marketplace.fulfilment.domain import Claimed, judge, lease_s

T = TypeVar("T")

TICK_S = 0.2
AGAIN_S = 5
"""How soon orders are tried again that a plugin whose process did not start was not asked for."""


class TookTooLong(Exception):
    """A plugin did not answer in time."""


class _Call(Generic[T]):
    """One call in its own thread, and what came of it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.done = threading.Event()
        self.value: T | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.value = self._work()
        except BaseException as error:  # SystemExit too: it must not end the worker
            self.error = error
        finally:
            self.done.set()


def within(work: Callable[[], T], timeout_s: float, stopping: threading.Event) -> T:
    """What `work` returns; raises what it raises, or TookTooLong after `timeout_s`."""
    call = _Call(work)
    threading.Thread(target=call.run, name="plugin", daemon=True).start()
    deadline = time.monotonic() + timeout_s
    while not call.done.wait(min(TICK_S, max(deadline - time.monotonic(), 0.001))):
        if stopping.is_set():
            deadline = min(deadline, time.monotonic() + STOP_GRACE_S)
            call.done.wait(max(deadline - time.monotonic(), 0))
            break
        if time.monotonic() >= deadline:
            break
    if not call.done.is_set():
        raise TookTooLong(f"no answer within {timeout_s:g} s")
    if call.error is not None:
        raise call.error
    return call.value  # type: ignore[return-value]


class Asked(msgspec.Struct):
    """What asking came to."""

    outcomes: dict[str, api.Outcome]
    """One per order, by reference."""
    faults: list[str]
    """What the supplier did wrong; a chunk with faults counts against its breaker."""


def ask(
    supplier: api.Supplier,
    claims: Sequence[Claimed],
    *,
    timeout_s: float,
    stopping: threading.Event,
    claimed_at: float,
) -> Asked:
    """Order what is new and look up what the supplier may have; never orders without proof.

    An order that the look-up says was never placed is ordered in the same go. Nothing is ordered so
    long after `claimed_at` (of `time.monotonic`) that the lease may run out before the answer: a
    process that stood still may have lost its claims to another, which may have given points back.
    """
    asked = Asked({}, [])
    order_by = claimed_at + lease_s(timeout_s) - timeout_s

    def call(orders: Sequence[api.Order], *, lookup: bool) -> None:
        outcomes, faults = _call(supplier, orders, timeout_s, stopping, lookup=lookup)
        asked.outcomes.update(outcomes)
        asked.faults.extend(faults)

    new = [claim.order for claim in claims if not claim.may_be_known]
    known = [claim.order for claim in claims if claim.may_be_known]
    if known:
        call(known, lookup=True)
        new += [
            order
            for order in known
            if isinstance(asked.outcomes[order.reference], api.NeverOrdered)
        ]
    if new and (asked.faults or stopping.is_set() or time.monotonic() > order_by):
        # It is in trouble, we are leaving or late: proof that these were not taken is at hand, so
        # it is kept.
        for order in new:
            asked.outcomes[order.reference] = api.Retry(
                reference=order.reference, reason="not asked this time", after_s=1
            )
    elif new:
        call(new, lookup=False)
    return asked


def _call(
    supplier: api.Supplier,
    orders: Sequence[api.Order],
    timeout_s: float,
    stopping: threading.Event,
    *,
    lookup: bool,
) -> tuple[dict[str, api.Outcome], list[str]]:
    method: Literal["fulfil", "lookup"] = "lookup" if lookup else "fulfil"
    try:
        answers = _answers(supplier, method, orders, timeout_s, stopping)
    except NotStarted as error:
        return _not_asked(orders, f"{method}: {error}", lookup=lookup)
    except (ProcessEnded, PluginRaised) as error:
        return _all_unknown(orders, f"{method}: {error}")
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return _all_unknown(orders, f"{method}: {type(error).__name__}: {error}")
    return judge(orders, answers, lookup=lookup)


def _answers(
    supplier: api.Supplier,
    method: Literal["fulfil", "lookup"],
    orders: Sequence[api.Order],
    timeout_s: float,
    stopping: threading.Event,
) -> list[Any]:
    if isinstance(supplier, ProcessSupplier):
        return supplier.ask(method, orders, timeout_s, stopping)
    call, most = getattr(supplier, method), 2 * len(orders) + 1
    return within(lambda: list(islice(call(list(orders)), most)), timeout_s, stopping)


def _all_unknown(
    orders: Sequence[api.Order], fault: str
) -> tuple[dict[str, api.Outcome], list[str]]:
    """It may have taken any of them."""
    fault = fault[:LONGEST_WORDS]
    return {
        order.reference: api.Unknown(reference=order.reference, reason=fault) for order in orders
    }, [fault]


def _not_asked(
    orders: Sequence[api.Order], fault: str, *, lookup: bool
) -> tuple[dict[str, api.Outcome], list[str]]:
    """Its process never ran, so new orders are certainly not taken; others stay unknown."""
    if lookup:
        return _all_unknown(orders, fault)
    fault = fault[:LONGEST_WORDS]
    return {
        order.reference: api.Retry(reference=order.reference, reason=fault, after_s=AGAIN_S)
        for order in orders
    }, [fault]
