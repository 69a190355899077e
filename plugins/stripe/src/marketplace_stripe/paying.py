"""Creditors: transfers from the platform's balance to connected accounts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import stripe

from marketplace.api import Booked, Leg, LegOutcome, Returned, Unknown
from marketplace_stripe import asking
from marketplace_stripe.asking import Unclear
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
            "metadata": sent.metadata,
            "transfer_group": leg.reference,
        },
        {"idempotency_key": sent.key},
    )


def retrieve(client: stripe.StripeClient, object_id: str) -> Any:
    """The transfer as it is now."""
    return client.v1.transfers.retrieve(object_id)


def search(client: stripe.StripeClient, sent: Payment) -> Any | None:
    """The transfer of a leg whose answer was lost; None: there is none. Unclear: there are two."""
    asked = {"transfer_group": sent.reference}
    shown = asking.each(client.v1.transfers.list, asked)
    found = [one for one in shown if sent.is_named_by(one)]
    if len(found) > 1:
        raise Unclear(f"Stripe has it {len(found)} times: {', '.join(one.id for one in found)}")
    return found[0] if found else None


def take_back(client: stripe.StripeClient, object_id: str) -> None:
    """Take a transfer back, because another part of its leg failed; raises StripeError."""
    reverse(client, object_id)


def reverse(client: stripe.StripeClient, object_id: str) -> None:
    """Take a transfer back, whole; nothing more where that is done.

    What is asked back is what is left of it: doubled, it comes back once. So each try has a key of
    its own: that the payee had too little yesterday is not answered again today.
    """
    there = retrieve(client, object_id)
    if is_reversed(there):
        return
    left = there.amount - (there.amount_reversed or 0)
    client.v1.transfers.reversals.create(
        object_id, {"amount": left}, {"idempotency_key": f"reverse-{object_id}-{uuid4()}"}
    )


def is_reversed(transfer: Any) -> bool:
    """Whether all of it came back."""
    back = getattr(transfer, "amount_reversed", None) or 0
    return bool(getattr(transfer, "reversed", False)) or back >= transfer.amount


def state(transfer: Any) -> str:
    """How a transfer stands, in a word."""
    if is_reversed(transfer):
        return "reversed"
    return "partly reversed" if getattr(transfer, "amount_reversed", 0) else "transferred"


def outcome(leg: Leg, transfer: Any) -> LegOutcome:
    """What a transfer comes to. Of one that came back in part, finance is told by its state."""
    if (transfer.amount, transfer.currency) != (leg.amount_minor, leg.currency.lower()):
        words = f"at Stripe it is {transfer.amount} {transfer.currency} in smallest units"
        return Unknown(reference=leg.reference, reason=words, after_s=ASK_AGAIN_S)
    if is_reversed(transfer):
        return Returned(
            reference=leg.reference, rail_reference=transfer.id, reason="reversed at Stripe"
        )
    created = getattr(transfer, "created", None)
    moment = datetime.now(UTC) if created is None else datetime.fromtimestamp(created, UTC)
    booked_on = moment.date()
    return Booked(reference=leg.reference, rail_reference=transfer.id, booked_on=booked_on)
