"""The burn engine: queues burns and makes batches of them, which its lanes make durable.

One per API process. There is no timer: under load a batch is what arrived while the ones before
were being written. An engine with one lane has one batch in hand at a time and takes whatever is
queued. With two, PostgreSQL works on one batch while Python answers and reads the other; a batch
costs something whatever its size, so a second one is only begun when it is worth that, and never
with burns that would wait for the batch in hand. Several engines stay correct because the database
checks what was read; so do several lanes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec

from marketplace.api import EligibilityRule
from marketplace.errors import Busy
from marketplace.exchange import answering
from marketplace.exchange.answering import Answer, Waiting
from marketplace.exchange.decide import BurnRequest
from marketplace.exchange.lane import Common, Lane
from marketplace.metrics.tally import Tally

CONTESTED_S = 5.0
"""How long a wallet that others changed under a batch has its burns apart from the rest."""
MOST_CONTESTED = 1_000
LEAST_BESIDE = 12
"""Fewest burns of a batch beside another: below that its own price eats what it gains."""
SHARE_BESIDE = 0.375
"""A batch beside another is only begun where this share of all burns in hand and queued waits."""
STOPPING = "The server is stopping."
MOST_LOOKED_AT = 1_024
"""Burns at the head of the queue that are looked at for a batch beside another."""


class Flight(msgspec.Struct, frozen=True):
    """A batch in hand and what it keeps from others meanwhile."""

    batch: list[Waiting]
    wallets: set[UUID]
    offers: set[UUID]
    """Those with limited stock."""
    task: asyncio.Task[bool]


class BurnEngine:
    """Queue and lanes of one process. `connect` opens a new connection.

    Burns of wallets that are contested, because other processes burn from them too, go to an engine
    of their own beside it that locks first: else everybody in their batch would wait for the lock.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        *,
        queue_limit: int,
        batch_limit: int,
        hold_for: timedelta,
        rules: dict[str, EligibilityRule],
        tally: Tally | None = None,
        lanes: int = 1,
        locks_first: bool = False,
    ) -> None:
        self._apart = (
            None
            if locks_first
            else BurnEngine(
                connect,
                queue_limit=queue_limit,
                batch_limit=batch_limit,
                hold_for=hold_for,
                rules=rules,
                tally=tally,
                locks_first=True,
            )
        )
        self._contested: dict[UUID, float] = {}
        self._stocked: set[UUID] = set()
        common = Common(
            connect,
            hold_for,
            rules,
            tally,
            locks_first,
            self._note_contested,
            self._join,
            self._stocked,
        )
        self._lanes = [Lane(common) for _ in range(lanes)]
        self._free = self._lanes[::-1]  # the last is taken first
        self._flights: dict[Lane, Flight] = {}
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._queue: deque[Waiting] = deque()
        self._takes_burns = False
        self._is_stopping = False
        self._is_called = False
        self._look_again_at = 0

    async def start(self) -> None:
        """Connect and begin to take burns; lanes besides the first connect when they are needed."""
        await self._lanes[0].open()
        self._begin()

    def _begin(self) -> None:
        self._takes_burns = True
        self._call()
        if self._apart is not None:
            self._apart._begin()  # it connects once there is a burn for it

    async def stop(self) -> None:
        """Answer what is queued with 503, finish the batches in hand, close the connections."""
        self._is_stopping = True
        answering.tell_all(self._queue, [Answer(None, Busy(STOPPING))] * len(self._queue))
        self._queue.clear()
        if self._apart is not None:
            await self._apart.stop()
        if self._flights:
            await asyncio.wait([flight.task for flight in self._flights.values()])
        for lane in self._lanes:
            await lane.close()

    async def submit(self, request: BurnRequest) -> Answer:
        """Queue a burn and wait for its durable outcome; Busy where the queue is full."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def tell(answer: Answer) -> None:
            if not future.done():
                future.set_result(answer)

        self.enqueue(request, tell)
        return await future

    def enqueue(self, request: BurnRequest, tell: Callable[[Answer], None]) -> None:
        """Queue a burn; `tell` gets its durable outcome. Busy where the queue is full."""
        if self._is_stopping:
            raise Busy(STOPPING)
        if self._apart is not None and self._is_contested(request.wallet_id):
            self._apart.enqueue(request, tell)
            return
        if len(self._queue) >= self._queue_limit:
            raise Busy(f"{self._queue_limit} burns are waiting already.")
        self._queue.append((request, tell))
        self._call()

    @property
    def waiting(self) -> int:
        """Burns in the queue."""
        apart = 0 if self._apart is None else self._apart.waiting
        return len(self._queue) + apart

    def _is_contested(self, wallet_id: UUID) -> bool:
        until = self._contested.get(wallet_id)
        if until is None:
            return False
        if until > asyncio.get_running_loop().time():
            return True
        del self._contested[wallet_id]
        return False

    def _note_contested(self, wallet_id: UUID) -> None:
        if len(self._contested) > MOST_CONTESTED:
            self._contested.clear()
        self._contested[wallet_id] = asyncio.get_running_loop().time() + CONTESTED_S

    def _call(self) -> None:
        """Have batches made once all that has come by now is queued."""
        if self._takes_burns and not self._is_called:
            self._is_called = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def _dispatch(self) -> None:
        """Give the free lanes what there is for them."""
        self._is_called = False
        while self._queue and self._free and (batch := self._take()):
            self._fly(self._free.pop(), batch)

    def _take(self) -> list[Waiting]:
        """The next batch; empty where burns had better wait for the batch in hand."""
        if self._flights:
            return self._take_beside()
        count = len(self._queue)
        if len(self._lanes) > 1 and count >= 2 * LEAST_BESIDE:
            count = -(-count // len(self._lanes))
        return [self._queue.popleft() for _ in range(min(count, self._batch_limit))]

    def _take_beside(self) -> list[Waiting]:
        """What is queued and needs nothing of the batches in hand, if it is enough; else nothing.

        At most this lane's share of all burns, lest batches come in pairs of a large and a small.
        """
        queue, flights = self._queue, self._flights.values()
        total = len(queue) + sum(len(flight.batch) for flight in flights)
        least = max(LEAST_BESIDE, int(total * SHARE_BESIDE))
        if len(queue) < max(least, self._look_again_at):
            return []
        most = min(max(least, -(-total // len(self._lanes))), self._batch_limit)
        batch: list[Waiting] = []
        passed: list[Waiting] = []
        passed_wallets: set[UUID] = set()
        for each in islice(queue, MOST_LOOKED_AT):
            wallet_id = each[0].wallet_id
            if wallet_id not in passed_wallets and _is_free(each[0], flights):
                batch.append(each)
            else:
                passed.append(each)
                passed_wallets.add(wallet_id)
            if len(batch) == most:
                break
        if len(batch) < LEAST_BESIDE:
            self._look_again_at = len(queue) + LEAST_BESIDE - len(batch)
            return []
        for _ in range(len(batch) + len(passed)):
            queue.popleft()
        queue.extendleft(reversed(passed))
        return batch

    def _join(self, batch: list[Waiting]) -> None:
        """Add what is queued for the wallets of the batch: it waited for their locks meanwhile."""
        wallets = {request.wallet_id for request, _ in batch}
        room = self._batch_limit - len(batch)
        more = [each for each in self._queue if each[0].wallet_id in wallets][:room]
        batch += more
        for each in more:
            self._queue.remove(each)

    def _fly(self, lane: Lane, batch: list[Waiting]) -> None:
        # Nobody cancels this task: a batch is never left half way.
        task = asyncio.create_task(lane.serve(batch), name="burn-batch")
        wallets = {request.wallet_id for request, _ in batch}
        offers = self._stocked.intersection([request.offer_id for request, _ in batch])
        self._flights[lane] = Flight(batch, wallets, offers, task)
        task.add_done_callback(lambda _: self._land(lane))

    def _land(self, lane: Lane) -> None:
        del self._flights[lane]
        self._free.append(lane)
        self._look_again_at = 0
        if self._queue:
            self._call()


def _is_free(request: BurnRequest, flights: Iterable[Flight]) -> bool:
    """Whether nothing it needs is written by a batch in hand."""
    return not any(
        request.wallet_id in flight.wallets or request.offer_id in flight.offers
        for flight in flights
    )
