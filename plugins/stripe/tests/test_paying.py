"""A creditor is paid by a transfer: once, and not before the money is there."""

from __future__ import annotations

from collections.abc import Callable

from marketplace_stripe.double import people, transfers
from marketplace_stripe.double.server import Double
from marketplace_stripe.rail import Stripe

from marketplace import api

MakeLeg = Callable[..., api.Leg]
PAY = api.Direction.PAY


def test_a_transfer_is_booked_at_once(rail: Stripe, double: Double, leg: MakeLeg) -> None:
    one = leg(direction=PAY)
    (outcome,) = rail.submit([one])
    assert isinstance(outcome, api.Booked)
    (made,) = people.found(double.world, "transfer", one.reference)
    assert (made["destination"], made["transfer_group"]) == (one.account.connected, one.reference)


def test_too_little_in_the_balance_waits_and_is_paid_once_there_is_enough(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    """Stripe keeps the refusal under the key: the next try has another one."""
    people.fill(double.world, -double.world.balance("eur"))
    one = leg(direction=PAY)
    (outcome,) = rail.submit([one])
    assert isinstance(outcome, api.Retry)
    assert "balance_insufficient" in outcome.reason
    people.fill(double.world, 50_000)
    (outcome,) = rail.submit([one])
    assert isinstance(outcome, api.Booked)
    keys = [key for _, path, key in double.asked if path == "/v1/transfers" and key]
    assert keys == [f"leg-{one.reference}-1", f"leg-{one.reference}-2"]


def test_a_restricted_account_is_told_and_the_others_are_paid(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    stopped = people.connected(double.world)
    account = double.world.get("account", stopped.connected)
    transfers.restrict(double.world, account, "rejected.fraud")
    bad, good = leg(direction=PAY, account=stopped), leg(direction=PAY)
    found = {each.reference: each for each in rail.submit([bad, good])}
    refused = found[bad.reference]
    assert isinstance(refused, api.Rejected)
    assert "insufficient_capabilities_for_transfer" in refused.reason
    assert isinstance(found[good.reference], api.Booked)


def test_the_answer_is_lost_after_it_was_paid(rail: Stripe, double: Double, leg: MakeLeg) -> None:
    one = leg(direction=PAY)
    double.next_troubles = ["lost"]
    (outcome,) = rail.submit([one])
    assert isinstance(outcome, api.Unknown)
    double.world.ahead_s += 90_000
    (outcome,) = rail.submit([one])
    assert isinstance(outcome, api.Booked)
    assert len(people.found(double.world, "transfer", one.reference)) == 1


def test_a_reversal_brings_it_back_and_half_of_one_does_not(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    one = leg(direction=PAY, amount_minor=1_000)
    rail.submit([one])
    (made,) = people.found(double.world, "transfer", one.reference)
    transfers.reverse(double.world, made, {"amount": "400"})
    (outcome,) = rail.lookup([one])
    assert isinstance(outcome, api.Booked)
    transfers.reverse(double.world, made, {})
    (outcome,) = rail.lookup([one])
    assert isinstance(outcome, api.Returned)


def test_a_hundred_legs_are_paid_in_one_go(rail: Stripe, double: Double, leg: MakeLeg) -> None:
    legs = [leg(direction=PAY, amount_minor=n + 1) for n in range(100)]
    found = {each.reference: each for each in rail.submit(legs)}
    assert all(isinstance(found[each.reference], api.Booked) for each in legs)
    assert len(double.world.all("transfer")) == 100
