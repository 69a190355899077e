"""Creditors: transfers from the platform's balance to connected accounts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import stripe

from marketplace.api import Booked, Leg, LegOutcome, Returned, Unknown
from marketplace_stripe.records import Payment

LONGEST_TEXT: Final = 140
ASK_AGAIN_S: Final = 3_600


def create(client: stripe.StripeClient, sent: Payment, leg: Leg) -> Any:
    """Make the transfer; raises StripeError."""
    return client.v1.transfers.create(
        {
            "amount": leg.amount_minor,
            "currency": leg.currency.lower(),
            "destination": sent.party,
            "description": leg.text[:LONGEST_TEXT],
            "metadata": {"reference": leg.reference},
            "transfer_group": leg.reference,
        },
        {"idempotency_key": sent.key},
    )


def retrieve(client: stripe.StripeClient, object_id: str) -> Any:
    """The transfer as it is now."""
    return client.v1.transfers.retrieve(object_id)


def search(client: stripe.StripeClient, sent: Payment) -> Any | None:
    """The transfer of a leg whose answer was lost; None: there is none."""
    page = client.v1.transfers.list({"transfer_group": sent.reference, "limit": 1})
    return page.data[0] if page.data else None


def reverse(client: stripe.StripeClient, object_id: str) -> Any:
    """Take a transfer back, whole, once however often it is asked for."""
    return client.v1.transfers.reversals.create(
        object_id, {}, {"idempotency_key": f"reverse-{object_id}"}
    )


def state(transfer: Any) -> str:
    """How a transfer stands, in a word."""
    if transfer.reversed:
        return "reversed"
    return "partly reversed" if transfer.amount_reversed else "transferred"


def outcome(leg: Leg, transfer: Any) -> LegOutcome:
    """What a transfer comes to. Of one that came back in part, finance is told by its state."""
    if (transfer.amount, transfer.currency) != (leg.amount_minor, leg.currency.lower()):
        words = f"at Stripe it is {transfer.amount} {transfer.currency} in smallest units"
        return Unknown(reference=leg.reference, reason=words, after_s=ASK_AGAIN_S)
    if transfer.reversed:
        return Returned(
            reference=leg.reference, rail_reference=transfer.id, reason="reversed at Stripe"
        )
    booked_on = datetime.fromtimestamp(transfer.created, UTC).date()
    return Booked(reference=leg.reference, rail_reference=transfer.id, booked_on=booked_on)
