"""Stripe, or what stands between, answers in ways that its documentation does not promise.

Whatever comes: no money twice, nothing said that is not proved, and no leg spoils another's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from marketplace_stripe import asking, sweeping
from marketplace_stripe.accounts import Charge
from marketplace_stripe.client import client_of
from marketplace_stripe.double import payments, people
from marketplace_stripe.double.server import Double, Trouble
from marketplace_stripe.models import payment
from marketplace_stripe.rail import Stripe

from marketplace import api

MakeLeg = Callable[..., api.Leg]
COLLECT, PAY = api.Direction.COLLECT, api.Direction.PAY
KINDS: dict[api.Direction, Any] = {COLLECT: "payment_intent", PAY: "transfer"}


def submit(rail: Stripe, leg: api.Leg) -> api.LegOutcome:
    (outcome,) = rail.submit([leg])
    return outcome


def look(rail: Stripe, leg: api.Leg) -> api.LegOutcome:
    (outcome,) = rail.lookup([leg])
    return outcome


def without(*names: str) -> Callable[[str, int, Any], tuple[int, Any]]:
    """Answers lack these fields, however deep."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k not in names}
        return [strip(v) for v in value] if isinstance(value, list) else value

    return lambda _, status, body: (status, strip(body))


def as_error(status: int, **error: Any) -> Callable[[str, int, Any], tuple[int, Any]]:
    """Whatever is asked to be made is refused like this, though it was made."""

    def bend(path: str, was: int, body: Any) -> tuple[int, Any]:
        if body.get("object") in ("payment_intent", "transfer") and path.count("/") == 2:
            return status, {"error": error}
        return was, body

    return bend


@pytest.mark.parametrize("direction", [COLLECT, PAY])
@pytest.mark.parametrize("trouble", ["locked", "page", "cut", "torn"])
def test_an_answer_that_is_none_proves_nothing(
    rail: Stripe, double: Double, leg: MakeLeg, trouble: Trouble, direction: api.Direction
) -> None:
    one = leg(direction=direction)
    double.next_troubles = [trouble]
    assert isinstance(submit(rail, one), api.Unknown)
    assert isinstance(submit(rail, one), api.Booked)
    assert len(people.found(double.world, KINDS[direction], one.reference)) == 1


@pytest.mark.parametrize(
    "bent", [[], "ok", None, 7, {}, {"id": 3}, {"object": "payment_intent", "id": "pi_1"}]
)
def test_a_body_that_is_no_payment_spoils_no_other_leg(
    rail: Stripe, double: Double, leg: MakeLeg, bent: Any
) -> None:
    legs = [leg(amount_minor=1_001), leg(), leg(direction=PAY)]

    def bend(_: str, status: int, body: Any) -> tuple[int, Any]:
        return status, bent if body.get("amount") == 1_001 else body

    double.bends = [bend]
    outcomes = {each.reference: each for each in rail.submit(legs)}
    assert isinstance(outcomes[legs[0].reference], api.Unknown)
    assert all(isinstance(outcomes[each.reference], api.Booked) for each in legs[1:])
    double.bends = []
    assert isinstance(look(rail, legs[0]), api.Booked)


@pytest.mark.parametrize(
    "names",
    [
        ("latest_charge",),
        ("balance_transaction", "amount_received", "next_action"),
        ("disputed", "refunded", "amount_refunded", "metadata"),
        ("last_payment_error", "cancellation_reason", "transfer_group"),
        ("amount_reversed", "reversed", "created"),
    ],
)
def test_optional_fields_may_be_missing(
    rail: Stripe, double: Double, leg: MakeLeg, names: tuple[str, ...]
) -> None:
    double.bends = [without(*names)]
    for direction in (COLLECT, PAY):
        one = leg(direction=direction)
        double.next_troubles = ["lost"]
        assert isinstance(submit(rail, one), api.Unknown)
        assert isinstance(look(rail, one), api.Booked)
        assert isinstance(submit(rail, one), api.Booked)
        assert len(people.found(double.world, KINDS[direction], one.reference)) == 1


