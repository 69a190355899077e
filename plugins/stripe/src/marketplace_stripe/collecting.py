"""Debtors: payment intents, confirmed without the customer being there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import msgspec
import stripe

from marketplace.api import Booked, Leg, LegOutcome, Rejected, Returned, Submitted, Unknown
from marketplace_stripe import asking, records
from marketplace_stripe.accounts import Account, Charge
from marketplace_stripe.asking import Unclear
from marketplace_stripe.records import Payment

EXPAND: Final = ["latest_charge.balance_transaction"]
ASK_AGAIN_S: Final = 3_600
EARLIER: Final = timedelta(days=30)
"""How much earlier than ours Stripe's clock may say that a payment intent was made: a clock of ours
that was ahead hides none, and a member has few of them in a month."""
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
        "metadata": sent.metadata,
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

    By listing, which shows what was made a moment ago; Stripe's search does not. Unclear where
    there are two that may take money.
    """
    since = int((sent.first_sent_at - EARLIER).timestamp())
    asked = {"customer": sent.party, "created": {"gte": since}}
    shown = asking.each(client.v1.payment_intents.list, asked)
    found = [one for one in shown if sent.is_named_by(one)]
    alive = [one for one in found if one.status != ENDED]
    if len(alive) > 1:
        raise Unclear(f"Stripe has it {len(alive)} times: {', '.join(one.id for one in alive)}")
    return retrieve(client, (alive or found)[0].id) if found else None


def ended(client: stripe.StripeClient, leg: Leg, intent: Any) -> Any:
    """A payment intent that failed, cancelled, so that nobody can still confirm it."""
    if intent.status not in ("requires_payment_method", "requires_confirmation") and not (
        intent.status == "requires_action" and not _waits_for_transfer(leg, intent)
    ):
        return intent
    try:
        return client.v1.payment_intents.cancel(intent.id, {"expand": EXPAND})
    except stripe.InvalidRequestError:
        # It has moved on meanwhile.
        return retrieve(client, intent.id)


def take_back(client: stripe.StripeClient, object_id: str) -> None:
    """Give a payment back, or call it off, because another part of its leg failed; nothing where a
    debit is still on its way. Raises StripeError.

    All that is left of it is asked back: doubled, it comes back once. So each try has a key of its
    own.
    """
    intent = retrieve(client, object_id)
    if intent.status == "processing":
        return
    if intent.status != "succeeded":
        client.v1.payment_intents.cancel(object_id)
        return
    metadata = records.dict_of(getattr(intent, "metadata", None))
    client.v1.refunds.create(
        {"payment_intent": object_id, "metadata": dict(metadata)},
        {"idempotency_key": f"refund-{object_id}-{uuid4()}"},
    )


class Standing(msgspec.Struct, frozen=True):
    """How a payment intent stands."""

    intent: Any
    failure: str
    """Why it failed, where it did."""
    moved_on: date | None = None
    """When its money came, where it did."""
    back_minor: int = 0
    """How much of it went back."""
    back: str = ""
    """Why."""

    @property
    def state(self) -> str:
        """In a word."""
        if self.intent.status != "succeeded" or not self.back_minor:
            return str(self.intent.status)
        return "taken back" if self.back_minor >= self.intent.amount else "partly taken back"


def standing(client: stripe.StripeClient, leg: Leg, intent: Any) -> Standing:
    """See what became of it; what failed is cancelled. Unclear where Stripe contradicts itself."""
    failure = why(intent)
    intent = ended(client, leg, intent)
    if intent.status != "succeeded":
        return Standing(intent, failure)
    charge = _charge(client, intent)
    back_minor, back = taken_back(client, intent, charge)
    return Standing(intent, failure, _moved_at(charge).date(), back_minor, back)


