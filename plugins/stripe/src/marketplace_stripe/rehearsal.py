"""How the simulator plays Stripe: the double, with troubles on demand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from marketplace import api
from marketplace.testing import Lab, RailRehearsal, Trouble
from marketplace_stripe.accounts import Account
from marketplace_stripe.amounts import CURRENCIES
from marketplace_stripe.double import people
from marketplace_stripe.double.server import Double
from marketplace_stripe.settings import House

TROUBLES = {Trouble.LOST_ANSWER: "lost", Trouble.DOWN: "down"}


def settings_of(double: Double) -> House:
    """House settings that reach a double."""
    return House(secret_key=double.key, webhook_key=double.webhook_key, address=double.address)


class StripeRehearsal(RailRehearsal):
    """Against the double."""

    def __init__(self, lab: Lab, host: api.Host, rail: api.Rail) -> None:
        super().__init__(lab, host, rail)
        self.double = Double().__enter__()
        for currency in CURRENCIES:
            people.fill(self.double.world, 10_000_000_000, currency.lower())
        lab.configure("stripe", settings_of(self.double))

    def account(self) -> Account:
        """A member that pays by card and is paid."""
        return people.both(self.double.world)

    @contextmanager
    def trouble(self, trouble: Trouble) -> Iterator[None]:
        """See `RailRehearsal`."""
        with self.double.having(TROUBLES[trouble]):  # type: ignore[arg-type]
            yield

    def moved(self, reference: str) -> list[int] | None:
        """Amounts of payment intents and transfers made for a leg."""
        world = self.double.world
        made: list[dict[str, Any]] = [
            *people.found(world, "payment_intent", reference),
            *people.found(world, "transfer", reference),
        ]
        return [each["amount"] for each in made]
