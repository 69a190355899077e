"""What finance sees of Stripe: as last read, and compared on request."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import stripe
from marketplace_stripe import onboarding, overview, sweeping
from marketplace_stripe.double import people, transfers
from marketplace_stripe.double.server import Double
from marketplace_stripe.rail import Stripe

from marketplace import api
from marketplace.testing import Lab

MakeLeg = Callable[..., api.Leg]


def test_everything_of_stripe_s_is_there(
    lab: Lab, host: api.Host, rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    member = f"m-{double.world.account[-6:]}"
    lab.member(member)
    connected = onboarding.connect(host, member, country="DE", email="a@b.example")
    good = leg(amount_minor=10_000, currency="CHF")
    bad = leg(account=people.customer(double.world, mood="decline"))
    rail.submit([good, bad])
    transfers.payout(double.world, 300, "chf")
    sweeping.run(host)
    asked = len(double.asked)
    found = overview.overview(host)
    assert len(double.asked) == asked
    assert found.double
    assert not found.live
    assert found.last is not None
    assert found.balance["CHF"] == double.world.balance("chf") * 10_000
    assert {(each.kind, each.fee_micros) for each in found.moved if each.currency == "CHF"} == {
        ("charge", 1_750_000),
        ("payout", 0),
        ("topup", 0),
    }
    sent = {each.reference: each for each in found.payments}
    assert (sent[good.reference].state, sent[good.reference].amount_micros) == (
        "succeeded",
        100_000_000,
    )
    assert "card_declined" in sent[bad.reference].reason
    (state,) = [each for each in found.accounts if each.id == connected]
    assert (state.member, state.wanted) == (member, "company.tax_id")
    people.fill(double.world, 500, "chf")
    assert overview.compare(host, found.last.platform) == {"CHF": 5_000_000}
    with double.having("down"), pytest.raises(stripe.StripeError):
        overview.compare(host, found.last.platform)
