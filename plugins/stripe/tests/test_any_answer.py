"""Whatever Stripe answers, in any shape: money moves once, and nothing is said that is not so."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from marketplace_stripe import amounts, client, sweeping
from marketplace_stripe.asking import Unclear
from marketplace_stripe.double import people
from marketplace_stripe.double.server import Double
from marketplace_stripe.rail import UNREADABLE, Stripe
from stripe import StripeError

from marketplace import api

MakeLeg = Callable[..., api.Leg]
WRONG: tuple[Any, ...] = (None, "x", [], {}, -1)
"""What stands where something else should; or it is left out."""
DAY_S = 90_000


def spoil(chance: random.Random, body: Any) -> None:
    """Something in an answer is not what it was."""
    if isinstance(body, list) and body:
        spoil(chance, chance.choice(body))
    if not isinstance(body, dict) or not body:
        return
    name = chance.choice(list(body))
    if isinstance(body[name], dict | list) and body[name] and chance.random() < 0.7:
        spoil(chance, body[name])
    elif (which := chance.randrange(len(WRONG) + 1)) < len(WRONG):
        body[name] = WRONG[which]
    else:
        del body[name]


def made(double: Double, leg: api.Leg) -> list[dict[str, Any]]:
    """What there is of a leg that may have moved money."""
    kind: Any = "payment_intent" if leg.direction is api.Direction.COLLECT else "transfer"
    found = people.found(double.world, kind, leg.reference)
    return [each for each in found if each.get("status") != "canceled"]


def is_true(double: Double, leg: api.Leg, told: api.LegOutcome) -> bool:
    moved = sum(each["amount"] for each in made(double, leg))
    if isinstance(told, api.Booked):
        return moved == leg.amount_minor
    if isinstance(told, api.Rejected | api.Retry | api.NeverOrdered):
        return moved == 0
    return moved <= leg.amount_minor


@pytest.mark.parametrize("seed", range(8))
def test_it_is_true_what_is_said(
    rail: Stripe,
    double: Double,
    host: api.Host,
    leg: MakeLeg,
    ages: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same each time
    monkeypatch.setattr(amounts, "LARGEST", 10_000)  # so some go in parts
    people.fill(double.world, 10_000_000)

    def bend(path: str, status: int, body: Any) -> tuple[int, Any]:
        if chance.random() < 0.35:
            spoil(chance, body)
        return status, body

    double.bends = [bend]
    legs = [leg(direction=each, amount_minor=n) for each in api.Direction for n in (5_000, 25_000)]
    for ask in (rail.submit, *[rail.lookup] * 5):
        told = {each.reference: each for each in ask(legs)}
        assert set(told) == {each.reference for each in legs}
        assert [
            told[each.reference] for each in legs if not is_true(double, each, told[each.reference])
        ] == []
        try:
            sweeping.run(host)
        except (StripeError, Unclear, *UNREADABLE):
            pass  # the next pass finds it
        for each in legs:
            ages(each.reference)
        double.world.ahead_s += DAY_S
    double.bends = []
    assert not [each for each in rail.lookup(legs) if isinstance(each, api.Unknown)]
    assert sweeping.run(host).differences == {}


@pytest.mark.parametrize("answer", [None, "", "x", -1, {}])
def test_an_account_that_stripe_does_not_name_is_not_remembered(
    rail: Stripe, double: Double, leg: MakeLeg, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(client, "_accounts", {})
    one = leg()
    double.bends = [lambda path, status, body: (status, {**body, "id": answer})]
    (told,) = rail.submit([one])
    assert isinstance(told, api.Unknown)
    assert made(double, one) == []
    double.bends = []
    (told,) = rail.lookup([one])
    assert isinstance(told, api.NeverOrdered)
    (told,) = rail.submit([one])
    assert isinstance(told, api.Booked)


def test_an_answer_that_names_another_leg_s_payment_spoils_no_other(
    rail: Stripe, double: Double, leg: MakeLeg, ages: Callable[[str], None]
) -> None:
    first, second, third = leg(), leg(), leg()
    rail.submit([first])
    (other,) = made(double, first)

    def bend(path: str, status: int, body: Any) -> tuple[int, Any]:
        if body.get("metadata", {}).get("reference") == second.reference:
            body = {**body, "id": other["id"], "metadata": {}}
        return status, body

    double.bends = [bend]
    told = {each.reference: each for each in rail.submit([second, third])}
    assert isinstance(told[second.reference], api.Unknown)
    assert isinstance(told[third.reference], api.Booked)
    double.bends = []
    ages(second.reference)
    (again,) = rail.lookup([second])
    assert isinstance(again, api.Booked)
    assert again.rail_reference == made(double, second)[0]["id"] != other["id"]