def outcome(leg: Leg, found: Standing, *, moved: bool) -> LegOutcome:
    """What a payment intent comes to; `moved`: it was said to be booked before."""
    reference, intent = leg.reference, found.intent
    if (intent.amount, intent.currency) != (leg.amount_minor, leg.currency.lower()):
        words = f"at Stripe it is {intent.amount} {intent.currency} in smallest units"
        return Unknown(reference=reference, reason=words, after_s=ASK_AGAIN_S)
    if intent.status == "succeeded":
        return _succeeded(leg, found)
    if moved and intent.status in (ENDED, "requires_payment_method"):
        # A debit can fail at the bank days after it succeeded.
        words = f"failed after it had succeeded: {found.failure}"
        return Returned(reference=reference, rail_reference=intent.id, reason=words)
    if intent.status == ENDED:
        return Rejected(reference=reference, reason=found.failure)
    if intent.status == "processing" or _waits_for_transfer(leg, intent):
        return Submitted(reference=reference, rail_reference=intent.id, after_s=ASK_AGAIN_S)
    words = f"Stripe says {intent.status}: {found.failure}"
    return Unknown(reference=reference, reason=words, after_s=ASK_AGAIN_S)


def _succeeded(leg: Leg, found: Standing) -> LegOutcome:
    reference, intent = leg.reference, found.intent
    received = getattr(intent, "amount_received", None)
    if received is not None and received != leg.amount_minor:
        words = f"Stripe received {received} of {leg.amount_minor} in smallest units"
        return Unknown(reference=reference, reason=words, after_s=ASK_AGAIN_S)
    if found.back_minor >= leg.amount_minor:
        return Returned(reference=reference, rail_reference=intent.id, reason=found.back)
    on = found.moved_on or datetime.now(UTC).date()
    return Booked(reference=reference, rail_reference=intent.id, booked_on=on)


def _charge(client: stripe.StripeClient, intent: Any) -> Any | None:
    """The charge of a payment that succeeded; None where Stripe shows none."""
    charge = getattr(intent, "latest_charge", None)
    if isinstance(charge, str):
        return client.v1.charges.retrieve(charge, {"expand": ["balance_transaction"]})
    if charge is not None:
        return charge
    asked = {"payment_intent": intent.id, "expand": ["data.balance_transaction"]}
    shown = asking.each(client.v1.charges.list, asked)
    return next((one for one in shown if one.status == "succeeded"), None)


def _moved_at(charge: Any) -> datetime:
    """When the money moved; now where Stripe does not say."""
    for one in (getattr(charge, "balance_transaction", None), charge):
        created = getattr(one, "created", None)
        if created is not None:
            return datetime.fromtimestamp(created, UTC)
    return datetime.now(UTC)


def taken_back(client: stripe.StripeClient, intent: Any, charge: Any | None) -> tuple[int, str]:
    """How much of the money of a payment that succeeded is not with us any more, and why."""
    back_minor, words = 0, []
    refunded = getattr(charge, "amount_refunded", None) or 0
    if getattr(charge, "refunded", False):
        refunded = max(refunded, intent.amount)
    if refunded:
        back_minor, words = refunded, ["refunded at Stripe"]
    disputed = getattr(charge, "disputed", None)
    if disputed is False:
        return back_minor, ", ".join(words)
    shown = list(asking.each(client.v1.disputes.list, {"payment_intent": intent.id}))
    if disputed and not shown:
        raise Unclear("Stripe says that it is disputed, and shows no dispute")
    for one in shown:
        if one.status not in NOT_WITHDRAWN:
            back_minor += getattr(one, "amount", None) or intent.amount
            words.append(f"disputed: {one.reason} ({one.status})")
    return back_minor, ", ".join(words)


def _waits_for_transfer(leg: Leg, intent: Any) -> bool:
    """The customer is to send money to the account that Stripe keeps for it; some may be there."""
    following = getattr(intent, "next_action", None)
    kind = getattr(following, "type", "") if following else ""
    by_transfer = leg.account.charge is Charge.BANK_TRANSFER
    return intent.status == "requires_action" and (
        kind == "display_bank_transfer_instructions" or by_transfer
    )


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
