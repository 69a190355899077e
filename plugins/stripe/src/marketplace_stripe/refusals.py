"""What an error of Stripe's proves: that nothing was taken, or nothing at all."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import stripe

from marketplace.api import Leg, LegOutcome, Rejected, Retry, Unknown

SOON_S: Final = 30
LATER_S: Final = 3_600
NO_BALANCE: Final = frozenset({"balance_insufficient", "insufficient_funds"})
IN_USE: Final = frozenset({"idempotency_key_in_use", "lock_timeout"})


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
    if isinstance(error, stripe.CardError):
        made = object_in(error)
        if made:
            unknown = Unknown(reference=reference, reason=words, after_s=SOON_S)
            return Verdict(unknown, key_spent=False, object_id=made)
        return Verdict(Rejected(reference=reference, reason=words), key_spent=True)
    if isinstance(error, stripe.RateLimitError):
        return Verdict(Retry(reference=reference, reason=words, after_s=SOON_S), False)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return Verdict(Retry(reference=reference, reason=words, after_s=LATER_S), False)
    if isinstance(error, stripe.InvalidRequestError) and error.code not in IN_USE:
        return _invalid(reference, error, words)
    # A time-out, a fault at Stripe, a key in use: it may have been taken.
    return Verdict(Unknown(reference=reference, reason=words, after_s=SOON_S), False)


def _invalid(reference: str, error: stripe.InvalidRequestError, words: str) -> Verdict:
    if error.http_status == 409:
        return Verdict(Unknown(reference=reference, reason=words, after_s=SOON_S), False)
    made = object_in(error)
    if made:
        return Verdict(Unknown(reference=reference, reason=words, after_s=SOON_S), False, made)
    if error.code in NO_BALANCE:
        return Verdict(Retry(reference=reference, reason=words, after_s=LATER_S), True)
    return Verdict(Rejected(reference=reference, reason=words), True)


def object_in(error: stripe.StripeError) -> str | None:
    """The payment intent that an error tells of."""
    body: Any = error.json_body
    inner = body.get("error") if isinstance(body, dict) else None
    intent = inner.get("payment_intent") if isinstance(inner, dict) else None
    found = intent.get("id") if isinstance(intent, dict) else None
    return found if isinstance(found, str) else None


def reason(error: stripe.StripeError) -> str:
    """An error in words for finance, with Stripe's code and the id of the request."""
    message = error.user_message or type(error).__name__
    notes = [each for each in (error.code, error.request_id) if each]
    return f"{message[:300]} ({', '.join(notes)})" if notes else message[:300]
