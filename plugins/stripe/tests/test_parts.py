"""Legs of more than Stripe moves at once: in parts, booked together, taken back together."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from marketplace_stripe import accounts, parts, records
from marketplace_stripe.amounts import LARGEST
from marketplace_stripe.double import payments, people, transfers
from marketplace_stripe.double.server import Double
from marketplace_stripe.rail import Stripe

from marketplace import api
from marketplace.testing import Lab

MakeLeg = Callable[..., api.Leg]
AMOUNT = 2 * LARGEST + 10  # two parts and ten cents
KINDS = {api.Direction.COLLECT: "payment_intent", api.Direction.PAY: "transfer"}


@pytest.fixture
def rich(double: Double) -> None:
    """The balance holds much."""
    people.fill(double.world, 10 * LARGEST)


def made(double: Double, leg: api.Leg) -> list[dict[str, Any]]:
    """What was made for a leg, in the order it was made."""
    return people.found(double.world, KINDS[leg.direction], leg.reference)[::-1]  # type: ignore[arg-type]


def one(outcomes: Any) -> Any:
    (outcome,) = outcomes
    return outcome


def net(double: Double, leg: api.Leg) -> int:
    """What the balance has of a leg in the end, fees aside."""
    ours = {each["id"] for each in made(double, leg)}
    ours |= {
        each["id"]
        for each in double.world.objects.values()
        if {each.get("payment_intent"), each.get("transfer")} & ours
    }
    return sum(each["amount"] for each in double.world.lines if each["source"] in ours)


def test_parts_are_nearly_equal_and_add_up(leg: MakeLeg) -> None:
    for amount in (1, LARGEST, LARGEST + 1, AMOUNT, 100 * LARGEST):
        split = parts.split(leg(amount_minor=amount))
        amounts = [each.amount_minor for each in split]
        assert sum(amounts) == amount
        assert max(amounts) <= LARGEST
        assert max(amounts) - min(amounts) <= 1
        assert len(split) == -(-amount // LARGEST)


@pytest.mark.parametrize("direction", list(api.Direction))
@pytest.mark.usefixtures("rich")
def test_a_large_leg_is_booked_when_all_its_parts_are(
    rail: Stripe, double: Double, leg: MakeLeg, direction: api.Direction
) -> None:
    large = leg(direction=direction, amount_minor=AMOUNT)
    outcome = one(rail.submit([large]))
    assert isinstance(outcome, api.Booked)
    there = made(double, large)
    assert [each["metadata"]["part"] for each in there] == ["1/3", "2/3", "3/3"]
    assert sum(each["amount"] for each in there) == AMOUNT
    assert outcome.rail_reference == there[0]["id"]
    keys = {key for method, path, key in double.asked if method == "POST" and key}
    assert len(keys) == 3
    # Asked again, sent again, with the keys forgotten: nothing new is made.
    double.world.ahead_s += 90_000
    for again in (*rail.lookup([large]), *rail.submit([large])):
        assert again == outcome
    assert len(made(double, large)) == 3


@pytest.mark.usefixtures("rich")
def test_a_part_that_is_declined_takes_the_others_back(
    rail: Stripe, double: Double, leg: MakeLeg, account: accounts.Account
) -> None:
    large = leg(amount_minor=AMOUNT)

    def decline(path: str, status: int, body: Any) -> tuple[int, Any]:
        if body.get("object") == "payment_intent" and body["metadata"].get("part") == "1/3":
            double.world.moods[account.payment_method] = "decline"
        return status, body

    double.bends.append(decline)
    outcome = one(rail.submit([large]))
    assert isinstance(outcome, api.Returned), outcome
    assert "part 2 of 3" in outcome.reason
    assert "card_declined" in outcome.reason
    first, second = made(double, large)
    assert (first["status"], second["status"]) == ("succeeded", "canceled")
    assert net(double, large) == 0
    assert one(rail.lookup([large])) == outcome
    assert len(made(double, large)) == 2  # the third was never sent


@pytest.mark.usefixtures("rich")
def test_a_debit_that_bounces_waits_for_the_others_before_they_go_back(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    account = people.both(double.world, accounts.Charge.SEPA_DEBIT)
    large = leg(amount_minor=AMOUNT, account=account)
    assert isinstance(one(rail.submit([large])), api.Submitted)
    first, second, third = made(double, large)
    payments.succeed(double.world, first)
    payments.bounce(double.world, second, "debit_not_authorized", "The mandate ended.")
    waits = one(rail.lookup([large]))
    assert isinstance(waits, api.Unknown)  # the third is on its way, and cannot be stopped
    assert "mandate" in waits.reason
    payments.succeed(double.world, third)
    outcome = one(rail.lookup([large]))
    assert isinstance(outcome, api.Returned)
    assert net(double, large) == 0


def test_a_part_that_the_balance_does_not_cover_waits_and_is_sent_later(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    large = leg(direction=api.Direction.PAY, amount_minor=AMOUNT)
    outcome = one(rail.submit([large]))  # 100,000,000: one part and some
    assert isinstance(outcome, api.Unknown)
    assert "1 of 3 parts" in outcome.reason
    assert "balance_insufficient" in outcome.reason
    people.fill(double.world, 2 * LARGEST)
    booked = one(rail.lookup([large]))
    assert isinstance(booked, api.Booked)
    assert sum(each["amount"] for each in made(double, large)) == AMOUNT


@pytest.mark.usefixtures("rich")
def test_an_account_that_is_restricted_between_parts(
    rail: Stripe, double: Double, leg: MakeLeg, account: accounts.Account
) -> None:
    large = leg(direction=api.Direction.PAY, amount_minor=AMOUNT)

    def restrict(path: str, status: int, body: Any) -> tuple[int, Any]:
        if body.get("object") == "transfer" and not double.world.restricted:
            there = double.world.get("account", account.connected)
            transfers.restrict(double.world, there, "rejected.fraud")
        return status, body

    double.bends.append(restrict)
    outcome = one(rail.submit([large]))
    assert isinstance(outcome, api.Returned)
    assert "insufficient_capabilities" in outcome.reason
    assert net(double, large) == 0


@pytest.mark.usefixtures("rich")
def test_a_dispute_about_one_part_of_a_booked_leg_leaves_it_booked_until_all_is_gone(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    large = leg(amount_minor=AMOUNT)
    booked = one(rail.submit([large]))
    assert isinstance(booked, api.Booked)
    for number, intent in enumerate(made(double, large), 1):
        payments.dispute(double.world, intent, reason="fraudulent", inquiry=False)
        outcome = one(rail.lookup([large]))
        assert isinstance(outcome, api.Booked if number < 3 else api.Returned)
    assert "disputed" in outcome.reason
    refunds = [each for each in double.world.objects.values() if each["object"] == "refund"]
    assert refunds == []


@pytest.mark.usefixtures("rich")
@pytest.mark.parametrize("direction", list(api.Direction))
def test_the_answer_about_a_part_is_lost(
    rail: Stripe,
    double: Double,
    leg: MakeLeg,
    direction: api.Direction,
    ages: Callable[[str], None],
) -> None:
    large = leg(direction=direction, amount_minor=AMOUNT)
    # The first goes well; of the second the answer is lost, however often it is asked for.
    double.next_troubles[:] = ["slow", *["lost"] * 4]
    outcome = one(rail.submit([large]))
    assert isinstance(outcome, api.Unknown)
    assert "part 2 of 3" in outcome.reason
    double.next_troubles.clear()
    double.world.ahead_s += 90_000
    ages(large.reference)
    assert isinstance(one(rail.lookup([large])), api.Booked)
    assert len(made(double, large)) == 3


def test_nothing_of_it_is_there_where_the_first_part_is_refused(
    rail: Stripe, double: Double, leg: MakeLeg, account: accounts.Account
) -> None:
    double.world.moods[account.payment_method] = "decline"
    large = leg(amount_minor=AMOUNT)
    outcome = one(rail.submit([large]))
    assert isinstance(outcome, api.Rejected)
    assert len(made(double, large)) == 1
    poor = leg(direction=api.Direction.PAY, amount_minor=4 * LARGEST)
    double.world.lines.clear()
    assert isinstance(one(rail.submit([poor])), api.Retry)
    assert isinstance(one(rail.lookup([poor])), api.NeverOrdered)
    people.fill(double.world, 4 * LARGEST)
    assert isinstance(one(rail.submit([poor])), api.Booked)


def die_at(number: int) -> Callable[..., None]:
    """Whoever writes down what a part is dies there."""
    real = records.found

    def found(session: Any, sent: records.Payment, *more: Any) -> None:
        if sent.part == number:
            os.kill(os.getpid(), signal.SIGKILL)
        real(session, sent, *more)

    return found


def submit_and_die(database_url: str, large: api.Leg) -> None:
    """What a worker does, until it wants to write down what Stripe answered about part 2."""
    from marketplace.settings import Settings

    child = Lab(Settings(database_url=database_url))
    records.found = die_at(2)
    Stripe(child.host("stripe")).submit([large])


@pytest.mark.usefixtures("rich")
@pytest.mark.parametrize("direction", list(api.Direction))
def test_killed_between_parts_it_is_gone_on_with(
    lab: Lab, rail: Stripe, double: Double, leg: MakeLeg, direction: api.Direction
) -> None:
    large = leg(direction=direction, amount_minor=AMOUNT)
    child = multiprocessing.get_context("spawn").Process(
        target=submit_and_die, args=(lab.settings.database_url, large)
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert len(made(double, large)) == 2
    double.world.ahead_s += 90_000
    outcome = one(rail.lookup([large]))
    assert isinstance(outcome, api.Booked)
    assert len(made(double, large)) == 3
