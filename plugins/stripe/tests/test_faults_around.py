"""Beside the rail: keys, headers, reversals, accounts and lines that are not as they should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from marketplace_stripe import onboarding, paying, sweeping, webhooks
from marketplace_stripe.client import client_of
from marketplace_stripe.double import payments, people, transfers
from marketplace_stripe.double.server import Double
from marketplace_stripe.models import line
from marketplace_stripe.rail import Stripe

from marketplace import api
from marketplace.testing import Lab

MakeLeg = Callable[..., api.Leg]
PAY = api.Direction.PAY


def submit(rail: Stripe, leg: api.Leg) -> api.LegOutcome:
    (outcome,) = rail.submit([leg])
    return outcome


def sparse(path: str, status: int, body: Any) -> tuple[int, Any]:
    """Lines of the balance say no more than they must."""
    if path == "/v1/balance_transactions":
        for each in body["data"]:
            for name in ("reporting_category", "available_on", "description"):
                del each[name]
    return status, body


def test_keys_in_stripe_s_words_are_not_repeated(
    rail: Stripe, double: Double, leg: MakeLeg
) -> None:
    words = f"Invalid API Key provided: {double.key}, or whsec_0123456789"
    double.bends = [lambda *_: (401, {"error": {"message": words}})]
    outcome = submit(rail, leg())
    assert isinstance(outcome, api.Retry)
    assert outcome.reason.startswith("Invalid API Key provided: rk_test_..., or whsec_... (req")


def test_a_header_in_no_alphabet_of_ours_is_refused(host: api.Host, double: Double) -> None:
    body, signature = double.signed(double.world.tell("payout.paid", {"id": "po_1"}))
    with pytest.raises(api.BadSignature):
        webhooks.take(host, body, signature.replace("v1=", "v1=\u00e9"))


def test_a_reversal_is_tried_again_after_it_was_refused(
    rail: Stripe, host: api.Host, double: Double, leg: MakeLeg
) -> None:
    one = leg(direction=PAY)
    submit(rail, one)
    (made,) = people.found(double.world, "transfer", one.reference)
    client = client_of(host.settings())
    double.next_troubles = ["stored error"]
    with pytest.raises(Exception, match="Something went wrong"):
        paying.reverse(client, made["id"])
    double.next_troubles = ["lost"]
    with pytest.raises(Exception, match="Stripe"):
        paying.reverse(client, made["id"])
    paying.reverse(client, made["id"])
    assert made["amount_reversed"] == made["amount"]


def test_an_account_that_is_gone_keeps_nobody_from_looking_at_the_others(
    lab: Lab, host: api.Host, double: Double
) -> None:
    names = sorted(f"m{n}-{double.world.account[-6:]}" for n in range(2))
    for name in names:
        lab.member(name)
    made = [onboarding.connect(host, name, country="DE", email="a@b.example") for name in names]
    first, second = sorted(made)
    transfers.enable(double.world, double.world.objects[second])
    del double.world.objects[first]
    with pytest.raises(Exception, match="No such account"):
        onboarding.refresh(host, everything=True)
    states = {each.id: each for each in onboarding.states(host)}
    assert states[first].transfers == "unknown"
    assert "No such account" in states[first].wanted
    assert states[second].transfers == "active"


def test_what_takes_money_back_names_its_leg(
    rail: Stripe, host: api.Host, double: Double, leg: MakeLeg
) -> None:
    """Settlement matches the line with the leg that was returned; nothing stays in transit."""
    disputed, refunded, paid = leg(), leg(), leg(direction=PAY)
    rail.submit([disputed, refunded, paid])
    intents = {each["metadata"]["reference"]: each for each in double.world.all("payment_intent")}
    payments.dispute(double.world, intents[disputed.reference], reason="fraudulent", inquiry=False)
    payments.refund(double.world, intents[refunded.reference])
    (made,) = people.found(double.world, "transfer", paid.reference)
    transfers.reverse(double.world, made, {})
    double.bends = [sparse]
    sweeping.run(host)
    with host.transaction() as session:
        rows = session.execute(
            sa.select(line.c.reference, sa.func.sum(line.c.amount_minor))
            .where(line.c.reference.in_([disputed.reference, refunded.reference, paid.reference]))
            .group_by(line.c.reference)
        )
        assert {row.reference: row.sum for row in rows} == {
            disputed.reference: 0,
            refunded.reference: 0,
            paid.reference: 0,
        }


def test_money_that_moves_during_a_pass_is_no_difference(host: api.Host, double: Double) -> None:
    sweeping.run(host)
    moved = iter([500])

    def bend(path: str, status: int, body: Any) -> tuple[int, Any]:
        if path == "/v1/balance_transactions" and (amount := next(moved, 0)):
            people.fill(double.world, amount)
        return status, body

    double.bends = [bend]
    swept = sweeping.run(host)
    assert (swept.lines, swept.differences) == (1, {})


def test_a_line_that_does_not_add_up_stops_no_other(host: api.Host, double: Double) -> None:
    sweeping.run(host)
    people.fill(double.world, 700)
    double.world.lines[-1]["fee"] = 1
    people.fill(double.world, 800)
    swept = sweeping.run(host)
    assert (swept.lines, swept.differences) == (1, {"EUR": 700})


@pytest.mark.parametrize("bent", [[], None, "x"])
def test_the_rail_tells_how_it_is_whatever_stripe_says(
    rail: Stripe, double: Double, bent: Any
) -> None:
    double.bends = [lambda *_: (200, bent)]
    assert isinstance(rail.health(), api.Health)


def in_usdc(one: dict[str, Any]) -> None:
    one["currency"] = "usdc"  # four letters: no currency of ISO 4217


def without_net(one: dict[str, Any]) -> None:
    del one["net"]


def with_a_decimal(one: dict[str, Any]) -> None:
    one["amount"] = one["net"] = "7.00"


def in_no_time(one: dict[str, Any]) -> None:
    one["created"] = "yesterday"


def of_a_new_kind(one: dict[str, Any]) -> None:
    one.update(type="quantum_settlement", reporting_category=None, source=None, description=None)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (in_usdc, False),
        (without_net, False),
        (with_a_decimal, False),
        (in_no_time, False),
        (of_a_new_kind, True),
    ],
)
def test_a_line_of_a_kind_that_nobody_foresaw_stops_no_other(
    host: api.Host, double: Double, change: Callable[[dict[str, Any]], None], kept: bool
) -> None:
    sweeping.run(host)
    people.fill(double.world, 700)
    strange = double.world.lines[-1]["id"]
    people.fill(double.world, 800)

    def bend(path: str, status: int, body: Any) -> tuple[int, Any]:
        if path == "/v1/balance_transactions":
            for one in body["data"]:
                if one["id"] == strange:
                    change(one)
        return status, body

    double.bends = [bend]
    swept = sweeping.run(host)
    assert (swept.lines, swept.differences) == ((2, {}) if kept else (1, {"EUR": 700}))


def test_a_balance_in_a_currency_of_no_country_is_left_alone(
    host: api.Host, double: Double
) -> None:
    sweeping.run(host)

    def bend(path: str, status: int, body: Any) -> tuple[int, Any]:
        if path == "/v1/balance":
            body["available"] += [{"amount": 5, "currency": "usdc"}, {"currency": "eur"}]
        return status, body

    double.bends = [bend]
    assert sweeping.run(host).differences == {}


@pytest.mark.parametrize(
    ("code", "kind"), [("account_invalid", api.Rejected), ("more_permissions_required", api.Retry)]
)
def test_a_connected_account_that_left_us_is_a_refusal_not_a_wait(
    rail: Stripe, double: Double, leg: MakeLeg, code: str, kind: type
) -> None:
    """It took our access back: the leg says so, and the settlement goes on. What the key may not
    do is mended by who made the key."""
    left = people.connected(double.world)
    gone, fine = leg(direction=PAY, account=left), leg(direction=PAY)
    transfers.restrict(double.world, double.world.get("account", left.connected), "revoked")
    error = {
        "type": "invalid_request_error",
        "code": code,
        "message": "The provided key does not have access to account. Access may be revoked.",
    }

    def bend(path: str, status: int, body: Any) -> tuple[int, Any]:
        return (403, {"error": error}) if status == 400 else (status, body)

    double.bends = [bend]
    outcomes = {each.reference: each for each in rail.submit([gone, fine])}
    assert isinstance(outcomes[fine.reference], api.Booked)
    told = outcomes[gone.reference]
    assert isinstance(told, kind)
    assert code in told.reason
