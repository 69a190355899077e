"""Each scenario about rails by file passes one that does it right, and fails one that does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO

import msgspec
import pytest

from marketplace import api
from marketplace.certify.child import play
from marketplace.certify.domain import Result, Status
from marketplace.certify.scenario import About
from marketplace.certify.scenarios import SCENARIOS
from marketplace.certify.stage import PlayedFileRail
from marketplace.testing import FileRailRehearsal, Lab
from tests.partners.test_scenarios import lab, make_stage

__all__ = ["lab"]  # a fixture

NAMES = [each.name for each in SCENARIOS.values() if each.about is About.FILE_RAILS]
HOSTILE: dict[str, list[type[Clerk]]] = {}
"""Scenario -> rails that fail it."""


class Box(msgspec.Struct, frozen=True):
    """Where the clerk puts letters."""

    number: str


class Desk(msgspec.Struct, frozen=True):
    """Where they come from."""

    name: str


class Clerk:
    """Writes a letter for each direction."""

    slug = "acme"
    directions = frozenset({api.Direction.PAY})
    currencies = frozenset({"EUR"})
    account = Box
    house = Desk

    def check_account(self, account: Box) -> None:
        if not account.number.isdigit():
            raise api.InvalidRequest("A box has a number.")

    def house_now(self) -> Any:
        return Desk("D-1")

    def check(self, leg: api.Leg) -> None:
        if leg.currency != "EUR" or leg.direction is not api.Direction.PAY or leg.amount_minor < 1:
            raise api.InvalidRequest(f"{leg.reference} cannot be paid.")

    def words(self, leg: api.Leg) -> str:
        return "".join(each for each in leg.text if each.isalnum() or each == " ")

    def line(self, leg: api.Leg) -> str:
        return f"{leg.reference} {leg.account.number} {leg.amount_minor} {self.words(leg)}\n"

    def files(self, batch: api.Batch, legs: Sequence[api.Leg]) -> Any:
        for leg in legs:
            self.check(leg)
        references = tuple(sorted(each.reference for each in legs))
        if len(set(references)) < len(references):
            raise api.InvalidRequest(f"{references} hold one twice.")
        if not legs:
            return []
        head = f"{batch.reference} {batch.made_at} {batch.house.name}\n"
        content = (head + "".join(map(self.line, legs))).encode()
        return [
            api.RailFile(
                name="letter.txt",
                media_type="text/plain",
                content=content,
                references=references,
                message_id=self.message_id(batch),
                blocks={self.message_id(batch): references},
            )
        ]

    def message_id(self, batch: api.Batch) -> str:
        return batch.reference

    def read(self, source: BinaryIO) -> Iterator[Any]:
        lines = source.read().split(b"\n")
        if lines[-1:] != [b"END"]:
            raise api.InvalidRequest(f"Line {len(lines)}: it does not say END.")
        for each in lines[:-1]:
            yield api.LegStatus(reference=each.decode(), state=api.BankAnswer.REJECTED)

    def health(self) -> api.Health:
        return api.Health(ok=True)


class ClerkRehearsal(FileRailRehearsal):
    """Knows a box, and what comes back."""

    def account(self) -> Box:
        return Box("7")

    def bank_files(self) -> Mapping[str, bytes]:
        return {"answer.txt": b"L-1\nL-2\nEND"}


def fails(scenario: str) -> Callable[[type[Clerk]], type[Clerk]]:
    """Say which scenario finds the rail below."""

    def note(rail: type[Clerk]) -> type[Clerk]:
        HOSTILE.setdefault(scenario, []).append(rail)
        return rail

    return note


@fails("file-account")
class PutsAnywhere(Clerk):
    def check_account(self, account: Box) -> None:
        pass


@fails("file-account")
class StumblesOverBoxes(Clerk):
    def check_account(self, account: Box) -> None:
        int(account.number)


@fails("file-legs")
class ForgetsOne(Clerk):
    def files(self, batch: api.Batch, legs: Sequence[api.Leg]) -> Any:
        return super().files(batch, legs[:1])


@fails("file-legs")
class PaysTwice(Clerk):
    def files(self, batch: api.Batch, legs: Sequence[api.Leg]) -> Any:
        found = super().files(batch, legs)
        return found + [msgspec.structs.replace(each, name="again.txt") for each in found]


@fails("file-legs")
class Anonymous(Clerk):
    def line(self, leg: api.Leg) -> str:
        return f"{leg.account.number} {leg.amount_minor}\n"


@fails("file-legs")
class HasNoDesk(Clerk):
    def house_now(self) -> Any:
        return None


@fails("file-blocks")
class CallsEachFileTheSame(Clerk):
    def line(self, leg: api.Leg) -> str:
        return "A-1 " + super().line(leg)

    def message_id(self, batch: api.Batch) -> str:
        return "A-1"


@fails("file-blocks")
class StatesWhatItDoesNotWrite(Clerk):
    def message_id(self, batch: api.Batch) -> str:
        return f"{batch.reference}-ELSE"


@fails("file-blocks")
class ForgetsOneInItsBlock(Clerk):
    def files(self, batch: api.Batch, legs: Sequence[api.Leg]) -> Any:
        return [
            msgspec.structs.replace(each, blocks={batch.reference: each.references[:1]})
            for each in super().files(batch, legs)
        ]


@fails("file-same")
class LooksAtTheClock(Clerk):
    def line(self, leg: api.Leg) -> str:
        return super().line(leg) + f"{datetime.now()}"  # noqa: DTZ005 - it is wrong


@fails("file-same")
class PaysWhatItLikes(Clerk):
    def line(self, leg: api.Leg) -> str:
        return f"{leg.reference} 100\n"


@fails("file-refused")
class PaysNothing(Clerk):
    def check(self, leg: api.Leg) -> None:
        pass


@fails("file-refused")
class Stumbles(Clerk):
    def check(self, leg: api.Leg) -> None:
        assert leg.amount_minor, leg
        super().check(leg)


@fails("file-words")
class Copies(Clerk):
    def words(self, leg: api.Leg) -> str:
        return leg.text


@fails("file-words")
class KnowsLatinOnly(Clerk):
    def words(self, leg: api.Leg) -> str:
        return leg.text.encode("latin-1").decode("latin-1").replace("<", "")


@fails("bank-files")
class ReadsUpToAnywhere(Clerk):
    def read(self, source: BinaryIO) -> Iterator[Any]:
        for each in source.read().split(b"\n"):
            if each == b"":
                raise api.InvalidRequest("Line 1 is empty.")
            yield api.LegStatus(reference=repr(each), state=api.BankAnswer.REJECTED)


@fails("bank-files")
class ReadsTheClock(Clerk):
    def read(self, source: BinaryIO) -> Iterator[Any]:
        for each in super().read(source):
            yield msgspec.structs.replace(each, text=str(time.time_ns()))


@fails("bank-garbage")
class ReadsAnything(Clerk):
    def read(self, source: BinaryIO) -> Iterator[Any]:
        source.read()
        yield from ()


@fails("bank-garbage")
class StumblesOverGarbage(Clerk):
    def read(self, source: BinaryIO) -> Iterator[Any]:
        raise ValueError("what is this?")


def played(lab: Lab, scenario: str, rail: Any, kind: type[FileRailRehearsal]) -> Result:
    stage = make_stage(lab, rail)
    vars(stage)["file_rails"] = [PlayedFileRail(rail, kind(lab, lab.host("acme"), rail))]
    result = play(stage, SCENARIOS[scenario])
    assert result is not None
    return result


@pytest.mark.parametrize("scenario", NAMES)
def test_a_good_rail_passes(scenario: str, lab: Lab) -> None:
    result = played(lab, scenario, Clerk(), ClerkRehearsal)
    assert result.status is Status.PASSED, result.found


@pytest.mark.parametrize(
    ("scenario", "hostile"),
    [(scenario, each) for scenario, several in HOSTILE.items() for each in several],
)
def test_a_hostile_rail_is_found_and_told_what_to_do(
    scenario: str, hostile: type[Clerk], lab: Lab
) -> None:
    result = played(lab, scenario, hostile(), ClerkRehearsal)
    assert result.status is Status.FAILED
    assert result.found
    assert result.advice


def test_each_scenario_about_them_has_a_hostile_one() -> None:
    assert set(NAMES) == set(HOSTILE)


@pytest.mark.parametrize("scenario", [each for each in NAMES if each != "bank-garbage"])
def test_without_a_rehearsal_nothing_passes(scenario: str, lab: Lab) -> None:
    result = played(lab, scenario, Clerk(), FileRailRehearsal)
    assert result.status is Status.NOT_SHOWN
    assert "rehearsal" in result.found
