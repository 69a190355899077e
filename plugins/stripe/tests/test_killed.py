"""Killed with -9 between Stripe's transfer and writing down its id: it is found, not made twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from marketplace_stripe import records
from marketplace_stripe.double import people
from marketplace_stripe.double.server import Double
from marketplace_stripe.rail import Stripe

from marketplace import api
from marketplace.testing import Lab

MakeLeg = Callable[..., api.Leg]


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def submit_and_die(database_url: str, one: api.Leg) -> None:
    """What a worker does, until it wants to write down what Stripe answered."""
    from marketplace.settings import Settings

    child = Lab(Settings(database_url=database_url))
    records.found = die
    Stripe(child.host("stripe")).submit([one])


@pytest.mark.parametrize("direction", list(api.Direction))
def test_it_is_found_by_its_reference(
    lab: Lab, rail: Stripe, double: Double, leg: MakeLeg, direction: api.Direction
) -> None:
    one = leg(direction=direction)
    kind = "payment_intent" if direction is api.Direction.COLLECT else "transfer"
    child = multiprocessing.get_context("spawn").Process(
        target=submit_and_die, args=(lab.settings.database_url, one)
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    (made,) = people.found(double.world, kind, one.reference)  # type: ignore[arg-type]
    # A day later the key is forgotten too.
    double.world.ahead_s += 90_000
    for outcome in (*rail.lookup([one]), *rail.submit([one])):
        assert isinstance(outcome, api.Booked)
        assert outcome.rail_reference == made["id"]
    assert len(people.found(double.world, kind, one.reference)) == 1  # type: ignore[arg-type]
