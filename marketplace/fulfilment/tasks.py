"""What workers do, as Celery tasks. Messages carry ids only; the database is the truth."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from celery import Celery
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import api, clock
from marketplace.containment.proxies import HEALTH_S, TASK_S
from marketplace.exchange import tally
from marketplace.fulfilment import service
from marketplace.fulfilment.asking import Asked, ask, within
from marketplace.fulfilment.domain import MARGIN_S, Claimed
from marketplace.fulfilment.home import Home
from marketplace.fulfilment.repository import Pair
from marketplace.fulfilment.service import Resolved
from marketplace.ids import FastUUID
from marketplace.ledger import expiry, totals, verify
from marketplace.passing import COLLIDED, LOCKED, sqlstate

T = TypeVar("T")
log = logging.getLogger(__name__)

TRIES = 4
MOST_AHEAD_S = 600.0
"""Clocks that are further apart are not both right."""


class Work:
    """The tasks' bodies, bound to the process they run in."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def fulfil(self, plugin: str, pairs: Sequence[tuple[str, str]], probe: bool = False) -> int:
        """Claim the burns (id, wallet id), ask their supplier, resolve; returns how many.

        `probe`: these few try out a supplier whose breaker is open.
        """
        supplier = self.home.runtime.suppliers.get(plugin)
        if supplier is None:
            log.error("no supplier for plugin %s in this worker; its orders wait", plugin)
            return 0
        ids = [(FastUUID(burn_id), FastUUID(wallet_id)) for burn_id, wallet_id in pairs]
        claimed_at = time.monotonic()
        claims = self._claim(plugin, ids, probe=probe)
        if not claims:
            return 0
        began = time.monotonic()
        asked = ask(
            supplier,
            claims,
            timeout_s=self.home.settings.supplier_timeout_s,
            stopping=self.home.stopping,
            claimed_at=claimed_at,
        )
        self._count(plugin, asked, time.monotonic() - began)
        resolved = self._resolve(claims, asked.outcomes)
        # First of all: what follows may fail.
        self.tell(resolved)
        for fault in asked.faults[:3]:
            log.warning("supplier %s: %s", plugin, fault)
        # A call cut short because we are leaving says nothing about the supplier.
        news = not self.home.stopping.is_set() if asked.faults else not resolved.well
        if news:
            # Closing offers may collide with whoever changes them.
            self.insist(lambda s: service.record_chunk(s, plugin, asked.faults))
        return len(claims)

    def _claim(self, plugin: str, ids: list[Pair], *, probe: bool) -> list[Claimed]:
        """Claim them; where somebody keeps some of them locked, the others."""
        claim = partial(
            service.claim, plugin=plugin, pairs=ids, settings=self.home.settings, probe=probe
        )
        try:
            return self.insist(claim)
        except Exception as error:
            if sqlstate(error) != LOCKED:
                raise
            log.warning("some of %d orders are locked; the others are claimed", len(ids))
        return self.insist(partial(claim, unlocked_only=True))

    def _count(self, plugin: str, asked: Asked, took_s: float) -> None:
        tally = self.home.runtime.tally
        tally.add("plugin_chunks", plugin=plugin)
        tally.add("plugin_chunk_seconds", took_s, plugin=plugin)
        if asked.faults:
            tally.add("plugin_failed_chunks", plugin=plugin)
        for kind, count in Counter(type(each) for each in asked.outcomes.values()).items():
            tally.add("plugin_orders", count, plugin=plugin, label=kind.__name__.lower())

    def _resolve(self, claims: list[Claimed], outcomes: dict[str, api.Outcome]) -> Resolved:
        """Resolve all in one transaction; where that fails, one by one, so one harms nobody.

        A wallet that somebody keeps locked is waited for once. An order that is not resolved has
        its lease run out and is looked up again.
        """
        try:
            return self._resolve_once(claims, outcomes)
        except Exception:
            if len(claims) == 1:
                raise
            log.exception("resolving %d orders together failed; they go one by one", len(claims))
        by_pair = {(each.burn_id, each.wallet_id): each for each in claims}
        resolved = list(
            self._singly(by_pair, lambda pair: self._resolve_once([by_pair[pair]], outcomes), set())
        )
        return Resolved(
            [fact for one in resolved for fact in one.captured],
            [fact for one in resolved for fact in one.voided],
        )

    def _singly(
        self, pairs: Iterable[Pair], work: Callable[[Pair], T], locked: set[UUID]
    ) -> Iterator[T]:
        """Do it to each burn; one that fails is passed over, and so are wallets found locked."""
        for pair in pairs:
            burn_id, wallet_id = pair
            if wallet_id in locked:
                continue
            try:
                yield work(pair)
            except Exception as error:
                log.exception("burn %s could not be ended", burn_id)
                if sqlstate(error) == LOCKED:
                    locked.add(wallet_id)

    def _resolve_once(self, claims: list[Claimed], outcomes: dict[str, api.Outcome]) -> Resolved:
        return self.insist(
            lambda session: service.resolve(session, claims, outcomes, self.home.runtime)
        )

    def insist(self, work: Callable[[AsyncSession], Coroutine[Any, Any, T]]) -> T:
        """A transaction that is tried again where it collided with another."""
        for _ in range(TRIES - 1):
            try:
                return self.home.transact(work)
            except Exception as error:
                if sqlstate(error) not in COLLIDED:
                    raise
                log.info("collided (%s); again", error)
        return self.home.transact(work)

    def tell(self, resolved: Resolved) -> None:
        """Tell observers what is committed; none of them can hold a worker up."""
        facts: list[tuple[str, Any]] = [
            *(("marketplace_after_burn_fulfilled", fact) for fact in resolved.captured),
            *(("marketplace_after_burn_voided", fact) for fact in resolved.voided),
        ]
        if facts:
            self.home.runtime.tell(facts)

    def void_timed_out(self) -> int:
        """Void every burn whose hold ran out unseen; returns how many.

        What fails is passed over until the next run: it keeps nothing behind it from its turn.
        """
        total, after = 0, service.FIRST
        locked: set[UUID] = set()
        while not self.home.stopping.is_set():
            found = self.home.transact(partial(service.timed_out, after=after))
            total += self._void(found, locked)
            if len(found) < service.SWEEP_LIMIT:
                break
            after = found[-1][0]
        return total

    def _void(self, pairs: Sequence[Pair], locked: set[UUID]) -> int:
        """Void all in one transaction; where that fails, one by one, but not of locked wallets."""
        some = [pair for pair in pairs if pair[1] not in locked]
        try:
            if len(some) > 1:
                return self._void_once(some)
        except Exception:
            log.exception("voiding %d burns together failed; they go one by one", len(some))
        going_on = (pair for pair in some if not self.home.stopping.is_set())
        return sum(self._singly(going_on, lambda pair: self._void_once([pair]), locked))

    def _void_once(self, pairs: Sequence[Pair]) -> int:
        facts = self.insist(lambda s: service.void_timed_out(s, pairs, self.home.settings))
        self.tell(Resolved([], facts))
        return len(facts)

    def try_idle(self) -> None:
        """Ask suppliers how they are whose breaker is due for a probe and that no order waits for.

        Their offers are closed, so no order would ever come to try them out.
        """
        for plugin in self.home.transact(service.take_idle_probes):
            supplier = self.home.runtime.suppliers.get(plugin)
            if supplier is None:
                continue
            try:
                health = within(supplier.health, HEALTH_S + MARGIN_S, self.home.stopping)
                faults = [] if health.ok else [f"health: {health.message or 'not well'}"]
            except BaseException as error:  # a plugin may even raise SystemExit
                if isinstance(error, KeyboardInterrupt):
                    raise
                faults = [f"health: {error}"]
            self.insist(partial(_record, plugin, faults))

    def expire_points(self) -> None:
        """Take points whose date has passed out of their wallets.

        Nothing takes that back, so it is left while the database's clock may be wrong.
        """
        ahead_s = self.home.transact(clock.ahead_s)
        if ahead_s > MOST_AHEAD_S:
            log.error(
                "the database's clock is %.0f s ahead of this machine's: no points expire until "
                "they agree",
                ahead_s,
            )
            return
        self.home.run(expiry.expire_all(self.home.runtime.database, lambda _: None))

    def count_burns(self) -> int:
        """Count burns of offers by the hour; returns how many were new."""
        return self.home.transact(tally.count_burns)

    def roll_windows(self) -> int:
        """Count what is new in settlement windows; returns how many totals changed."""
        return self.home.transact(totals.roll)

    def verify_ledger(self) -> int:
        """Prove the ledger's invariants; logs an error for each finding, returns how many."""
        findings = self.home.transact(verify.verify)
        for finding in findings:
            log.error("ledger: %s: %d rows, %s", finding.check, finding.total, finding.explanation)
        return len(findings)

    def plugin_task(self, plugin: str, name: str) -> None:
        """Run one periodic task of a plugin."""
        task = self.home.runtime.periodic_tasks.get((plugin, name))
        if task is None:
            log.warning("plugin %s has no task %s in this worker", plugin, name)
            return
        try:
            # One that has a process of its own is ended there; ours are given the same time.
            within(task.run, TASK_S + MARGIN_S, self.home.stopping)
        except BaseException as error:  # a plugin may even raise SystemExit
            if isinstance(error, KeyboardInterrupt):
                raise
            log.exception("task %s of plugin %s failed", task.name, plugin)


async def _record(plugin: str, faults: list[str], session: AsyncSession) -> None:
    await service.record_chunk(session, plugin, faults)


def register(app: Celery, work: Work) -> None:
    """Make the bodies of `work` the tasks of this app."""
    for body in (
        work.fulfil,
        work.void_timed_out,
        work.try_idle,
        work.expire_points,
        work.count_burns,
        work.roll_windows,
        work.verify_ledger,
        work.plugin_task,
    ):
        app.task(body, name=f"marketplace.{body.__name__}", shared=False)
