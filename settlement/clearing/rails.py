"""Rails as clearing calls them: each in its plugin's process, with its answers judged.

Accounts and the house's own side go in as the JSON that was kept. Everything waits: it is called
in a thread, outside any transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from marketplace.contract.file_rails import Batch, RailFile
from marketplace.contract.rails import Direction, Leg, LegOutcome
from settlement.clearing.errors import RailMissing
from settlement.clearing.models import SettlementLeg

T = TypeVar("T")
MOST_LEGS = 200
"""Legs that a rail is asked about at once."""


class AnyRail(Protocol):
    """What every rail has."""

    slug: str
    directions: frozenset[Direction]
    currencies: frozenset[str]

    def check_account(self, account: Any) -> None:
        """Raises InvalidRequest where no money could reach it."""
        ...


class OnlineRail(AnyRail, Protocol):
    """Moves money when it is asked. Each leg is answered once; nothing is raised."""

    def submit(self, legs: Sequence[Leg]) -> Sequence[LegOutcome]:
        """See `marketplace.api.Rail`."""
        ...

    def lookup(self, legs: Sequence[Leg]) -> Sequence[LegOutcome]:
        """See `marketplace.api.Rail`."""
        ...


class FileRail(AnyRail, Protocol):
    """Makes files that somebody carries to a bank."""

    def house_now(self) -> Any:
        """See `marketplace.api.FileRail`."""
        ...

    def files(self, batch: Batch, legs: Sequence[Leg]) -> Sequence[RailFile]:
        """See `marketplace.api.FileRail`."""
        ...


Rails: TypeAlias = Mapping[str, Any]
"""Rails by slug."""


def rail_of(rails: Rails, slug: str) -> Any:
    """The rail of this name; RailMissing where no enabled plugin has it."""
    found = rails.get(slug)
    if found is None:
        known = ", ".join(sorted(rails)) or "none"
        raise RailMissing(f"There is no rail {slug!r}; there are: {known}.")
    return found


def makes_files(rail: Any) -> bool:
    """Whether somebody carries its files to a bank."""
    return hasattr(rail, "files")


async def ask(call: Callable[..., T], *arguments: Any) -> T:
    """What a rail answers, in a thread of its own."""
    return await asyncio.to_thread(call, *arguments)


def contract_leg(leg: SettlementLeg) -> Leg:
    """A leg as its rail sees it, from what was kept when it was submitted: always the same."""
    return Leg(
        reference=leg.reference,
        direction=leg.direction,
        amount_minor=leg.amount_minor,
        currency=leg.currency,
        name=leg.name,
        account=leg.account,
        due_on=leg.due_on,
        text=leg.text,
    )
