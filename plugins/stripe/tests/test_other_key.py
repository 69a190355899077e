"""A key of another Stripe account is put in while it is not known what became of a leg."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from marketplace_stripe.commands import make_commands
from marketplace_stripe.double import people
from marketplace_stripe.double.server import Double
from marketplace_stripe.models import payment
from marketplace_stripe.rail import Stripe
from marketplace_stripe.rehearsal import settings_of

from marketplace import api
from marketplace.testing import Lab

MakeLeg = Callable[..., api.Leg]
PAY = api.Direction.PAY


def moved(double: Double) -> int:
    """Transfers and payments that a double has."""
    kinds = ("transfer", "payment_intent")
    return sum(each["object"] in kinds for each in double.world.objects.values())


@pytest.mark.parametrize("direction", list(api.Direction))
def test_it_is_neither_sent_nor_said_to_be_missing_until_the_old_key_is_back(
    rail: Stripe,
    double: Double,
    lab: Lab,
    leg: MakeLeg,
    ages: Callable[[str], None],
    direction: api.Direction,
) -> None:
    one = leg(direction=direction)
    with double.having("lost"):
        assert isinstance(rail.submit([one])[0], api.Unknown)
    assert moved(double) == 1
    # Hours later, so that nothing can be on its way: a list that does not show it would be proof.
    ages(one.reference)
    with Double() as other:
        other.world.account = "acct_1Other00000000001"
        people.fill(other.world, 1_000_000)
        lab.configure("stripe", settings_of(other))
        for ask in (rail.submit, rail.lookup):
            (said,) = ask([one])
            assert isinstance(said, api.Unknown)
            assert f"sent from the Stripe account {double.world.account}" in said.reason
            assert "the key is of acct_1Other00000000001 now" in said.reason
        assert moved(other) == 0
    lab.configure("stripe", settings_of(double))
    (found,) = rail.submit([one])
    assert isinstance(found, api.Booked)
    assert moved(double) == 1


def test_what_was_certainly_not_taken_is_sent_from_the_new_account(
    rail: Stripe, double: Double, lab: Lab, host: api.Host, leg: MakeLeg
) -> None:
    one = leg(direction=PAY, amount_minor=99_999_999)
    with double.having("limit"):
        assert isinstance(rail.submit([one])[0], api.Retry)
    with Double() as other:
        other.world.account = "acct_1Other00000000002"
        other.world.objects.update(double.world.objects)
        people.fill(other.world, 200_000_000)
        lab.configure("stripe", settings_of(other))
        assert isinstance(rail.submit([one])[0], api.Booked)
        with host.transaction() as session:
            query = sa.select(payment.c.account).where(payment.c.reference == one.reference)
            assert session.scalar(query) == "acct_1Other00000000002"
    assert moved(double) == 0


def test_a_transfer_is_taken_back_with_a_key_of_its_account_only(
    rail: Stripe, double: Double, lab: Lab, host: api.Host, leg: MakeLeg
) -> None:
    one = leg(direction=PAY)
    assert isinstance(rail.submit([one])[0], api.Booked)
    made = [each.command for each in make_commands(host)]
    reverse = next(each for each in made if each.name == "reverse")
    with Double() as other:
        other.world.account = "acct_1Other00000000003"
        lab.configure("stripe", settings_of(other))
        done = CliRunner().invoke(reverse, [one.reference])
        assert done.exit_code != 0
        assert double.world.account in str(done.exception) + done.output
    lab.configure("stripe", settings_of(double))
    assert CliRunner().invoke(reverse, [one.reference]).exit_code == 0
