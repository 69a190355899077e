"""Rails that lie outside this machine: stateful, and they can misbehave."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from marketplace import api
from marketplace.errors import InvalidRequest


class Account(msgspec.Struct, frozen=True):
    """Where a member's money is."""

    number: str


class House(msgspec.Struct, frozen=True):
    """The clearing house's side."""

    number: str


def check(account: Any) -> None:
    """Account numbers end in a seven."""
    number = account["number"] if isinstance(account, dict) else account.number
    if not number.endswith("7"):
        raise InvalidRequest(f"{number} is no account: the last digit must be 7.")


class FakeFileRail:
    """Writes one file per direction, in which every leg is a line; those at even places are the
    block of payments FRST-1, the others RCUR-1."""

    slug = "paper"
    directions = frozenset(api.Direction)
    currencies = frozenset({"EUR", "PLN"})
    account = Account
    house = House

    def __init__(self) -> None:
        self.number = "HOUSE-7"
        self.taste = ""
        """What a version that does not keep its word adds."""

    def check_account(self, account: Any) -> None:
        check(account)

    def house_now(self) -> House:
        return House(self.number)

    def files(self, batch: api.Batch, legs: Sequence[api.Leg]) -> Sequence[api.RailFile]:
        made = []
        for direction in api.Direction:
            mine = [leg for leg in legs if leg.direction is direction]
            if mine:
                lines = [f"{batch.reference} {batch.made_at.isoformat()} {batch.house}{self.taste}"]
                lines += [
                    f"{leg.reference} {leg.amount_minor} {leg.currency} {leg.name} {leg.account} "
                    f"{leg.due_on} {leg.text}"
                    for leg in mine
                ]
                name = f"{batch.reference}-{direction}"
                references = tuple(leg.reference for leg in mine)
                blocks = {"FRST-1": references[::2], "RCUR-1": references[1::2]}
                made.append(
                    api.RailFile(
                        name=f"{name}.txt",
                        media_type="text/plain",
                        content="\n".join(lines).encode(),
                        references=references,
                        message_id=name,
                        blocks={f"{name}-{own}": legs for own, legs in blocks.items() if legs},
                    )
                )
        return made

    def health(self) -> api.Health:
        return api.Health(ok=True)


class FakeBank:
    """An online rail that remembers every leg it ever took, and moves money once per reference."""

    slug = "online"
    directions = frozenset(api.Direction)
    currencies: frozenset[str] = frozenset()
    account = Account

    def __init__(self) -> None:
        self.taken: dict[str, api.Leg] = {}
        self.asked: list[str] = []
        """References of `submit`, each time they came."""
        self.books = True
        """Whether a look-up finds what was taken booked."""
        self.refuses: dict[str, str] = {}
        """Reasons by member's name."""
        self.moods: list[str] = []
        """How the next calls of `submit` go: `lost` (taken, no answer), `dead` (neither),
        `busy` (certainly not taken)."""
        self.says: dict[str, api.LegOutcome] = {}
        """What a look-up answers whatever is true, by reference."""
        self.lock = threading.Lock()

    def check_account(self, account: Any) -> None:
        check(account)

    def submit(self, legs: Sequence[api.Leg]) -> Sequence[api.LegOutcome]:
        with self.lock:
            mood = self.moods.pop(0) if self.moods else ""
            return [self._one(leg, mood) for leg in legs]

    def _one(self, leg: api.Leg, mood: str) -> api.LegOutcome:
        self.asked.append(leg.reference)
        if mood == "busy":
            return api.Retry(reference=leg.reference, reason="come back", after_s=5)
        if mood == "dead":
            return api.Unknown(reference=leg.reference, reason="no answer", after_s=5)
        if leg.name in self.refuses:
            return api.Rejected(reference=leg.reference, reason=self.refuses[leg.name])
        self.taken.setdefault(leg.reference, leg)
        if mood == "lost":
            return api.Unknown(reference=leg.reference, reason="no answer", after_s=5)
        return api.Submitted(
            reference=leg.reference, rail_reference=f"tx-{leg.reference}", after_s=5
        )

    def lookup(self, legs: Sequence[api.Leg]) -> Sequence[api.LegOutcome]:
        return [self._look(leg) for leg in legs]

    def _look(self, leg: api.Leg) -> api.LegOutcome:
        if leg.reference in self.says:
            return self.says[leg.reference]
        if leg.reference not in self.taken:
            return api.NeverOrdered(reference=leg.reference)
        rail_reference = f"tx-{leg.reference}"
        if self.books:
            return api.Booked(
                reference=leg.reference, rail_reference=rail_reference, booked_on=date(2026, 1, 5)
            )
        return api.Submitted(reference=leg.reference, rail_reference=rail_reference, after_s=5)

    def health(self) -> api.Health:
        return api.Health(ok=True)
