"""Debtors: payment intents, confirmed without the customer being there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import stripe

from marketplace.api import Booked, Leg, LegOutcome, Rejected, Returned, Submitted, Unknown
from marketplace_stripe.accounts import Account, Charge
from marketplace_stripe.records import Payment

EXPAND: Final = ["latest_charge.balance_transaction"]
ASK_AGAIN_S: Final = 3_600
EARLIER: Final = timedelta(hours=1)
"""How much earlier than ours Stripe's clock may say that a payment intent was made."""
LONGEST_TEXT: Final = 140
TRANSFERS: Final = {
    "EUR": "eu_bank_transfer",
    "GBP": "gb_bank_transfer",
    "JPY": "jp_bank_transfer",
    "MXN": "mx_bank_transfer",
    "USD": "us_bank_transfer",
}
"""Kinds of bank account that Stripe keeps for a customer, by currency."""
NOT_WITHDRAWN: Final = frozenset(
    {"warning_needs_response", "warning_under_review", "warning_closed", "won", "prevented"}
)
"""States of a dispute in which the money is with us."""
ENDED: Final = "canceled"


def refusal(leg: Leg) -> str:
    """Why a leg cannot be collected; empty where it can."""
    account: Account = leg.account
    if account.charge is Charge.SEPA_DEBIT and leg.currency != "EUR":
        return "SEPA debits are in EUR"
    if account.charge is Charge.BANK_TRANSFER:
        if leg.currency not in TRANSFERS:
            return f"there are no bank transfers in {leg.currency}"
        if leg.currency == "EUR" and not account.bank_country:
            return "a bank transfer in EUR needs the country of the bank account"
    return ""


def create(client: stripe.StripeClient, sent: Payment, leg: Leg) -> Any:
    """Make and confirm the payment intent; raises StripeError."""
    params: dict[str, Any] = {
        "amount": leg.amount_minor,
        "currency": leg.currency.lower(),
        "customer": sent.party,
        "confirm": True,
        "description": leg.text[:LONGEST_TEXT],
        "metadata": {"reference": leg.reference},
        "transfer_group": leg.reference,
        "expand": EXPAND,
        **_how(leg),
    }
    options: Any = {"idempotency_key": sent.key}
    return client.v1.payment_intents.create(params, options)  # type: ignore[arg-type]


def _how(leg: Leg) -> dict[str, Any]:
    account: Account = leg.account
    if account.charge is not Charge.BANK_TRANSFER:
        return {
            "payment_method": account.payment_method,
            "allowed_payment_method_types": [account.charge.value],
            "off_session": True,
        }
    kind = TRANSFERS[leg.currency]
    bank_transfer: dict[str, Any] = {"type": kind}
    if leg.currency == "EUR":
        bank_transfer[kind] = {"country": account.bank_country}
    return {
        "payment_method_data": {"type": "customer_balance"},
        "allowed_payment_method_types": ["customer_balance"],
        "payment_method_options": {
            "customer_balance": {"funding_type": "bank_transfer", "bank_transfer": bank_transfer}
        },
    }


def retrieve(client: stripe.StripeClient, object_id: str) -> Any:
    """The payment intent as it is now."""
    return client.v1.payment_intents.retrieve(object_id, {"expand": EXPAND})


def search(client: stripe.StripeClient, sent: Payment) -> Any | None:
    """The payment intent of a leg whose answer was lost; None: there is none.

    By listing, which shows what was made a moment ago; Stripe's search does not.
    """
    since = int((sent.first_sent_at - EARLIER).timestamp())
    page = client.v1.payment_intents.list(
        {"customer": sent.party, "created": {"gte": since}, "limit": 100}
    )
    for each in page.auto_paging_iter():
        if dict_of(each.metadata).get("reference") == sent.reference:
            return retrieve(client, each.id)
    return None


def ended(client: stripe.StripeClient, intent: Any) -> Any:
    """A payment intent that failed, cancelled, so that nobody can still confirm it."""
    if intent.status not in ("requires_payment_method", "requires_confirmation") and not (
        intent.status == "requires_action" and not _waits_for_transfer(intent)
    ):
        return intent
    try:
        return client.v1.payment_intents.cancel(intent.id, {"expand": EXPAND})
    except stripe.InvalidRequestError:
        # It has moved on meanwhile.
        return retrieve(client, intent.id)


def outcome(leg: Leg, intent: Any, *, failure: str, back: str) -> LegOutcome:
    """What a payment intent comes to.

    `failure`: why it failed where it did; `back`: why its money went back, see `taken_back`.
    """
    reference = leg.reference
    if (intent.amount, intent.currency) != (leg.amount_minor, leg.currency.lower()):
        words = f"at Stripe it is {intent.amount} {intent.currency} in smallest units"
        return Unknown(reference=reference, reason=words, after_s=ASK_AGAIN_S)
    if intent.status == "succeeded":
        if back:
            return Returned(reference=reference, rail_reference=intent.id, reason=back)
        return Booked(
            reference=reference, rail_reference=intent.id, booked_on=_moved_at(intent).date()
        )
    if intent.status == ENDED:
        return Rejected(reference=reference, reason=failure)
    if intent.status == "processing" or _waits_for_transfer(intent):
        return Submitted(reference=reference, rail_reference=intent.id, after_s=ASK_AGAIN_S)
    words = f"Stripe says {intent.status}: {failure}"
    return Unknown(reference=reference, reason=words, after_s=ASK_AGAIN_S)


def _moved_at(intent: Any) -> datetime:
    charge = intent.latest_charge
    entry = getattr(charge, "balance_transaction", None)
    return datetime.fromtimestamp(entry.created if entry else charge.created, UTC)


def taken_back(client: stripe.StripeClient, intent: Any) -> str:
    """Why the money of a payment that succeeded is not with us any more; empty where it is."""
    charge = intent.latest_charge if intent.status == "succeeded" else None
    if charge is None:
        return ""
    if charge.refunded:
        return "refunded at Stripe"
    if not charge.disputed:
        return ""
    for each in client.v1.disputes.list({"payment_intent": intent.id, "limit": 100}).data:
        if each.status not in NOT_WITHDRAWN:
            return f"disputed: {each.reason} ({each.status})"
    return ""


def _waits_for_transfer(intent: Any) -> bool:
    """The customer is to send money to the account that Stripe keeps for it; some may be there."""
    following = getattr(intent, "next_action", None)
    kind = getattr(following, "type", "") if following else ""
    return intent.status == "requires_action" and kind == "display_bank_transfer_instructions"


def why(intent: Any) -> str:
    """Why a payment intent failed, in Stripe's words with its codes."""
    error = getattr(intent, "last_payment_error", None)
    if not error:
        reason = getattr(intent, "cancellation_reason", None)
        return f"cancelled at Stripe ({reason})" if reason else "cancelled at Stripe"
    codes = [getattr(error, name, None) for name in ("code", "decline_code")]
    told = ", ".join(code for code in codes if code)
    message = getattr(error, "message", None) or "the payment failed"
    return f"{message} ({told})" if told else message


def dict_of(found: Any) -> Mapping[str, str]:
    """A mapping of Stripe's as one of ours."""
    if not found:
        return {}
    return found if isinstance(found, Mapping) else found.to_dict()
