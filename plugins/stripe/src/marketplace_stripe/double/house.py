"""What Stripe does with the house's own balance: fees that stand alone, reserves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marketplace_stripe.double import transfers
from marketplace_stripe.double.world import World, invalid


def act(world: World, asked: dict[str, Any]) -> dict[str, Any]:
    """Do what `do` says of the house's balance, if it says something; how that stands then.

    `fee`, `hold`, `release` and `payout` take `amount` in smallest units of `currency`; `arrive`
    takes the `payout` that the bank has.
    """
    do, currency = asked.get("do"), asked.get("currency", "eur")
    amount = int(asked.get("amount", 0))
    if do == "fee":
        fee(world, amount, currency, asked.get("description", "Stripe's fee"))
    elif do in ("hold", "release"):
        (hold if do == "hold" else release)(world, amount, currency)
    elif do == "payout":
        transfers.payout(world, amount, currency)
    elif do == "arrive":
        transfers.pay_out(world, world.get("payout", asked.get("payout", "")))
    elif do is not None:
        raise invalid("parameter_unknown", f"Unknown: {do}", param="do")
    return _standing(world, currency)


def _standing(world: World, currency: str) -> dict[str, Any]:
    """Its balance, the days on which that moved, its payouts."""
    moments = {each["created"] for each in world.lines if each["currency"] == currency}
    return {
        "balance": world.balance(currency),
        "days": sorted({f"{datetime.fromtimestamp(each, UTC):%Y-%m-%d}" for each in moments}),
        "payouts": [
            {name: each[name] for name in ("id", "amount", "status", "created", "arrival_date")}
            for each in reversed(world.all("payout"))
        ],
    }


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
