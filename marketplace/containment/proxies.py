"""What a plugin registers, where the plugin is not loaded: calls go to its own process."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal
from uuid import UUID

import msgspec

from marketplace import api
from marketplace.containment import messages
from marketplace.containment.keeper import Keeper
from marketplace.containment.messages import (
    Ask,
    AskHealth,
    AskRule,
    Describe,
    Finding,
    RunTask,
    SendNotices,
    Told,
)

TASK_S = 600.0
"""Longest that a plugin's periodic task may take."""
HEALTH_S = 2.0
DESCRIBE_S = 2.0
RULE_S = 1.0


class ProcessSupplier:
    """A supplier in its own process."""

    def __init__(self, slug: str, keeper: Keeper, timeout_s: float) -> None:
        self.slug = slug
        self._pool = keeper.pool(slug)
        self._timeout_s = timeout_s

    def ask(
        self,
        method: Literal["fulfil", "lookup"],
        orders: Sequence[api.Order],
        timeout_s: float,
        stopping: threading.Event | None = None,
    ) -> list[Any]:
        """Its answers by the deadline, not judged yet; raises what `Pool.call` raises."""
        raw = self._pool.call(Ask(method, list(orders)), timeout_s, stopping)
        return messages.outcomes_of(raw)

    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        """See `api.Supplier`."""
        return self.ask("fulfil", orders, self._timeout_s)

    def lookup(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        """See `api.Supplier`."""
        return self.ask("lookup", orders, self._timeout_s)

    def health(self) -> api.Health:
        """See `api.Supplier`."""
        return messages.decode(self._pool.call(AskHealth(), HEALTH_S), api.Health)


class ProcessDescriber:
    """An offer describer in its own process."""

    def __init__(self, slug: str, keeper: Keeper, number: int) -> None:
        self._pool = keeper.pool(slug)
        self._number = number

    def describe(self, offer_ids: Sequence[UUID], language: str) -> Mapping[UUID, api.OfferFace]:
        """See `api.OfferDescriber`."""
        raw = self._pool.call(Describe(self._number, list(offer_ids), language), DESCRIBE_S)
        return messages.decode(raw, dict[UUID, api.OfferFace])


class ProcessRule:
    """An eligibility rule in its plugin's process."""

    def __init__(self, slug: str, name: str, keeper: Keeper) -> None:
        self.name = name
        self._pool = keeper.pool(slug)

    def refusal(self, who: api.Who, offer_reference: str) -> api.Words | None:
        """See `api.EligibilityRule`; a raise refuses."""
        raw = self._pool.call(AskRule(self.name, who, offer_reference), RULE_S)
        words: api.Words | None = messages.decode(raw, str | dict[str, str] | None)
        return words


class ProcessNotifier:
    """What sends over a channel, in its plugin's process."""

    def __init__(self, channel: str, slug: str, keeper: Keeper) -> None:
        self.channel = channel
        self._pool = keeper.pool(slug)

    def ask(
        self, notices: Sequence[api.Notice], timeout_s: float, stopping: threading.Event
    ) -> list[Any]:
        """Its answers by the deadline, not judged yet; raises what `Pool.call` raises."""
        raw = self._pool.call(SendNotices(self.channel, list(notices)), timeout_s, stopping)
        return messages.notice_outcomes_of(raw)


def tasks_of(slug: str, finding: Finding, keeper: Keeper) -> dict[str, api.PeriodicTask]:
    """A plugin's periodic tasks by name, run in its process."""

    def run(name: str) -> None:
        keeper.pool(slug).call(RunTask(name), TASK_S)

    return {
        name: api.PeriodicTask(name=name, every_s=every_s, run=partial(run, name))
        for name, every_s in finding.tasks
    }


def told(hook: str, fact: Any) -> Told:
    """A fact as it is sent."""
    return Told(hook, msgspec.msgpack.encode(fact))
