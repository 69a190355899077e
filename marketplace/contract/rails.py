"""What a rail is asked and answers: it moves the money of a settlement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Any, Protocol, TypeAlias, runtime_checkable

import msgspec

from marketplace.contract.orders import Health, NeverOrdered, Rejected, Retry, Unknown


class Direction(StrEnum):
    """Which way the money of a leg goes."""

    COLLECT = "collect"
    """From the member to the clearing house."""
    PAY = "pay"
    """From the clearing house to the member."""


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One payment of a settlement. `reference` is ours, stable over every try."""

    reference: str
    """At most 35 capital letters, digits and dashes, never used twice: your idempotency key, and
    what has to come back on the bank statement (EndToEndId)."""
    direction: Direction
    amount_minor: int
    """Above zero, in the smallest unit of `currency`: cents."""
    currency: str
    """ISO 4217."""
    name: str
    """Legal name of the member."""
    account: Any
    """The member's account: a struct of `Rail.account`."""
    due_on: date
    text: str
    """For the statement, 140 characters at most."""


class Submitted(msgspec.Struct, frozen=True, kw_only=True, tag="submitted"):
    """You have it and will execute it once; no money has moved yet, and we ask `lookup` again."""

    reference: str
    rail_reference: str
    """Your id of the payment."""
    after_s: int = 3600
    """When it is worth asking."""


class Booked(msgspec.Struct, frozen=True, kw_only=True, tag="booked"):
    """The whole amount has moved."""

    reference: str
    rail_reference: str
    booked_on: date


class Returned(msgspec.Struct, frozen=True, kw_only=True, tag="returned"):
    """It moved and came back, whole: nothing has moved in the end."""

    reference: str
    rail_reference: str
    reason: str
    """For finance, with the bank's code where there is one."""


LegOutcome: TypeAlias = Submitted | Booked | Returned | Rejected | Retry | Unknown | NeverOrdered
"""`Rejected`: no money has moved and none will; `Retry`: certainly not taken; `Unknown`: ask
`lookup`; `NeverOrdered`: answer of `lookup` only, proof that you never had it."""


@runtime_checkable
class Rail(Protocol):
    """Moves money. Called in a worker, outside any transaction, under a time limit."""

    slug: str
    """The plugin's slug."""
    directions: frozenset[Direction]
    """What it can do."""
    currencies: frozenset[str]
    """ISO 4217; empty: every currency."""
    account: type[msgspec.Struct]
    """What it needs to know of a member's account; members are asked for its fields."""

    def check_account(self, account: Any) -> None:
        """Raises InvalidRequest, with words for who typed it, where no money could reach it.

        Pure, no I/O: form and check digits.
        """
        ...

    def submit(self, legs: Sequence[Leg]) -> Sequence[LegOutcome]:
        """Take up to 200 legs; one outcome per leg, in any order.

        Must be idempotent by `Leg.reference`: money moves once however often a leg comes, and a
        known reference with another amount moves nothing new. A leg left unanswered, or a raise,
        counts as unknown.
        """
        ...

    def lookup(self, legs: Sequence[Leg]) -> Sequence[LegOutcome]:
        """Say what became of legs you may have; begins nothing.

        What `submit` began of a leg it may finish, or undo: so goes a leg that you move in parts.
        """
        ...

    def health(self) -> Health:
        """A quick check, a second at most."""
        ...
