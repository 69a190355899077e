"""Each scenario about rails passes one that does it right, and fails one that does it wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import msgspec
import pytest

from marketplace import api
from marketplace.certify.child import play
from marketplace.certify.domain import Result, Status
from marketplace.certify.scenario import About
from marketplace.certify.scenarios import SCENARIOS
from marketplace.certify.stage import PlayedRail
from marketplace.testing import Lab, RailRehearsal, Trouble
from tests.partners.test_scenarios import lab, make_stage

__all__ = ["lab"]  # a fixture

NAMES = [each.name for each in SCENARIOS.values() if each.about is About.RAILS]
HOSTILE: dict[str, list[type[Courier]]] = {}
"""Scenario -> rails that fail it."""


class Door(msgspec.Struct, frozen=True):
    """Where the courier brings the money."""

    number: str


class Courier:
    """Brings money to doors, once per leg."""

    slug = "acme"
    directions = frozenset({api.Direction.PAY})
    currencies = frozenset({"EUR"})
    account = Door

    def __init__(self) -> None:
        self.brought: dict[str, list[int]] = {}
        self.trouble: Trouble | None = None
        self.lock = threading.Lock()

    def check_account(self, account: Door) -> None:
        if not account.number.isdigit():
            raise api.InvalidRequest("A door has a number.")

    def bring(self, leg: api.Leg) -> None:
        """Once per reference."""
        with self.lock:
            self.brought.setdefault(leg.reference, [leg.amount_minor])

    def can(self, leg: api.Leg) -> bool:
        return leg.direction in self.directions and leg.currency in self.currencies

    def answer(self, leg: api.Leg) -> Any:
        return api.Booked(
            reference=leg.reference,
            rail_reference=f"C-{leg.reference}",
            booked_on=date(2026, 11, 25),
        )

    def submit(self, legs: Sequence[api.Leg]) -> Sequence[Any]:
        self.reach()
        for each in legs:
            if self.can(each):
                self.bring(each)
        if self.trouble is Trouble.LOST_ANSWER:
            raise TimeoutError
        return [
            self.answer(each)
            if self.can(each)
            else api.Rejected(reference=each.reference, reason="no")
            for each in legs
        ]

    def lookup(self, legs: Sequence[api.Leg]) -> Sequence[Any]:
        self.reach()
        return [
            self.answer(each)
            if each.reference in self.brought
            else api.NeverOrdered(reference=each.reference)
            for each in legs
        ]

    def health(self) -> api.Health:
        return api.Health(ok=True)

    def reach(self) -> None:
        if self.trouble is Trouble.DOWN:
            raise ConnectionError


class CourierRehearsal(RailRehearsal):
    """The courier's trouble is in itself."""

    rail: Courier

    def account(self) -> Door:
        return Door("7")

    @contextmanager
    def trouble(self, trouble: Trouble) -> Iterator[None]:
        self.rail.trouble = trouble
        try:
            yield
        finally:
            self.rail.trouble = None

    def moved(self, reference: str) -> list[int]:
        return self.rail.brought.get(reference, [])


def fails(scenario: str) -> Callable[[type[Courier]], type[Courier]]:
    """Say which scenario finds the rail below."""

    def note(rail: type[Courier]) -> type[Courier]:
        HOSTILE.setdefault(scenario, []).append(rail)
        return rail

    return note


@fails("leg-account")
class GoesAnywhere(Courier):
    def check_account(self, account: Door) -> None:
        pass


@fails("leg-account")
class StumblesOverDoors(Courier):
    def check_account(self, account: Door) -> None:
        int(account.number)


@fails("leg-account")
class LooksForTheDoor(Courier):
    def check_account(self, account: Door) -> None:
        time.sleep(1.5)
        super().check_account(account)


@fails("leg-submit")
class TakesAShare(Courier):
    def bring(self, leg: api.Leg) -> None:
        self.brought.setdefault(leg.reference, [max(leg.amount_minor - 100, 1)])


