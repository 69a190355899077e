"""Tells listeners when a burn changes: one shared query a second, however many listen.

A listener is a queue, not a connection. While nobody listens, nothing is asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from marketplace.db import Database
from marketplace.errors import TooManyRequests
from marketplace.exchange.domain import BurnStatus, FulfilmentState

log = logging.getLogger(__name__)

EVERY_S: Final = 1.0
MOST_PER_PERSON: Final = 6
"""As many as a browser opens to one host."""
MOST: Final = 2_000
"""Listeners in one process."""

STATES: Final = sa.text("""
select burn.id, status::text, fulfilment::text
from burn
join unnest(cast(:burns as uuid[]), cast(:wallets as uuid[])) as asked(id, wallet_id)
  using (id, wallet_id)
""")

Pair = tuple[UUID, UUID]
"""A burn's id and its wallet's."""


class BurnState(msgspec.Struct, frozen=True):
    """Where a burn is."""

    status: BurnStatus
    fulfilment: FulfilmentState

    @property
    def is_over(self) -> bool:
        """Nothing more will come of the order."""
        return self.status is not BurnStatus.HELD

    @property
    def code(self) -> str:
        """Both in one word, for an address."""
        return f"{self.status}.{self.fulfilment}"

    @classmethod
    def of_code(cls, code: str) -> BurnState | None:
        """What `code` says; None where it is none."""
        status, _, fulfilment = code.partition(".")
        try:
            return cls(BurnStatus(status), FulfilmentState(fulfilment))
        except ValueError:
            return None


class Listener:
    """Somebody who waits for news of one burn."""

    def __init__(self, person_id: UUID, pair: Pair, known: BurnState | None) -> None:
        self.person_id = person_id
        self.pair = pair
        self.known = known
        self.news: asyncio.Queue[BurnState | None] = asyncio.Queue()

    async def next(self, within_s: float) -> BurnState | None:
        """The next state; None where the watch stops. TimeoutError after `within_s` seconds."""
        return await asyncio.wait_for(self.news.get(), within_s)


class BurnWatch:
    """The listeners of one process and the one task that asks for them."""

    def __init__(self, database: Database, *, every_s: float = EVERY_S) -> None:
        self._database = database
        self._every_s = every_s
        self._listeners: set[Listener] = set()
        self._asking: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listen(
        self, person_id: UUID, pair: Pair, known: BurnState | None = None
    ) -> AsyncIterator[Listener]:
        """Hear of a burn for the length of the block: its state unless it is `known`, each change.

        Raises TooManyRequests above MOST_PER_PERSON or MOST listeners.
        """
        self.check_room(person_id)
        listener = Listener(person_id, pair, known)
        self._listeners.add(listener)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_on(), name="burn-watch")
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def check_room(self, person_id: UUID) -> None:
        """Raise TooManyRequests where this person, or everybody together, listens enough."""
        mine = sum(each.person_id == person_id for each in self._listeners)
        if mine >= MOST_PER_PERSON or len(self._listeners) >= MOST:
            raise TooManyRequests("Too many pages of yours wait for news; close some.")

    async def stop(self) -> None:
        """Send every listener away."""
        for listener in self._listeners:
            listener.news.put_nowait(None)
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError):
                await self._asking

    async def _ask_on(self) -> None:
        while self._listeners:
            try:
                self._tell(await self._states())
            except Exception:
                # The database may be away for a while; who listens is told when it is back.
                log.exception("the states of burns could not be read")
            await asyncio.sleep(self._every_s)

    async def _states(self) -> dict[UUID, BurnState]:
        pairs = {listener.pair for listener in self._listeners}
        asked = {"burns": [burn for burn, _ in pairs], "wallets": [wallet for _, wallet in pairs]}
        async with self._database.begin() as session:
            rows = (await session.execute(STATES, asked)).all()
        return {row[0]: BurnState(BurnStatus(row[1]), FulfilmentState(row[2])) for row in rows}

    def _tell(self, states: dict[UUID, BurnState]) -> None:
        for listener in self._listeners:
            state = states.get(listener.pair[0])
            if state is not None and state != listener.known:
                listener.known = state
                listener.news.put_nowait(state)