def test_a_charge_may_be_an_id(rail: Stripe, double: Double, leg: MakeLeg) -> None:
    def bend(_: str, status: int, body: Any) -> tuple[int, Any]:
        if isinstance(body.get("latest_charge"), dict):
            body["latest_charge"] = body["latest_charge"]["id"]
        return status, body

    double.bends = [bend]
    one = leg()
    assert isinstance(submit(rail, one), api.Booked)
    (intent,) = people.found(double.world, "payment_intent", one.reference)
    payments.refund(double.world, intent)
    assert isinstance(look(rail, one), api.Returned)


def test_a_failed_payment_that_comes_as_a_success_is_cancelled(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    def bend(_: str, status: int, body: Any) -> tuple[int, Any]:
        return (200, body["error"]["payment_intent"]) if status == 402 else (status, body)

    double.bends = [bend]
    one = leg(account=people.customer(double.world, mood="decline"))
    assert isinstance(submit(rail, one), api.Rejected)
    (intent,) = people.found(double.world, "payment_intent", one.reference)
    assert intent["status"] == "canceled"


@pytest.mark.parametrize("mood", ["", "decline"])
def test_a_refusal_that_names_no_payment_is_believed_only_after_a_look(
    rail: Stripe, double: Double, leg: MakeLeg, mood: str
) -> None:
    """Left as it was, the payment could be confirmed later: money after `rejected`."""

    def bend(_: str, status: int, body: Any) -> tuple[int, Any]:
        if status == 402:
            del body["error"]["payment_intent"]
        return status, body

    double.bends = [bend, as_error(402, type="card_error", code="card_declined", message="No.")]
    one = leg(account=people.customer(double.world, mood=mood))
    outcome = submit(rail, one)
    (intent,) = people.found(double.world, "payment_intent", one.reference)
    if mood:
        assert isinstance(outcome, api.Rejected)
        assert intent["status"] == "canceled"
    else:
        assert isinstance(outcome, api.Booked)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (409, {"type": "invalid_request_error", "code": "lock_timeout", "message": "Busy."}),
        (409, {"type": "idempotency_error", "message": "In use."}),
        (400, {"type": "idempotency_error", "message": "Other parameters."}),
        (400, {"type": "invalid_request_error", "code": "parameter_invalid", "message": "Off."}),
        (500, {"type": "api_error", "message": "Off."}),
        (504, {"message": "Off."}),
        (402, "declined"),
    ],
)
@pytest.mark.parametrize("direction", [COLLECT, PAY])
def test_an_error_after_it_was_made_is_never_a_refusal(
    rail: Stripe,
    double: Double,
    leg: MakeLeg,
    status: int,
    error: Any,
    direction: api.Direction,
) -> None:
    one = leg(direction=direction)

    def bend(path: str, was: int, body: Any) -> tuple[int, Any]:
        made = body.get("object") in ("payment_intent", "transfer") and path.count("/") == 2
        return (status, {"error": error}) if made else (was, body)

    double.bends = [bend]
    assert isinstance(submit(rail, one), api.Unknown | api.Booked)
    double.bends = []
    assert isinstance(look(rail, one), api.Booked)
    assert isinstance(submit(rail, one), api.Booked)
    assert len(people.found(double.world, KINDS[direction], one.reference)) == 1


@pytest.mark.parametrize("trouble", ["limit", "key"])
def test_nothing_is_certainly_not_taken_while_an_earlier_try_may_arrive(
    rail: Stripe, double: Double, leg: MakeLeg, trouble: str
) -> None:
    one = leg()
    double.next_troubles = ["down"]
    assert isinstance(submit(rail, one), api.Unknown)
    if trouble == "limit":
        double.next_troubles = ["limit"]
    else:
        double.key = "rk_test_other"
    assert isinstance(submit(rail, one), api.Unknown)


