"""The relay: publishes held burns that are due, and those whose message or worker was lost.

A burn is published before it is marked, in one transaction: a crash in between publishes it twice,
which is harmless, for only one worker can claim it. Marking only moves `due_at` on: what is not
resolved by then is due again, so the relay is its own sweeper and a wiped broker loses nothing.

A message costs its worker much the same whatever it holds. A lone burn goes at once; while more of
them come a plugin gets full messages, and one that is not full every `fill_s` seconds.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from marketplace.db import raw_connection
from marketplace.fulfilment import misdated, repository
from marketplace.fulfilment.breaker import PROBE_ORDERS, Breaker, state_of
from marketplace.fulfilment.domain import stale_s
from marketplace.fulfilment.home import pause
from marketplace.fulfilment.repository import Due
from marketplace.fulfilment.sending import GiveUp, in_time, keep_all
from marketplace.runtime import Runtime

log = logging.getLogger(__name__)

Publish = Callable[[str, Sequence[tuple[str, str]], bool], None]
"""Send the burns (id, wallet id) of one plugin to its queue, as a probe or not; returns once the
broker has them."""

CHUNKS_A_ROUND = 10
MISSING_S = 60.0
"""Orders of a plugin that is not installed are looked at again after this."""
RESTING_S = 15.0
"""Orders of a plugin that is not active are looked at again after this."""
LONGEST_BACKOFF_S = 10.0
MISDATED_EVERY_S = 60.0
"""So often it is looked whether the database's clock was set back."""


class Relay:
    """One relay. Any number may run at once."""

    def __init__(
        self,
        runtime: Runtime,
        publish: Publish,
        *,
        fill_s: float = 0.0,
        give_up: GiveUp = keep_all,
    ) -> None:
        """`fill_s`: the shortest time between two messages to a plugin that are not full.

        `give_up` is called where `publish` takes too long.
        """
        self._runtime = runtime
        self._publish = publish
        self._give_up = give_up
        self._fill_s = fill_s
        self._not_full_at: dict[str, float] = {}
        """When (monotonic) a plugin last got such a message."""
        self._stale_s = stale_s(runtime.settings.supplier_timeout_s)
        self._limits = misdated.limits(runtime.settings.supplier_timeout_s)
        self._dates_seen_at: float | None = None
        """When (monotonic) it was last looked for times that lie too far ahead."""
        self._missing_logged: set[str] = set()

    async def round(self) -> int:
        """Publish one batch of what is due; returns how many burns were seen to."""
        await self._see_to_dates()
        most = self._runtime.settings.relay_chunk * CHUNKS_A_ROUND
        async with self._runtime.database.begin() as session:
            connection = await raw_connection(session)
            counts = await repository.count_due(connection, most)
            ready = [plugin for plugin, count in counts.items() if self._takes(plugin, count)]
            if not ready:
                return 0
            by_plugin: dict[str, list[Due]] = defaultdict(list)
            for burn in await repository.due(connection, most, ready):
                by_plugin[burn.plugin].append(burn)
            health = await repository.health(connection)
            resting = await repository.resting(connection)
            delays: list[tuple[Due, float]] = []
            for plugin, due in by_plugin.items():
                burns = due[: self._takes(plugin, len(due))]
                if plugin in resting:
                    delays += [(burn, RESTING_S) for burn in burns]
                    continue
                delays += await self._see_to(connection, plugin, burns, health)
            await repository.mark(connection, delays)
        return len(delays)

    async def _see_to_dates(self) -> None:
        """Bring back, now and then, what is due or open far later than was ever asked for."""
        last = self._dates_seen_at
        if last is not None and time.monotonic() - last < MISDATED_EVERY_S:
            return
        # A transaction of its own: that the broker is away takes none of it back.
        async with self._runtime.database.begin() as session:
            connection = await raw_connection(session)
            orders, breakers = await misdated.bring_back(connection, self._limits)
        if orders or breakers:
            log.warning(
                "the database's clock was set back: %d orders and the breakers of %s had times far "
                "ahead and were brought back",
                orders,
                ", ".join(breakers) or "nobody",
            )
        if orders < misdated.AT_ONCE:
            self._dates_seen_at = time.monotonic()

    def _takes(self, plugin: str, count: int) -> int:
        """How many of so many due burns are seen to now: all, or those that fill messages."""
        last = self._not_full_at.get(plugin)
        if last is None or time.monotonic() - last >= self._fill_s:
            return count
        return count - count % self._runtime.settings.relay_chunk

    async def _see_to(
        self, connection: Any, plugin: str, burns: list[Due], health: Mapping[str, Any]
    ) -> list[tuple[Due, float]]:
        """Publish what may be published; the seconds after which each burn is due again."""
        if plugin not in self._runtime.suppliers:
            self._log_missing(plugin, len(burns))
            return [(burn, MISSING_S) for burn in burns]
        state = state_of(health.get(plugin))
        probe = state is Breaker.HALF_OPEN and await repository.take_probe(
            connection, plugin, timedelta(seconds=self._stale_s)
        )
        allowed = PROBE_ORDERS if probe else (len(burns) if state is Breaker.CLOSED else 0)
        now, later = burns[:allowed], burns[allowed:]
        chunk = self._runtime.settings.relay_chunk
        for start in range(0, len(now), chunk):
            await self._send(plugin, now[start : start + chunk], probe=probe)
        away_s = self._stale_s if probe else self._away_s(health.get(plugin))
        return [(burn, self._stale_s) for burn in now] + [
            # Spread out, so that a supplier that is back is not met by everything at once.
            (burn, away_s * random.uniform(1.0, misdated.LONGEST_SPREAD))  # noqa: S311 - spreads load
            for burn in later
        ]

    def _away_s(self, health: Any) -> float:
        """Seconds until the breaker of this row lets a probe through."""
        if health is None or health["open_s"] is None:
            return 1.0
        return min(max(float(health["open_s"]), 1.0), self._limits.longest_s)

    async def _send(self, plugin: str, burns: Sequence[Due], *, probe: bool) -> None:
        pairs = [(str(burn.id), str(burn.wallet_id)) for burn in burns]
        await in_time(self._give_up, self._publish, plugin, pairs, probe)
        if len(burns) < self._runtime.settings.relay_chunk:
            self._not_full_at[plugin] = time.monotonic()

    def _log_missing(self, plugin: str, count: int) -> None:
        if plugin not in self._missing_logged:
            self._missing_logged.add(plugin)
            reason = self._runtime.plugins.disabled.get(plugin, "it is not installed")
            log.error("%d orders wait for plugin %s: %s", count, plugin, reason)


async def run_relay(relay: Relay, idle_s: float, stopping: threading.Event) -> None:
    """Relay until the process is to end; a broker or database that is away is waited for."""
    failures = 0
    while not stopping.is_set():
        try:
            found = await relay.round()
        except Exception as error:
            failures += 1
            if failures == 1:
                log.exception("the relay could not publish; it goes on trying")
            else:
                log.warning("the relay still cannot publish (%s)", type(error).__name__)
            await pause(stopping, min(0.5 * 2**failures, LONGEST_BACKOFF_S))
            continue
        if failures:
            log.warning("the relay publishes again")
            failures = 0
        if not found:
            await pause(stopping, idle_s)