@fails("leg-submit")
class HasNoReference(Courier):
    def answer(self, leg: api.Leg) -> Any:
        return msgspec.structs.replace(super().answer(leg), rail_reference="")


@fails("leg-submit")
class SaysDone(Courier):
    def answer(self, leg: api.Leg) -> Any:
        return "done"


@fails("leg-submit")
class OnlySaysSo(Courier):
    def bring(self, leg: api.Leg) -> None:
        pass


@fails("leg-duplicate")
class BringsAgain(Courier):
    def bring(self, leg: api.Leg) -> None:
        with self.lock:
            self.brought.setdefault(leg.reference, []).append(leg.amount_minor)


@fails("leg-duplicate")
class NumbersAfresh(Courier):
    def answer(self, leg: api.Leg) -> Any:
        return msgspec.structs.replace(super().answer(leg), rail_reference=str(time.time_ns()))


@fails("leg-changed")
class BringsTheRest(Courier):
    def bring(self, leg: api.Leg) -> None:
        with self.lock:
            amounts = self.brought.setdefault(leg.reference, [])
            if leg.amount_minor not in amounts:
                amounts.append(leg.amount_minor)


@fails("leg-lookup")
class BringsWhenAsked(Courier):
    def lookup(self, legs: Sequence[api.Leg]) -> Sequence[Any]:
        answers = super().lookup(legs)
        for each in legs:
            self.bring(each)
        return answers


@fails("leg-lookup")
class NeverKnows(Courier):
    def lookup(self, legs: Sequence[api.Leg]) -> Sequence[Any]:
        return [api.Unknown(reference=each.reference, reason="?") for each in legs]


@fails("leg-refused")
class TakesEverything(Courier):
    def can(self, leg: api.Leg) -> bool:
        return True


@fails("leg-lost-answer")
class RefusesWhatItBrought(Courier):
    def submit(self, legs: Sequence[api.Leg]) -> Sequence[Any]:
        try:
            return super().submit(legs)
        except TimeoutError:
            return [api.Retry(reference=each.reference, reason="again") for each in legs]


@fails("leg-outage")
class ProvesInAnOutage(Courier):
    def lookup(self, legs: Sequence[api.Leg]) -> Sequence[Any]:
        try:
            return super().lookup(legs)
        except ConnectionError:
            return [api.NeverOrdered(reference=each.reference) for each in legs]


@fails("leg-outage")
class RefusesInAnOutage(Courier):
    def submit(self, legs: Sequence[api.Leg]) -> Sequence[Any]:
        try:
            return super().submit(legs)
        except ConnectionError:
            return [api.Rejected(reference=each.reference, reason="closed") for each in legs]


def played(lab: Lab, scenario: str, rail: Courier, kind: type[RailRehearsal]) -> Result:
    stage = make_stage(lab, rail)
    vars(stage)["rails"] = [PlayedRail(rail, kind(lab, lab.host("acme"), rail))]
    result = play(stage, SCENARIOS[scenario])
    assert result is not None
    return result


@pytest.mark.parametrize("scenario", NAMES)
def test_a_good_rail_passes(scenario: str, lab: Lab) -> None:
    result = played(lab, scenario, Courier(), CourierRehearsal)
    assert result.status is Status.PASSED, result.found


@pytest.mark.parametrize(
    ("scenario", "hostile"),
    [(scenario, each) for scenario, several in HOSTILE.items() for each in several],
)
def test_a_hostile_rail_is_found_and_told_what_to_do(
    scenario: str, hostile: type[Courier], lab: Lab
) -> None:
    result = played(lab, scenario, hostile(), CourierRehearsal)
    assert result.status is Status.FAILED
    assert result.found
    assert result.advice


def test_each_scenario_about_rails_has_a_hostile_one() -> None:
    assert set(NAMES) == set(HOSTILE)


@pytest.mark.parametrize("scenario", NAMES)
def test_without_a_rehearsal_nothing_passes(scenario: str, lab: Lab) -> None:
    result = played(lab, scenario, Courier(), RailRehearsal)
    assert result.status is Status.NOT_SHOWN
    assert "rehearsal" in result.found
