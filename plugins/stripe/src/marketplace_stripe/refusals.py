"""What an error of Stripe's proves: that nothing was taken, or nothing at all."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
import stripe

from marketplace.api import Direction, Leg, LegOutcome, Rejected, Retry, Unknown
from marketplace_stripe.asking import Late

SOON_S: Final = 30
LATER_S: Final = 3_600
NO_BALANCE: Final = frozenset({"balance_insufficient", "insufficient_funds"})
GONE: Final = frozenset({"account_invalid"})
"""Of a connected account that is no more, or took our access to it back."""
IN_USE: Final = frozenset({"idempotency_key_in_use", "lock_timeout"})
SECRET: Final = re.compile(r"\b((?:rk|sk)_(?:live|test)|whsec)_\w+")


class Verdict(msgspec.Struct, frozen=True):
    """What is known after an error."""

    outcome: LegOutcome
    key_spent: bool
    """Stripe keeps this answer under the key, and it made nothing: the next try has a new key."""
    object_id: str | None = None
    """It made this all the same, which failed."""


def judge(leg: Leg, error: stripe.StripeError) -> Verdict:
    """What an answer that is an error says about a leg.

    Stripe keeps what it answered to a key for a day, errors too, unless it refused the request
    before looking at it.
    """
    words = reason(error)
    reference = leg.reference
    unknown = Unknown(reference=reference, reason=words, after_s=SOON_S)
    if code_of(error) in IN_USE or isinstance(error, stripe.IdempotencyError):
        # The same key, or what it is about, is being worked on: perhaps by an earlier try.
        return Verdict(unknown, key_spent=False)
    if isinstance(error, Late | stripe.RateLimitError):
        return Verdict(Retry(reference=reference, reason=words, after_s=SOON_S), False)
    if isinstance(error, stripe.PermissionError) and code_of(error) in GONE:
        return Verdict(Rejected(reference=reference, reason=words), True)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return Verdict(Retry(reference=reference, reason=words, after_s=LATER_S), False)
    if isinstance(error, stripe.CardError | stripe.InvalidRequestError):
        made = object_in(error)
        if made:
            return Verdict(unknown, key_spent=False, object_id=made)
        if leg.direction is Direction.PAY and code_of(error) in NO_BALANCE:
            return Verdict(Retry(reference=reference, reason=words, after_s=LATER_S), True)
        return Verdict(Rejected(reference=reference, reason=words), True)
    # A time-out, a fault at Stripe, a body that is no answer: it may have been taken.
    return Verdict(unknown, key_spent=False)


def object_in(error: stripe.StripeError) -> str | None:
    """The payment intent that an error tells of."""
    intent = _inner(error).get("payment_intent")
    found = intent.get("id") if isinstance(intent, dict) else intent
    return found if isinstance(found, str) and found else None


def code_of(error: stripe.StripeError) -> str:
    """Stripe's code. The package keeps it for some kinds of error only."""
    found = error.code or _inner(error).get("code")
    return found if isinstance(found, str) else ""


def _inner(error: stripe.StripeError) -> dict[str, Any]:
    body: Any = error.json_body
    inner = body.get("error") if isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else {}


def reason(error: stripe.StripeError) -> str:
    """An error in words for finance, with Stripe's code and the id of the request; no secrets."""
    message = SECRET.sub(r"\1_...", str(error.user_message or type(error).__name__))
    notes = [each for each in (code_of(error), error.request_id) if each]
    return f"{message[:300]} ({', '.join(notes)})" if notes else message[:300]
