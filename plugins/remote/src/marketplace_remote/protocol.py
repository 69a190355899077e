"""What goes over the wire, and what an answer is worth: pure, no I/O.

Nothing that a partner sends can raise here: what cannot be read, or breaks a rule, is Unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal

import msgspec

from marketplace import api

Action = Literal["order", "lookup"]
PATHS: Final[dict[Action, str]] = {"order": "/orders", "lookup": "/orders/lookup"}
HEALTH_PATH: Final = "/health"
LONGEST_TEXT: Final = 200
LONGEST_SECRET: Final = 4_000
LONGEST_WAIT_S: Final = 86_400
MOST_REPORTED: Final = 1_000
"""References in one callback."""
Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
UNCLEAR: Final = "no well-formed answer"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `POST /orders` and `POST /orders/lookup`."""

    action: Action
    """As the path says: what is signed cannot be used for the other one."""
    orders: Sequence[api.Order]
    """Up to 200."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a Call: one outcome per order, in any order."""

    outcomes: list[api.Outcome]


class RawReply(msgspec.Struct, frozen=True):
    """A Reply whose outcomes are read one by one, so that a bad one spoils no other."""

    outcomes: list[msgspec.Raw]


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a callback: orders about which there is something new."""

    references: Annotated[list[Reference], msgspec.Meta(min_length=1, max_length=MOST_REPORTED)]


class Noted(msgspec.Struct, frozen=True):
    """The answer to a callback."""

    woken: int
    """Orders that are looked up at once; the others are resolved, or not yours."""


def encode(action: Action, orders: Sequence[api.Order]) -> bytes:
    """The body of a call."""
    return msgspec.json.encode(Call(action=action, orders=orders))


def unknown(orders: Iterable[api.Order], reason: str, after_s: int = 30) -> list[api.Outcome]:
    """Every order Unknown."""
    why = reason[:LONGEST_TEXT]
    return [api.Unknown(reference=each.reference, reason=why, after_s=after_s) for each in orders]


def retry(orders: Iterable[api.Order], reason: str, after_s: int = 30) -> list[api.Outcome]:
    """Every order to be tried again: certainly none was taken."""
    why = reason[:LONGEST_TEXT]
    return [api.Retry(reference=each.reference, reason=why, after_s=after_s) for each in orders]


def read(body: bytes, orders: Sequence[api.Order], action: Action) -> list[api.Outcome]:
    """The outcomes in an answer, one per order; Unknown where none can be believed."""
    try:
        raw = msgspec.json.decode(body, type=RawReply).outcomes
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return unknown(orders, "the answer is not the JSON that was agreed")
    found: dict[str, list[api.Outcome]] = {}
    for each in raw[: 2 * len(orders) + 1]:
        try:
            outcome = msgspec.json.decode(each, type=api.Outcome)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        found.setdefault(outcome.reference, []).append(outcome)
    answers: list[api.Outcome] = []
    for order in orders:
        given = found.get(order.reference, [])
        answers.append(_believed(given[0], order, action) if len(given) == 1 else _unclear(order))
    return answers


def _unclear(order: api.Order, reason: str = UNCLEAR) -> api.Outcome:
    return api.Unknown(reference=order.reference, reason=reason)


def _believed(outcome: api.Outcome, order: api.Order, action: Action) -> api.Outcome:
    """The outcome within its limits, or Unknown where it breaks a rule."""
    match outcome:
        case api.Fulfilled():
            fault = _fault_of_delivery(outcome, order)
            return outcome if fault is None else _unclear(order, fault)
        case api.Rejected():
            if not outcome.reason.strip():
                return _unclear(order, "refused without a reason")
            return msgspec.structs.replace(outcome, reason=outcome.reason[:LONGEST_TEXT])
        case api.NeverOrdered():
            return outcome if action == "lookup" else _unclear(order, "it was just ordered")
        case api.Retry():
            # Whoever was asked what became of an order says so, or that it never came.
            if action == "lookup":
                return _unclear(order, "a look-up is no order")
            return _patient(outcome)
        case _:
            return _patient(outcome)


def _patient(outcome: api.Pending | api.Retry | api.Unknown) -> api.Outcome:
    after_s = min(max(outcome.after_s, 1), LONGEST_WAIT_S)
    if isinstance(outcome, api.Pending):
        return msgspec.structs.replace(outcome, after_s=after_s)
    reason = outcome.reason[:LONGEST_TEXT]
    return msgspec.structs.replace(outcome, after_s=after_s, reason=reason)


def _fault_of_delivery(outcome: api.Fulfilled, order: api.Order) -> str | None:
    if not 0 < len(outcome.supplier_reference) <= LONGEST_TEXT:
        return "delivered without a reference of yours, or with a very long one"
    if len(outcome.artefacts) not in (0, order.quantity):
        return f"{len(outcome.artefacts)} artefacts for {order.quantity} units"
    for each in outcome.artefacts:
        if each.kind not in ("code", "ticket", "link", "receipt"):
            return "an artefact of no known kind"
        if not each.secret or len(each.secret) > LONGEST_SECRET or len(each.label) > LONGEST_TEXT:
            return "an artefact without a secret, or with a very long one"
        if any("\x00" in text for text in (each.secret, each.label)):
            return "an artefact that cannot be stored"
        if each.expires_at is not None and each.expires_at.tzinfo is None:
            return "an artefact's expires_at has no time zone"
    return None
