"""Each scenario about notifiers passes one that does it right, and fails one that does it wrong."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from marketplace import api
from marketplace.certify.child import play
from marketplace.certify.domain import Result, Status
from marketplace.certify.scenario import About
from marketplace.certify.scenarios import SCENARIOS
from marketplace.certify.stage import Played
from marketplace.testing import Lab, NotifierRehearsal, Trouble
from tests.partners.test_scenarios import lab, make_stage

__all__ = ["lab"]  # a fixture

NAMES = [each.name for each in SCENARIOS.values() if each.about is About.NOTIFIERS]
HOSTILE: dict[str, list[type[Radio]]] = {}
"""Scenario -> notifiers that fail it."""


class Radio:
    """Calls people by their call sign, once per notice."""

    channel = "acme.radio"
    label = "Radio"
    address_label = "Call sign"

    def __init__(self) -> None:
        self.called: dict[str, int] = {}
        self.trouble: Trouble | None = None

    def accept(self, address: str) -> str:
        """Letters and digits, in capitals."""
        if not (address.isascii() and address.isalnum() and len(address) < 10):
            raise api.InvalidRequest("A call sign has up to nine letters and digits.")
        return address.upper()

    def call(self, notice: api.Notice) -> None:
        """Once per reference."""
        self.called.setdefault(notice.reference, 1)

    def send(self, notices: Sequence[api.Notice]) -> Sequence[Any]:
        """Calls everybody."""
        if self.trouble is Trouble.DOWN:
            return [api.Retry(reference=each.reference, reason="noise") for each in notices]
        for each in notices:
            self.call(each)
        if self.trouble is Trouble.LOST_ANSWER:
            raise TimeoutError
        return [api.Sent(reference=each.reference) for each in notices]


class RadioRehearsal(NotifierRehearsal):
    """The radio's trouble is in itself."""

    notifier: Radio

    def address(self) -> str:
        return "dl1abc"

    @contextmanager
    def trouble(self, trouble: Trouble) -> Iterator[None]:
        self.notifier.trouble = trouble
        try:
            yield
        finally:
            self.notifier.trouble = None

    def arrived(self, reference: str) -> int:
        return self.notifier.called.get(reference, 0)


def fails(scenario: str) -> Callable[[type[Radio]], type[Radio]]:
    """Say which scenario finds the notifier below."""

    def note(notifier: type[Radio]) -> type[Radio]:
        HOSTILE.setdefault(scenario, []).append(notifier)
        return notifier

    return note


@fails("notice-address")
class TakesAnything(Radio):
    def accept(self, address: str) -> str:
        return address + "!"


@fails("notice-address")
class RaisesOther(Radio):
    def accept(self, address: str) -> str:
        return str({"DL1ABC": "DL1ABC", "dl1abc": "DL1ABC"}[address])


@fails("notice-address")
class RefusesSpeechless(Radio):
    def accept(self, address: str) -> str:
        try:
            return super().accept(address)
        except api.InvalidRequest:
            raise api.InvalidRequest("  ") from None


@fails("notice-address")
class AsksTheNetwork(Radio):
    def accept(self, address: str) -> str:
        with socket.socket() as probe:
            probe.connect_ex(("127.0.0.1", 9))
        return super().accept(address)


@fails("notice-address")
class ThinksLong(Radio):
    def accept(self, address: str) -> str:
        time.sleep(1.5)
        return super().accept(address)


@fails("notice-sent")
class AnswersNone(Radio):
    def send(self, notices: Sequence[api.Notice]) -> Sequence[Any]:
        return list(super().send(notices))[1:]


@fails("notice-sent")
class ChokesOnOddWords(Radio):
    def send(self, notices: Sequence[api.Notice]) -> Sequence[Any]:
        for each in notices:
            each.text.encode("latin-1")
        return super().send(notices)


@fails("notice-sent")
class RefusesLongWords(Radio):
    def send(self, notices: Sequence[api.Notice]) -> Sequence[Any]:
        return [
            api.Rejected(reference=each.reference, reason="too long")
            if len(each.text) > 160
            else api.Sent(reference=each.reference)
            for each in notices
            if self.call(each) is None
        ]


@fails("notice-sent")
class Exits(Radio):
    def send(self, notices: Sequence[api.Notice]) -> Sequence[Any]:
        raise SystemExit


@fails("notice-sent")
class ClaimsAndForgets(Radio):
    def call(self, notice: api.Notice) -> None:
        pass


@fails("notice-again")
class CallsAgain(Radio):
    def call(self, notice: api.Notice) -> None:
        self.called[notice.reference] = self.called.get(notice.reference, 0) + 1


@fails("notice-outage")
class SaysSentInAnOutage(Radio):
    def send(self, notices: Sequence[api.Notice]) -> Sequence[Any]:
        super().send(notices)
        return [api.Sent(reference=each.reference) for each in notices]


@fails("notice-outage")
class RefusesInAnOutage(Radio):
    def send(self, notices: Sequence[api.Notice]) -> Sequence[Any]:
        if self.trouble is Trouble.DOWN:
            return [api.Rejected(reference=each.reference, reason="no") for each in notices]
        return super().send(notices)


@fails("notice-lost-answer")
class RefusesWhatItSent(Radio):
    def send(self, notices: Sequence[api.Notice]) -> Sequence[Any]:
        try:
            return super().send(notices)
        except TimeoutError:
            return [api.Rejected(reference=each.reference, reason="?") for each in notices]


@fails("notice-lost-answer")
class CallsAgainAfterTrouble(Radio):
    def call(self, notice: api.Notice) -> None:
        late = self.trouble is Trouble.LOST_ANSWER
        self.called[notice.reference] = 1 if late else self.called.get(notice.reference, 0) + 1


@fails("notice-private")
class Chatters(Radio):
    def send(self, notices: Sequence[api.Notice]) -> Sequence[Any]:
        for each in notices:
            logging.getLogger("acme").info("to %s: %s", each.address, each.text)
        return super().send(notices)


def played(lab: Lab, scenario: str, notifier: Radio, kind: type[NotifierRehearsal]) -> Result:
    stage = make_stage(lab, notifier)
    rehearsal = kind(lab, lab.host("acme"), notifier)
    vars(stage)["notifiers"] = [Played(notifier, rehearsal)]
    result = play(stage, SCENARIOS[scenario])
    assert result is not None
    return result


@pytest.mark.parametrize("scenario", NAMES)
def test_a_good_notifier_passes(scenario: str, lab: Lab) -> None:
    result = played(lab, scenario, Radio(), RadioRehearsal)
    assert result.status is Status.PASSED, result.found


@pytest.mark.parametrize(
    ("scenario", "hostile"),
    [(scenario, each) for scenario, several in HOSTILE.items() for each in several],
)
def test_a_hostile_notifier_is_found_and_told_what_to_do(
    scenario: str, hostile: type[Radio], lab: Lab
) -> None:
    result = played(lab, scenario, hostile(), RadioRehearsal)
    assert result.status is Status.FAILED
    assert result.found
    assert result.advice


def test_each_scenario_about_notifiers_has_a_hostile_one() -> None:
    assert set(NAMES) == set(HOSTILE)


@pytest.mark.parametrize("scenario", NAMES)
def test_without_a_rehearsal_nothing_passes(scenario: str, lab: Lab) -> None:
    result = played(lab, scenario, Radio(), NotifierRehearsal)
    assert result.status is Status.NOT_SHOWN
    assert "rehearsal" in result.found
