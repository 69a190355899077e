"""Connected accounts, transfers, reversals and payouts of the double."""

from __future__ import annotations

from typing import Any, Final

from marketplace_stripe.double.world import World, invalid

DAY_S: Final = 86_400


def connect(world: World, asked: dict[str, Any]) -> dict[str, Any]:
    """A connected account that Stripe knows nothing about yet."""
    made = world.new(
        "acct",
        "account",
        country=asked.get("country"),
        email=asked.get("email"),
        metadata=asked.get("metadata", {}),
        capabilities={"transfers": "pending"},
        charges_enabled=False,
        payouts_enabled=False,
        requirements={"currently_due": ["company.tax_id"], "disabled_reason": None},
    )
    world.tell("account.updated", made)
    if world.complete:
        enable(world, made)
    return made


def enable(world: World, account: dict[str, Any]) -> None:
    """The member has told Stripe everything."""
    world.restricted.discard(account["id"])
    account["capabilities"] = {"transfers": "active"}
    account.update(charges_enabled=True, payouts_enabled=True)
    account["requirements"] = {"currently_due": [], "disabled_reason": None}
    world.tell("account.updated", account)


def restrict(world: World, account: dict[str, Any], reason: str) -> None:
    """Stripe stops the account."""
    world.restricted.add(account["id"])
    account["capabilities"] = {"transfers": "inactive"}
    account["payouts_enabled"] = False
    account["requirements"] = {"currently_due": [], "disabled_reason": reason}
    world.tell("account.updated", account)


def transfer(world: World, asked: dict[str, Any]) -> dict[str, Any]:
    """Money goes from the balance to a connected account; Refused where it cannot."""
    account = world.get("account", asked["destination"])
    if account["capabilities"].get("transfers") != "active":
        raise invalid(
            "insufficient_capabilities_for_transfer",
            "Your destination account needs to have at least one of the following capabilities "
            "enabled: transfers",
        )
    amount, currency = int(asked["amount"]), asked["currency"]
    if world.balance(currency) < amount:
        raise invalid(
            "balance_insufficient",
            "You have insufficient available funds in your Stripe account.",
        )
    made = world.new(
        "tr",
        "transfer",
        amount=amount,
        amount_reversed=0,
        reversed=False,
        currency=currency,
        destination=account["id"],
        description=asked.get("description"),
        metadata=asked.get("metadata", {}),
        transfer_group=asked.get("transfer_group"),
    )
    world.book("transfer", "transfer", -amount, 0, currency, made)
    world.tell("transfer.created", made)
    return made


def reverse(world: World, made: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """A transfer comes back, whole or in part."""
    left = made["amount"] - made["amount_reversed"]
    amount = int(asked.get("amount", left))
    if not 0 < amount <= left:
        raise invalid("parameter_invalid_integer", "There is not so much to reverse.")
    made["amount_reversed"] += amount
    made["reversed"] = made["amount_reversed"] == made["amount"]
    back = world.new(
        "trr",
        "transfer_reversal",
        amount=amount,
        currency=made["currency"],
        transfer=made["id"],
        metadata={},
    )
    world.book("transfer_refund", "transfer_reversal", amount, 0, made["currency"], back)
    world.tell("transfer.reversed", made)
    return back


def payout(world: World, amount: int, currency: str, *, days: int = 2) -> dict[str, Any]:
    """Money goes from the balance to the house's bank account, where it is after so many days."""
    made = world.new(
        "po",
        "payout",
        amount=amount,
        currency=currency,
        status="in_transit",
        arrival_date=world.now() + days * DAY_S,
        statement_descriptor="COALITION",
        description="STRIPE PAYOUT",
        trace_id={"status": "pending", "value": None},
        metadata={},
    )
    world.book("payout", "payout", -amount, 0, currency, made)
    world.tell("payout.created", made)
    return made


def pay_out(world: World, made: dict[str, Any]) -> None:
    """The bank has it."""
    made["status"] = "paid"
    world.tell("payout.paid", made)


def fail_payout(world: World, made: dict[str, Any]) -> None:
    """The bank sends it back."""
    made["status"] = "failed"
    world.book("payout_failure", "payout_reversal", made["amount"], 0, made["currency"], made)
    world.tell("payout.failed", made)
