"""Members as the double knows them: customers with something saved, connected accounts."""

from __future__ import annotations

from typing import Any, Literal

from marketplace_stripe.accounts import Account, Charge
from marketplace_stripe.double import transfers
from marketplace_stripe.double.world import World


def customer(world: World, charge: Charge = Charge.CARD, *, mood: str = "") -> Account:
    """A customer that can be charged; `mood` as in `World.moods`."""
    made = world.new("cus", "customer", metadata={}, name="Example", email="pay@example.com")
    if charge is Charge.BANK_TRANSFER:
        world.moods[made["id"]] = mood
        return Account(customer=made["id"], charge=charge, bank_country="DE")
    method = world.new("pm", "payment_method", type=charge.value, customer=made["id"], metadata={})
    world.moods[method["id"]] = mood
    return Account(customer=made["id"], charge=charge, payment_method=method["id"])


def connected(world: World) -> Account:
    """A connected account that can be paid."""
    made = transfers.connect(world, {"country": "DE"})
    transfers.enable(world, made)
    return Account(connected=made["id"])


def both(world: World, charge: Charge = Charge.CARD) -> Account:
    """A member that pays and is paid."""
    pays, paid = customer(world, charge), connected(world)
    return Account(
        customer=pays.customer,
        charge=charge,
        payment_method=pays.payment_method,
        bank_country=pays.bank_country,
        connected=paid.connected,
    )


def found(
    world: World, kind: Literal["payment_intent", "transfer"], reference: str
) -> list[dict[str, Any]]:
    """What was made for a leg."""
    return [each for each in world.all(kind) if each["metadata"].get("reference") == reference]


def fill(world: World, amount: int, currency: str = "eur") -> None:
    """Money in the balance, from elsewhere."""
    made = world.new("tu", "topup", amount=amount, currency=currency, metadata={})
    world.book("topup", "topup", amount, 0, currency, made)
