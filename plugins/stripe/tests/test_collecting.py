"""A debtor is charged: once, whatever the network and Stripe do, and honest about what is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from marketplace_stripe.accounts import Charge
from marketplace_stripe.double import payments, people
from marketplace_stripe.double.server import Double, Trouble
from marketplace_stripe.rail import Stripe

from marketplace import api

MakeLeg = Callable[..., api.Leg]


def submit(rail: Stripe, leg: api.Leg) -> api.LegOutcome:
    (outcome,) = rail.submit([leg])
    return outcome


def look(rail: Stripe, leg: api.Leg) -> api.LegOutcome:
    (outcome,) = rail.lookup([leg])
    return outcome


def test_a_card_is_charged_at_once(rail: Stripe, double: Double, leg: MakeLeg) -> None:
    one = leg()
    booked = submit(rail, one)
    assert isinstance(booked, api.Booked)
    (intent,) = people.found(double.world, "payment_intent", one.reference)
    assert booked.rail_reference == intent["id"]
    assert (intent["amount"], intent["currency"]) == (12_345, "eur")
    assert intent["transfer_group"] == one.reference


def test_a_declined_card_moves_nothing_and_cannot_be_confirmed_later(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    one = leg(account=people.customer(double.world, mood="decline"))
    outcome = submit(rail, one)
    assert isinstance(outcome, api.Rejected)
    assert "card_declined, do_not_honor" in outcome.reason
    (intent,) = people.found(double.world, "payment_intent", one.reference)
    assert intent["status"] == "canceled"
    assert look(rail, one) == outcome


def test_a_card_that_wants_its_owner_is_rejected(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    outcome = submit(rail, leg(account=people.customer(double.world, mood="authenticate")))
    assert isinstance(outcome, api.Rejected)
    assert "authentication_required" in outcome.reason


def test_a_debit_is_on_its_way_for_days(rail: Stripe, double: Double, leg: MakeLeg) -> None:
    one = leg(account=people.customer(double.world, Charge.SEPA_DEBIT))
    assert isinstance(submit(rail, one), api.Submitted)
    assert isinstance(look(rail, one), api.Submitted)
    (intent,) = people.found(double.world, "payment_intent", one.reference)
    payments.succeed(double.world, intent)
    assert isinstance(look(rail, one), api.Booked)


def test_a_debit_bounces_at_the_bank(rail: Stripe, double: Double, leg: MakeLeg) -> None:
    one = leg(account=people.customer(double.world, Charge.SEPA_DEBIT))
    submit(rail, one)
    (intent,) = people.found(double.world, "payment_intent", one.reference)
    payments.bounce(double.world, intent, "debit_not_authorized", "The debit was not authorized.")
    outcome = look(rail, one)
    assert isinstance(outcome, api.Rejected)
    assert "debit_not_authorized" in outcome.reason


def test_a_bank_transfer_waits_until_all_of_it_is_there(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    one = leg(account=people.customer(double.world, Charge.BANK_TRANSFER))
    assert isinstance(submit(rail, one), api.Submitted)
    (intent,) = people.found(double.world, "payment_intent", one.reference)
    payments.fund(double.world, intent, 12_000)
    assert isinstance(look(rail, one), api.Submitted)
    payments.fund(double.world, intent, 345)
    assert isinstance(look(rail, one), api.Booked)


@pytest.mark.parametrize("charge", [Charge.CARD, Charge.SEPA_DEBIT])
@pytest.mark.parametrize("trouble", ["lost", "error"])
def test_the_answer_is_lost_after_it_was_charged(
    rail: Stripe, double: Double, leg: MakeLeg, trouble: Trouble, charge: Charge
) -> None:
    one = leg(account=people.customer(double.world, charge))
    double.next_troubles = [trouble]
    assert isinstance(submit(rail, one), api.Unknown)
    assert isinstance(look(rail, one), api.Booked | api.Submitted)
    assert isinstance(submit(rail, one), api.Booked | api.Submitted)
    assert len(people.found(double.world, "payment_intent", one.reference)) == 1


def test_nothing_is_said_to_be_absent_while_it_may_be_on_its_way(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    one = leg()
    double.next_troubles = ["down"]
    assert isinstance(submit(rail, one), api.Unknown)
    assert isinstance(look(rail, one), api.Unknown)


def test_a_day_later_it_is_looked_for_before_it_is_sent_again(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    """The key is forgotten by then: sent blindly, it would be charged twice."""
    one = leg()
    double.next_troubles = ["lost"]
    submit(rail, one)
    double.world.ahead_s += 90_000
    assert isinstance(submit(rail, one), api.Booked)
    assert len(people.found(double.world, "payment_intent", one.reference)) == 1


def test_many_pages_of_payments_are_looked_through(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    one = leg()
    double.next_troubles = ["lost"]
    submit(rail, one)
    for _ in range(250):
        double.world.new(
            "pi", "payment_intent", customer=one.account.customer, metadata={}, amount=1
        )
    assert isinstance(look(rail, one), api.Booked)


def test_a_fault_that_stripe_keeps_under_the_key_does_not_stop_the_leg_for_a_day(
    rail: Stripe, double: Double, leg: MakeLeg, ages: Callable[[str], None]
) -> None:
    one = leg()
    double.next_troubles = ["stored error"]
    assert isinstance(submit(rail, one), api.Unknown)
    assert isinstance(submit(rail, one), api.Unknown)
    ages(one.reference)
    assert isinstance(look(rail, one), api.NeverOrdered)
    assert isinstance(submit(rail, one), api.Booked)
    assert len(people.found(double.world, "payment_intent", one.reference)) == 1


def test_too_many_requests_take_nothing(rail: Stripe, double: Double, leg: MakeLeg) -> None:
    one = leg()
    double.next_troubles = ["limit"]
    assert isinstance(submit(rail, one), api.Retry)
    assert isinstance(submit(rail, one), api.Booked)


def test_a_key_that_is_not_taken_takes_nothing(rail: Stripe, double: Double, leg: MakeLeg) -> None:
    one = leg()
    right, double.key = double.key, "rk_test_other"
    assert isinstance(submit(rail, one), api.Retry)
    assert not rail.health().ok
    double.key = right
    assert rail.health().ok


def test_a_known_reference_with_another_amount_says_so(rail: Stripe, leg: MakeLeg) -> None:
    import msgspec

    one = leg()
    submit(rail, one)
    outcome = submit(rail, msgspec.structs.replace(one, amount_minor=1))
    assert isinstance(outcome, api.Unknown)
    assert "12345 EUR" in outcome.reason


def test_a_dispute_takes_the_money_back(rail: Stripe, double: Double, leg: MakeLeg) -> None:
    one = leg()
    submit(rail, one)
    (intent,) = people.found(double.world, "payment_intent", one.reference)
    payments.dispute(double.world, intent, reason="fraudulent", inquiry=False)
    outcome = look(rail, one)
    assert isinstance(outcome, api.Returned)
    assert outcome.reason == "disputed: fraudulent (needs_response)"


def test_an_inquiry_and_a_dispute_that_was_won_leave_it_booked(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    asked, won = leg(), leg()
    for one in (asked, won):
        submit(rail, one)
    intents = [
        people.found(double.world, "payment_intent", one.reference)[0] for one in (asked, won)
    ]
    payments.dispute(double.world, intents[0], reason="general", inquiry=True)
    made = payments.dispute(double.world, intents[1], reason="general", inquiry=False)
    payments.close_dispute(double.world, made, won=True)
    assert isinstance(look(rail, asked), api.Booked)
    assert isinstance(look(rail, won), api.Booked)


def test_a_refund_in_the_dashboard_is_a_return(rail: Stripe, double: Double, leg: MakeLeg) -> None:
    one = leg()
    submit(rail, one)
    payments.refund(double.world, people.found(double.world, "payment_intent", one.reference)[0])
    outcome = look(rail, one)
    assert isinstance(outcome, api.Returned)
    assert outcome.reason == "refunded at Stripe"


def test_what_it_cannot_charge_is_refused_before_anything_is_sent(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    debit = people.customer(double.world, Charge.SEPA_DEBIT)
    only_paid = people.connected(double.world)
    legs = [
        leg(currency="PLN", account=debit),
        leg(currency="BHD"),
        leg(amount_minor=10_000_000_000),
        leg(account=only_paid),
    ]
    before = len(double.asked)
    reasons = {o.reference: o.reason for o in rail.submit(legs) if isinstance(o, api.Rejected)}
    assert [reasons[each.reference] for each in legs] == [
        "SEPA debits are in EUR",
        "Stripe does not move BHD for this rail",
        "this rail moves more than nothing and at most 99,999,999 EUR",
        "the member has no customer (cus_) to charge",
    ]
    assert len(double.asked) == before