def test_what_may_be_there_is_not_rejected_for_what_it_is_now(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    one = leg()
    double.next_troubles = ["lost"]
    submit(rail, one)
    other = people.both(double.world)
    for changed in (
        msgspec.structs.replace(one, amount_minor=100_000_000),
        msgspec.structs.replace(one, account=people.connected(double.world)),
        msgspec.structs.replace(one, account=other),
    ):
        assert isinstance(submit(rail, changed), api.Unknown)
    assert isinstance(submit(rail, one), api.Booked)
    assert len(people.found(double.world, "payment_intent", one.reference)) == 1


def test_a_clock_of_ours_that_was_ahead_hides_no_payment(
    host: api.Host, rail: Stripe, double: Double, leg: MakeLeg, ages: Callable[[str], None]
) -> None:
    one = leg()
    double.next_troubles = ["lost"]
    submit(rail, one)
    with host.transaction() as session:
        ahead = payment.c.first_sent_at + timedelta(days=2)
        session.execute(sa.update(payment).values(first_sent_at=ahead))
    ages(one.reference)
    assert isinstance(look(rail, one), api.Booked)
    assert isinstance(submit(rail, one), api.Booked)
    assert len(people.found(double.world, "payment_intent", one.reference)) == 1


def test_what_was_certainly_not_taken_goes_to_the_account_of_today(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    one = leg(direction=PAY)
    double.next_troubles = ["limit"]
    assert isinstance(submit(rail, one), api.Retry)
    today = people.both(double.world)
    assert isinstance(submit(rail, msgspec.structs.replace(one, account=today)), api.Booked)
    (made,) = people.found(double.world, "transfer", one.reference)
    assert made["destination"] == today.connected


def test_a_leg_whose_turn_does_not_come_is_only_retried_if_it_never_was_sent(
    rail: Stripe, double: Double, leg: MakeLeg, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, new = leg(), leg()
    double.next_troubles = ["lost"]
    submit(rail, before)
    monkeypatch.setattr("marketplace_stripe.rail.START_S", 0.0)
    assert isinstance(submit(rail, before), api.Unknown)
    assert isinstance(submit(rail, new), api.Retry)


def test_no_request_begins_when_time_is_up(host: api.Host, double: Double) -> None:
    asked = len(double.asked)
    with asking.begun_by(time.monotonic()), pytest.raises(asking.Late):
        client_of(host.settings()).v1.balance.retrieve()
    assert len(double.asked) == asked
    client_of(host.settings()).v1.balance.retrieve()


def test_a_list_without_an_end_is_no_proof_and_no_trap(
    rail: Stripe, host: api.Host, double: Double, leg: MakeLeg, ages: Callable[[str], None]
) -> None:
    one, other = leg(), leg(direction=PAY)
    double.next_troubles = ["down"]
    submit(rail, one)
    double.next_troubles = ["down"]
    submit(rail, other)

    def bend(_: str, status: int, body: Any) -> tuple[int, Any]:
        if body.get("object") == "list":
            body["has_more"] = True
        return status, body

    double.bends = [bend]
    for each in (one, other):
        ages(each.reference)
        assert isinstance(look(rail, each), api.Unknown)
    with pytest.raises(asking.Unclear):
        sweeping.run(host)


def test_a_list_that_does_not_say_whether_there_is_more_is_read_on(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    one = leg()
    double.next_troubles = ["lost"]
    submit(rail, one)
    for _ in range(100):
        double.world.new(
            "pi", "payment_intent", customer=one.account.customer, metadata={}, amount=1, status=""
        )
    double.bends = [without("has_more")]
    assert isinstance(look(rail, one), api.Booked)


def test_a_list_that_is_not_narrowed_gives_no_other_leg_s_money(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    mine, theirs = leg(direction=PAY), leg(direction=PAY)
    submit(rail, theirs)
    double.next_troubles = ["down"]
    submit(rail, mine)
    everything = [dict(each) for each in double.world.all("transfer")]

    def bend(path: str, status: int, body: Any) -> tuple[int, Any]:
        return status, {**body, "data": everything} if path == "/v1/transfers" else body

    double.bends = [lambda p, s, b: bend(p, s, b) if b.get("object") == "list" else (s, b)]
    assert isinstance(submit(rail, mine), api.Booked)
    assert len(people.found(double.world, "transfer", mine.reference)) == 1


def test_an_answer_of_another_leg_is_not_this_one_s(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    theirs = leg(account=people.customer(double.world, Charge.SEPA_DEBIT))
    submit(rail, theirs)
    (intent,) = people.found(double.world, "payment_intent", theirs.reference)
    replayed = dict(intent, status="requires_payment_method")

    def bend(path: str, status: int, body: Any) -> tuple[int, Any]:
        return (status, replayed) if body.get("object") == "payment_intent" else (status, body)

    double.bends = [bend]
    outcome = submit(rail, leg())
    assert isinstance(outcome, api.Unknown)
    assert theirs.reference in outcome.reason
    assert intent["status"] == "processing"


def test_two_payments_of_one_leg_are_for_a_person(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    for direction in (COLLECT, PAY):
        one = leg(direction=direction)
        double.next_troubles = ["lost"]
        submit(rail, one)
        (made,) = people.found(double.world, KINDS[direction], one.reference)
        double.world.new("pi", made["object"], **{k: v for k, v in made.items() if k != "id"} | {})
        outcome = look(rail, one)
        assert isinstance(outcome, api.Unknown)
        assert "2 times" in outcome.reason


@pytest.mark.parametrize("off", [1, -1])
def test_an_amount_that_is_off_by_one_is_not_booked(
    rail: Stripe, double: Double, leg: MakeLeg, off: int
) -> None:
    def bend(_: str, status: int, body: Any) -> tuple[int, Any]:
        if "amount_received" in body:
            body["amount_received"] += off
        if body.get("object") == "transfer":
            body["amount"] += off
        return status, body

    double.bends = [bend]
    for direction in (COLLECT, PAY):
        assert isinstance(submit(rail, leg(direction=direction)), api.Unknown)


def test_a_debit_that_fails_after_it_succeeded_is_returned(
    rail: Stripe, host: api.Host, double: Double, leg: MakeLeg
) -> None:
    one = leg(account=people.customer(double.world, Charge.SEPA_DEBIT))
    submit(rail, one)
    (intent,) = people.found(double.world, "payment_intent", one.reference)
    payments.succeed(double.world, intent)
    assert isinstance(look(rail, one), api.Booked)
    payments.fail_late(double.world, intent, "insufficient_funds", "There was too little.")
    for _ in range(2):
        outcome = look(rail, one)
        assert isinstance(outcome, api.Returned)
        assert "insufficient_funds" in outcome.reason


def test_what_is_taken_back_in_part_stays_booked_until_all_of_it_is(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    one = leg()
    submit(rail, one)
    (intent,) = people.found(double.world, "payment_intent", one.reference)
    payments.dispute(double.world, intent, reason="general", inquiry=False, amount=345)
    assert isinstance(look(rail, one), api.Booked)
    payments.dispute(double.world, intent, reason="general", inquiry=False, amount=12_000)
    assert isinstance(look(rail, one), api.Returned)


def test_a_dispute_that_is_not_shown_is_unclear(rail: Stripe, double: Double, leg: MakeLeg) -> None:
    one = leg()
    submit(rail, one)
    (intent,) = people.found(double.world, "payment_intent", one.reference)
    double.world.get("charge", intent["latest_charge"])["disputed"] = True
    assert isinstance(look(rail, one), api.Unknown)


def test_a_bank_transfer_without_instructions_is_not_cancelled(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    double.bends = [without("next_action")]
    one = leg(account=people.customer(double.world, Charge.BANK_TRANSFER))
    assert isinstance(submit(rail, one), api.Submitted)
    (intent,) = people.found(double.world, "payment_intent", one.reference)
    assert intent["status"] == "requires_action"
