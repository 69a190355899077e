"""Payment intents, charges, refunds and disputes of the double."""

from __future__ import annotations

from typing import Any, Final

from marketplace_stripe.double.world import DISPUTE_FEE, FEES, Refused, World, invalid

DECLINED: Final = "Your card was declined."
LARGEST: Final = 99_999_999
WAYS: Final = frozenset({"card", "sepa_debit", "customer_balance"})


def create(world: World, asked: dict[str, Any]) -> dict[str, Any]:
    """A payment intent, confirmed at once where that is asked for."""
    customer = world.get("customer", asked.get("customer", ""))
    way = _way(world, asked, customer)
    made = world.new(
        "pi",
        "payment_intent",
        amount=int(asked["amount"]),
        amount_received=0,
        currency=asked["currency"],
        customer=customer["id"],
        description=asked.get("description"),
        metadata=asked.get("metadata", {}),
        transfer_group=asked.get("transfer_group"),
        payment_method=asked.get("payment_method"),
        payment_method_types=[way],
        status="requires_confirmation",
        latest_charge=None,
        last_payment_error=None,
        cancellation_reason=None,
        next_action=None,
    )
    world.tell("payment_intent.created", made)
    if asked.get("confirm") == "true":
        _confirm(world, made, way, off_session=asked.get("off_session") == "true")
    return made


def _way(world: World, asked: dict[str, Any], customer: dict[str, Any]) -> str:
    if int(asked["amount"]) < 1:
        raise invalid("parameter_invalid_integer", "This value must be greater than or equal to 1.")
    if int(asked["amount"]) > LARGEST:
        raise invalid("amount_too_large", "Amount must be no more than 999,999.99.")
    allowed: list[str] = asked.get("allowed_payment_method_types", ["card"])
    data = asked.get("payment_method_data")
    if data:
        way = str(data["type"])
    else:
        method = world.get("payment_method", asked.get("payment_method", ""))
        if method["customer"] != customer["id"]:
            raise invalid("payment_method_unexpected_state", "It belongs to another customer.")
        way = str(method["type"])
    if way not in allowed or way not in WAYS:
        raise invalid("payment_intent_incompatible_payment_method", f"{way} is not allowed here.")
    return way


def _confirm(world: World, intent: dict[str, Any], way: str, *, off_session: bool) -> None:
    mood = world.moods.get(intent["payment_method"] or intent["customer"], "")
    if way == "customer_balance":
        intent["status"] = "requires_action"
        intent["next_action"] = {
            "type": "display_bank_transfer_instructions",
            "display_bank_transfer_instructions": {
                "amount_remaining": intent["amount"],
                "currency": intent["currency"],
            },
        }
        world.tell("payment_intent.requires_action", intent)
    elif mood == "decline":
        raise fail(world, intent, "card_declined", DECLINED, decline_code="do_not_honor")
    elif mood == "authenticate" and off_session:
        words = "Your card was declined. This transaction requires authentication."
        raise fail(world, intent, "authentication_required", words)
    elif mood == "process" or way == "sepa_debit":
        intent["status"] = "processing"
        world.tell("payment_intent.processing", intent)
    else:
        succeed(world, intent)


def fail(world: World, intent: dict[str, Any], code: str, message: str, **extra: Any) -> Refused:
    """A payment that failed: the intent waits for another payment method."""
    error = {"type": "card_error", "code": code, "message": message, **extra}
    intent["status"] = "requires_payment_method"
    intent["last_payment_error"] = error
    world.tell("payment_intent.payment_failed", intent)
    return Refused(402, "card_error", code, message, **extra, payment_intent=dict(intent))


def succeed(world: World, intent: dict[str, Any]) -> dict[str, Any]:
    """The money is there; returns the charge."""
    way = intent["payment_method_types"][0]
    basis, fixed = FEES[way]
    charge = world.new(
        "ch",
        "charge",
        amount=intent["amount"],
        amount_refunded=0,
        currency=intent["currency"],
        customer=intent["customer"],
        payment_intent=intent["id"],
        metadata=dict(intent["metadata"]),
        description=intent["description"],
        captured=True,
        disputed=False,
        refunded=False,
        status="succeeded",
    )
    fee = intent["amount"] * basis // 10_000 + fixed
    line = world.book("charge", "charge", intent["amount"], fee, intent["currency"], charge)
    charge["balance_transaction"] = line["id"]
    intent.update(
        status="succeeded",
        amount_received=intent["amount"],
        latest_charge=charge["id"],
        next_action=None,
    )
    world.tell("charge.succeeded", charge)
    world.tell("payment_intent.succeeded", intent)
    return charge


