"""A marketplace, a double of Stripe on this machine, and the rail between them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from marketplace_stripe.accounts import Account
from marketplace_stripe.amounts import CURRENCIES
from marketplace_stripe.client import account_of
from marketplace_stripe.double import people
from marketplace_stripe.double.server import Double
from marketplace_stripe.models import payment
from marketplace_stripe.rail import Stripe
from marketplace_stripe.rehearsal import settings_of

from marketplace import api
from marketplace.testing import Lab, lab

__all__ = ["account", "ages", "double", "host", "lab", "leg", "rail"]


@pytest.fixture
def double(lab: Lab) -> Iterator[Double]:
    """Stripe, with plenty in the balance; the lab's plugin is configured for it."""
    with Double() as made:
        made.world.account = f"acct_{secrets.token_hex(8)}"
        for currency in CURRENCIES:
            people.fill(made.world, 100_000_000, currency.lower())
        lab.configure("stripe", settings_of(made))
        yield made


@pytest.fixture
def host(lab: Lab) -> api.Host:
    """What the core lends the plugin."""
    return lab.host("stripe")


@pytest.fixture
def rail(host: api.Host, double: Double) -> Stripe:
    """The rail, which knows already which account its key is of: troubles are of what follows."""
    account_of(host.settings())
    return Stripe(host)


@pytest.fixture
def account(double: Double) -> Account:
    """A member that pays by card and is paid."""
    return people.both(double.world)


@pytest.fixture
def leg(account: Account) -> Callable[..., api.Leg]:
    """`leg(direction=..., amount_minor=...)` makes a new leg."""

    def make(**changes: Any) -> api.Leg:
        made = api.Leg(
            reference=f"S-{secrets.token_hex(8).upper()}",
            direction=api.Direction.COLLECT,
            amount_minor=12_345,
            currency="EUR",
            name="Example Ltd",
            account=account,
            due_on=date(2026, 11, 27),
            text="Coalition settlement 2026-11",
        )
        return msgspec.structs.replace(made, **changes)

    return make


@pytest.fixture
def ages(host: api.Host) -> Callable[[str], None]:
    """`ages(reference)`: a leg was sent so long ago that nothing of it is on its way any more."""

    def age(reference: str) -> None:
        with host.transaction() as session:
            session.execute(
                sa.update(payment)
                .where(payment.c.reference == reference)
                .values(sent_at=payment.c.sent_at - timedelta(hours=1))
            )

    return age
