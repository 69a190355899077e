"""The shelf of one process and the answers made from it, kept as fresh as the database.

Whoever asks first after PULSE_S has the database asked how things stand: one small statement. Where
the catalog or an offer has changed the shelf is made anew, where only stock, partners or time moved
it is renewed; both drop the answers that were kept. Nothing kept here depends on who asked.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from itertools import count
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from catalog import loading, words
from catalog.query import Query
from catalog.shelf import Shelf
from catalog.words import Match
from marketplace.db import raw_connection
from marketplace.exchange.foresight import KnownOffers
from marketplace.runtime import Runtime

log = logging.getLogger(__name__)

PULSE_S: Final = 0.5
"""How old what is shown may be before it is asked for again; tests set it to nothing."""
PATIENCE: Final = 4
_PROCESS = secrets.token_hex(6)
KEPT_ANSWERS: Final = 4_000
MOST_KEPT_BYTES: Final = 64 * 1_048_576


class Answer(msgspec.Struct, frozen=True):
    """A public answer as it goes out."""

    body: bytes
    etag: str
    """Another for every edition of the shelf and every search."""


class Shop:
    """The catalog of one process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._shelf: Shelf | None = None
        self._asked_at = -1e9
        self._renewing = asyncio.Lock()
        self._resolving = asyncio.Lock()
        self._answers: OrderedDict[tuple[str, str], Answer] = OrderedDict()
        self._bytes = 0
        self.pulse_s = PULSE_S
        self._editions = (f"{_PROCESS}-{number}" for number in count(1))
        self.edition = next(self._editions)
        """Changes with everything that is shown."""
        self.terms: KnownOffers = {}
        """Terms of offers, which have a version of their own."""
        self._asking: asyncio.Task[None] | None = None

    def fresh(self) -> Shelf | None:
        """The shelf, where nobody needs to ask whether it is still right."""
        return self._shelf if self._age_s() < self.pulse_s else None

    def nearly_fresh(self) -> Shelf | None:
        """The shelf, where nobody needs to wait for it: what is due is asked beside.

        Once in PULSE_S everybody would have to wait otherwise. Nobody is shown what is more than
        PATIENCE times as old as that.
        """
        age_s = self._age_s()
        if age_s >= PATIENCE * self.pulse_s or self._shelf is None:
            return None
        if age_s >= self.pulse_s and (self._asking is None or self._asking.done()):
            self._asking = asyncio.get_running_loop().create_task(self._ask())
        return self._shelf

    async def _ask(self) -> None:
        try:
            async with self._runtime.database.begin() as session:
                await self.shelf(session)
        except Exception:
            # Whoever comes when it is too old asks for themselves, and is told what is wrong.
            log.warning("the catalog could not be asked how it stands", exc_info=True)

    def _age_s(self) -> float:
        return time.monotonic() - self._asked_at

    async def shelf(self, session: AsyncSession) -> Shelf:
        """The shelf as the database has it now, give or take PULSE_S.

        Asks by the caller's session: one that waits with a connection in hand must not need a
        second one.
        """
        fresh = self.fresh()
        if fresh is not None:
            return fresh
        if self._shelf is not None and self._renewing.locked() and self.pulse_s:
            return self._shelf  # somebody asks already; what they find serves the next one
        # Before the lock: who holds it must not wait for a connection that who waits for it holds.
        connection = await raw_connection(session)
        async with self._renewing:
            fresh = self.fresh()
            if fresh is None:
                fresh = await self._renew(connection)
        return fresh

    async def _renew(self, connection: Any) -> Shelf:
        asked_at = time.monotonic()
        pulse = await loading.read_pulse(connection)
        shelf = self._shelf
        if shelf is None or shelf.is_outdated(pulse):
            rows = await loading.read_rows(connection)
            # Ten thousand listings take a moment, during which others are served.
            made = await asyncio.to_thread(Shelf, rows, pulse, self._runtime.suppliers)
            if shelf is not None:
                made.take_words(shelf)
            self._put(made)
            shelf = made
        elif shelf.is_stale(pulse) and shelf.renew(pulse):
            self._forget()
        shelf.pulse = pulse
        self._asked_at = asked_at
        return shelf

    def _put(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._forget()

    def _forget(self) -> None:
        self.edition = next(self._editions)
        self._answers.clear()
        self._bytes = 0

    def answer(self, asked: str, locale: str) -> Answer | None:
        """The answer that was kept for this query string and locale."""
        return self._answers.get((asked, locale))

    def keep(self, shelf: Shelf, asked: str, locale: str, answer: Answer) -> None:
        """Keep an answer that was made from `shelf`, if that is still the one."""
        if shelf is not self._shelf or (asked, locale) in self._answers:
            return
        self._answers[asked, locale] = answer
        self._bytes += len(answer.body)
        while len(self._answers) > KEPT_ANSWERS or self._bytes > MOST_KEPT_BYTES:
            _, dropped = self._answers.popitem(last=False)
            self._bytes -= len(dropped.body)

    async def matches(
        self, session: AsyncSession, shelf: Shelf, query: Query, locale: str
    ) -> Sequence[Match]:
        """What the words of a search find on a shelf."""
        asked = words.asked_of(query.words, query.text)
        found = words.known(shelf, asked, locale)
        if found is None:
            connection = await raw_connection(session)
            # One at a time: a crowd that asks for the same new word has it asked for once.
            async with self._resolving:
                found = await words.resolve(connection, shelf, asked, locale)
        return found


_shops: WeakKeyDictionary[Runtime, Shop] = WeakKeyDictionary()


def shop_of(runtime: Runtime) -> Shop:
    """The shop of a runtime; one per process."""
    shop = _shops.get(runtime)
    if shop is None:
        shop = _shops[runtime] = Shop(runtime)
    return shop