def fund(world: World, intent: dict[str, Any], amount: int) -> None:
    """The customer has sent money by bank transfer: all of it, or some."""
    told = intent["next_action"]["display_bank_transfer_instructions"]
    told["amount_remaining"] -= amount
    if told["amount_remaining"] > 0:
        world.tell("payment_intent.partially_funded", intent)
    else:
        succeed(world, intent)


def cancel(world: World, intent: dict[str, Any]) -> dict[str, Any]:
    """Nobody can confirm it any more; Refused where money is moving."""
    if intent["status"] in ("succeeded", "canceled", "processing"):
        words = f"You cannot cancel this PaymentIntent because it is {intent['status']}."
        raise invalid("payment_intent_unexpected_state", words, payment_intent=dict(intent))
    intent.update(status="canceled", canceled_at=world.now())
    world.tell("payment_intent.canceled", intent)
    return intent


def bounce(world: World, intent: dict[str, Any], code: str, message: str) -> None:
    """A debit that was on its way fails at the bank."""
    fail(world, intent, code, message)


def fail_late(world: World, intent: dict[str, Any], code: str, message: str) -> None:
    """A debit that had succeeded is sent back by the bank."""
    charge = world.get("charge", intent["latest_charge"])
    charge["status"] = "failed"
    amount, currency = -charge["amount"], charge["currency"]
    world.book("payment_failure_refund", "charge_failure", amount, 0, currency, charge)
    fail(world, intent, code, message)


def dispute(
    world: World, intent: dict[str, Any], *, reason: str, inquiry: bool, amount: int = 0
) -> dict[str, Any]:
    """The customer's bank asks, or takes money back at once: `amount`, or all of it."""
    charge = world.get("charge", intent["latest_charge"])
    charge["disputed"] = True
    made = world.new(
        "dp",
        "dispute",
        amount=amount or charge["amount"],
        currency=charge["currency"],
        charge=charge["id"],
        payment_intent=intent["id"],
        reason=reason,
        status="warning_needs_response" if inquiry else "needs_response",
        metadata={},
    )
    if not inquiry:
        world.book("adjustment", "dispute", -made["amount"], DISPUTE_FEE, made["currency"], made)
    world.tell("charge.dispute.created", made)
    return made


def close_dispute(world: World, made: dict[str, Any], *, won: bool) -> None:
    """It ends; what was taken comes back where it was won."""
    made["status"] = "won" if won else "lost"
    if won:
        amount, currency = made["amount"], made["currency"]
        world.book("adjustment", "dispute_reversal", amount, -DISPUTE_FEE, currency, made)
    world.tell("charge.dispute.closed", made)


def give_back(world: World, asked: dict[str, Any]) -> dict[str, Any]:
    """A refund of all that is left; Refused where nothing is."""
    intent = world.get("payment_intent", asked["payment_intent"])
    if intent["status"] != "succeeded":
        raise invalid("payment_intent_unexpected_state", "It has no charge that could go back.")
    if world.get("charge", intent["latest_charge"])["refunded"]:
        raise invalid("charge_already_refunded", "Charge has already been refunded.")
    return refund(world, intent, asked.get("metadata", {}))


def refund(
    world: World, intent: dict[str, Any], metadata: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Somebody gives the money back, here or in the dashboard."""
    charge = world.get("charge", intent["latest_charge"])
    charge.update(refunded=True, amount_refunded=charge["amount"])
    made = world.new(
        "re",
        "refund",
        amount=charge["amount"],
        currency=charge["currency"],
        charge=charge["id"],
        payment_intent=intent["id"],
        metadata=metadata or {},
        status="succeeded",
    )
    world.book("refund", "refund", -charge["amount"], 0, charge["currency"], made)
    world.tell("charge.refunded", charge)
    return made
