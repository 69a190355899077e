"""What Stripe does with the house's own balance: fees that stand alone, reserves."""

from __future__ import annotations

from marketplace_stripe.double.world import World


def fee(world: World, amount: int, currency: str, description: str) -> None:
    """Stripe takes a fee that belongs to no payment."""
    world.book("stripe_fee", "fee", -amount, 0, currency, None, description)


def tax(world: World, amount: int, currency: str) -> None:
    """Stripe takes the tax on its fees."""
    world.book("tax_fee", "tax", -amount, 0, currency, None, "VAT")


def hold(world: World, amount: int, currency: str) -> None:
    """Stripe keeps money back: it is on another balance then."""
    _reserve(world, "reserve_hold", amount, currency)


def release(world: World, amount: int, currency: str) -> None:
    """Stripe lets money go that it kept back, all or some of it."""
    _reserve(world, "reserve_release", -amount, currency)


def _reserve(world: World, kind: str, amount: int, currency: str) -> None:
    there = world.book(kind, "risk_reserved_funds", -amount, 0, currency, None, "Reserve")
    other = {**there, "id": f"{there['id']}R", "amount": amount, "net": amount}
    world.lines.append({**other, "balance_type": "risk_reserved"})
