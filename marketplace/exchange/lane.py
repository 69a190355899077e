"""One batch of burns on one connection: read, decide, write, and what can go wrong with that.

Plain burns are held in one round trip (`plain.py`). The others take two: a read without locks and a
write that checks what was read. A batch that lost a race is decided again with its wallets locked;
one that fails for another reason is made burn by burn; after an ambiguous commit the keys are
looked up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from marketplace.api import EligibilityRule
from marketplace.errors import Busy
from marketplace.exchange import answering, holding_repository, repository
from marketplace.exchange.answering import Answer, Waiting, outcome_of
from marketplace.exchange.decide import (
    Accepted,
    BurnRequest,
    Decision,
    MoreLots,
    Refused,
    State,
    WalletState,
    decide,
)
from marketplace.exchange.domain import OfferTerms
from marketplace.exchange.plain import plain_burns
from marketplace.exchange.troubles import (
    CONNECTION_LOST,
    LOCKED,
    LOST_RACE,
    REFUSED,
    DatabaseAway,
    NotConnected,
    as_business_error,
)
from marketplace.metrics.tally import Tally

log = logging.getLogger(__name__)

TRIES = 8
"""Tries of one batch before it is split, and of one burn before it is refused as busy."""
LOOK_FIRST = 64
"""Batches that look keys up first once a used one was met: clients that retry come in crowds."""
READ_FIRST = 16
"""Batches that are read first once the write alone held few of the burns it was asked for."""
MORE_LOTS = 4
"""Times as many lots are read for a batch in which a burn needed more than were read."""
CALM_BATCHES = 32
"""Batches in a row that half the lots would have done for, before no more than these are read."""
RECONNECT_S = 0.2
ANSWER_S = 20.0
"""Longest a batch waits for the database, which gives up a statement sooner; after that the
connection is dead, though nobody said so."""
TRIED_S = 25.0
"""No batch is tried on another connection after so long: its callers want to hear something."""
MOST_IN_VAIN = 2
"""Offers of a batch that are tried although a lock is in their way."""
OFFERS_KEPT = 10_000
SESSION = (
    # Index nested loops are right for every batch; a plan made on empty tables must not be kept.
    "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off;"
    "set jit = off; set max_parallel_workers_per_gather = 0;"
    "set plan_cache_mode = force_generic_plan; set lock_timeout = '2s';"
    # A process that stands still must not keep others from its wallets.
    "set statement_timeout = '15s'; set idle_in_transaction_session_timeout = '15s'"
)


class Common(msgspec.Struct, frozen=True):
    """What is the same for every batch of an engine. `connect` opens a new connection."""

    connect: Callable[[], Awaitable[Any]]
    hold_for: timedelta
    rules: dict[str, EligibilityRule]
    tally: Tally | None
    locks_first: bool
    """Every batch locks its wallets before it reads them."""
    note_contested: Callable[[UUID], None]
    """Told of each wallet that others have changed between two tries of a batch."""
    join: Callable[[list[Waiting]], None]
    """Adds to a batch that has locked its wallets what was queued for these meanwhile."""
    stocked: set[UUID]
    """Offers whose stock is limited, as far as was read."""


class Lane:
    """Serves batches, one at a time, on a connection of its own that is made when it is needed."""

    def __init__(self, common: Common) -> None:
        self._common = common
        self._read: dict[UUID, WalletState] = {}
        self._offers: dict[UUID, OfferTerms] = {}
        self._look_first = 0
        self._read_first = 0
        self._capped = True
        self._lots = repository.FEWEST_LOTS
        self._calm = 0
        self._connection: Any = None

    async def open(self) -> None:
        """Connect, unless that is done already; raises what is in CONNECTION_LOST."""
        if self._connection is None:
            connection: Any = None
            try:
                async with asyncio.timeout(ANSWER_S):
                    connection = await self._common.connect()
                    await connection.execute(SESSION)
            except BaseException as error:
                if connection is not None:
                    connection.terminate()
                if isinstance(error, asyncpg.PostgresError):
                    raise NotConnected(str(error)) from error
                raise
            self._connection = connection

    async def close(self) -> None:
        """Close the connection; no batch may be in hand."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def serve(self, batch: list[Waiting]) -> bool:
        """Answer every burn of the batch, whatever happens; False if a lock was awaited in vain."""
        try:
            batch = await self._hold_plain(batch)
            answers = await self._outcomes(batch) if batch else []
        except asyncpg.LockNotAvailableError:
            await self._serve_around_locks(batch)
            return False
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, DatabaseAway):
                log.warning("a batch of %d burns failed (%s); one by one now", len(batch), error)
                for each in batch:
                    await self.serve([each])
                return True
            answers = [Answer(None, as_business_error(error))] * len(batch)
        self._tell(batch, answers)
        return True

    def _tell(self, batch: Sequence[Waiting], answers: Sequence[Answer]) -> None:
        answering.tell_all(batch, answers)
        if self._common.tally is not None:
            for outcome, count in Counter(map(outcome_of, answers)).items():
                self._common.tally.add("burns", count, label=outcome)

    async def _hold_plain(self, batch: list[Waiting]) -> list[Waiting]:
        """Hold and answer the plain burns of a batch; returns the others, all if none is worth it.

        A batch of which few are plain is read anyway. Where the write fails nothing of it is told:
        what became of it the read will find, which looks the keys up where that is not known.
        """
        if self._common.locks_first or self._look_first:
            return batch
        if self._read_first:
            self._read_first -= 1
            return batch
        plain = plain_burns(batch, self._offers)
        if 2 * len(plain) < len(batch):
            return batch
        hold_for = self._common.hold_for
        try:
            await self.open()
            with self._in_time():
                now, held = await holding_repository.hold_plain(
                    self._connection, plain, hold_for, capped=self._capped
                )
        except asyncpg.LockNotAvailableError:
            raise
        except CONNECTION_LOST as error:
            self._lose_connection(error)
            self._look_first = LOOK_FIRST
            return batch
        except asyncpg.PostgresError as error:
            log.debug("%d plain burns are read first: %s", len(plain), error)
            self._note_lost_race(error)
            self._read_first = READ_FIRST
            return batch
        if held is not None:
            if 2 * len(held) < len(plain):
                self._read_first = READ_FIRST
            plain = [each for each in plain if each.request.burn_id in held]
        answers = {
            each.request.burn_id: answering.answer(each, now, hold_for, {}) for each in plain
        }
        told = [each for each in batch if each[0].burn_id in answers]
        self._tell(told, [answers[request.burn_id] for request, _ in told])
        return [each for each in batch if each[0].burn_id not in answers]

    async def _serve_around_locks(self, batch: list[Waiting]) -> None:
        """Somebody holds a lock and does not let go: refuse whom it concerns, serve the others."""
        wallets = {request.wallet_id for request, _ in batch}
        try:
            with self._in_time():
                free = await repository.unlocked_wallets(self._connection, wallets)
        except Exception as error:
            log.warning("it cannot be seen which wallets are locked (%s)", error)
            free = set()
        if len(batch) > 1 and free == wallets:
            await self._serve_by_offer(batch)
            return
        if len(batch) == 1:
            free = set()
        refused = [each for each in batch if each[0].wallet_id not in free]
        log.warning("%d of %d burns wait for a lock in vain", len(refused), len(batch))
        answering.tell_all(refused, [Answer(None, Busy(LOCKED))] * len(refused))
        rest = [each for each in batch if each[0].wallet_id in free]
        if rest:
            await self.serve(rest)

    async def _serve_by_offer(self, batch: list[Waiting]) -> None:
        """The lock is on no wallet, so on what burns of an offer share, or on more than that.

        An issuer's cap or a table: after a few offers the others are not tried, for each would wait
        as long.
        """
        by_offer: dict[UUID, list[Waiting]] = {}
        for each in batch:
            by_offer.setdefault(each[0].offer_id, []).append(each)
        if len(by_offer) == 1:
            answering.tell_all(batch, [Answer(None, Busy(LOCKED))] * len(batch))
            return
        in_vain = 0
        for burns in by_offer.values():
            if in_vain < MOST_IN_VAIN:
                in_vain += not await self.serve(burns)
            else:
                answering.tell_all(burns, [Answer(None, Busy(LOCKED))] * len(burns))

    async def _outcomes(self, batch: list[Waiting]) -> list[Answer]:
        """Try until the batch is durable; raises what cannot be mended by trying again."""
        failure = Busy()
        began = asyncio.get_running_loop().time()
        for attempt in range(TRIES):
            try:
                await self.open()
                with self._in_time():
                    again = attempt > 0 or self._common.locks_first
                    return await self._attempt(batch, again=again)
            except LOST_RACE as error:
                self._note_lost_race(error)
                log.debug("batch of %d, attempt %d: %s", len(batch), attempt, error)
                failure = Busy("Too many others changed the same things at once.")
            except CONNECTION_LOST as error:
                # The commit may or may not have happened: the next read finds it by its key.
                self._lose_connection(error)
                failure = DatabaseAway("The database cannot be reached.")
                if asyncio.get_running_loop().time() - began > TRIED_S:
                    break
                await asyncio.sleep(RECONNECT_S * attempt)
            except REFUSED as error:
                log.warning("the database refuses a batch of %d: %s", len(batch), error)
                raise DatabaseAway("The database cannot write just now.") from None
        raise failure

    async def _attempt(self, batch: list[Waiting], *, again: bool) -> list[Answer]:
        """One read, decision and write; `again` locks the wallets first, so that it wins.

        New keys are the rule, so the first try does not look them up: a used one fails the write.
        """
        if not again:
            self._look_first = max(self._look_first - 1, 0)
            requests = [request for request, _ in batch]
            return await self._decide_and_write(requests, keys=self._look_first > 0)
        async with self._connection.transaction():
            await repository.lock_wallets(
                self._connection, {request.wallet_id for request, _ in batch}
            )
            if self._common.locks_first:
                self._common.join(batch)
            before = self._read
            requests = [request for request, _ in batch]
            answers = await self._decide_and_write(requests, keys=True)
            for wallet_id, wallet in self._read.items():
                earlier = before.get(wallet_id)
                if earlier is not None and earlier.version != wallet.version:
                    self._common.note_contested(wallet_id)
            return answers

    async def _decide_and_write(self, requests: list[BurnRequest], *, keys: bool) -> list[Answer]:
        state, decisions = await self._decide(requests, keys=keys)
        writes = [each for each in decisions if isinstance(each, Accepted | Refused)]
        if writes:
            await holding_repository.write(self._connection, state, writes, self._common.hold_for)
        replayed = await answering.replays(self._connection, decisions)
        return [
            answering.answer(each, state.now, self._common.hold_for, replayed) for each in decisions
        ]

    async def _decide(
        self, requests: list[BurnRequest], *, keys: bool
    ) -> tuple[State, list[Decision]]:
        """Read and decide, reading again while offers were stale or lots too few."""
        while True:
            lots = self._lots
            state, versions = await repository.read(
                self._connection,
                requests,
                lots,
                self._limited_pairs(requests),
                keys=keys,
                exposures=keys or self._capped,
                known=self._offers,
            )
            self._capped = bool(state.exposures)
            self._read = state.wallets
            self._note_stocked(versions, state)
            if await self._refresh_offers(versions):
                continue
            state.offers = {key: self._offers[key] for key in versions}
            state.rules = self._common.rules
            restricted = [
                request.wallet_id
                for request in requests
                if request.offer_id in versions
                and not self._offers[request.offer_id].eligibility.open_to_all
            ]
            if restricted:
                state.who = await repository.load_who(self._connection, restricted)
            decisions = decide(requests, state)
            if not any(isinstance(each, MoreLots) for each in decisions):
                self._read_fewer_lots(decisions)
                return state, decisions
            self._lots = lots * MORE_LOTS

    def _note_stocked(self, offer_ids: Iterable[UUID], state: State) -> None:
        for offer_id in offer_ids:
            if offer_id in state.stock:
                self._common.stocked.add(offer_id)
            else:
                self._common.stocked.discard(offer_id)

    def _read_fewer_lots(self, decisions: list[Decision]) -> None:
        """Come down, slowly, to the lots that burns need: reading them is most of a read."""
        most = max((len(each.draws) for each in decisions if isinstance(each, Accepted)), default=0)
        half = max(self._lots // 2, repository.FEWEST_LOTS)
        self._calm = self._calm + 1 if most <= half < self._lots else 0
        if self._calm == CALM_BATCHES:
            self._lots = half
            self._calm = 0

    def _limited_pairs(self, requests: list[BurnRequest]) -> list[tuple[UUID, UUID]]:
        offers = self._offers
        pairs = {
            (request.wallet_id, request.offer_id)
            for request in requests
            if (offer := offers.get(request.offer_id)) is not None
            and offer.limit_per_wallet is not None
        }
        return list(pairs)

    async def _refresh_offers(self, versions: dict[UUID, int]) -> bool:
        """Load offers whose cached version is not the one just read; True if there were any."""
        offers = self._offers
        stale = [
            offer_id
            for offer_id, version in versions.items()
            if (known := offers.get(offer_id)) is None or known.version != version
        ]
        if not stale:
            return False
        if len(offers) + len(stale) > OFFERS_KEPT:
            offers.clear()
            stale = list(versions)
        for terms in await repository.load_offers(self._connection, stale):
            offers[terms.id] = terms
        return True

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """End the connection once it has said nothing for long, which fails what waits for it.

        To cancel what waits would not do: the driver then waits for the server to agree, without
        end where that stands still.
        """
        timer = asyncio.get_running_loop().call_later(ANSWER_S, self._connection.terminate)
        try:
            yield
        finally:
            timer.cancel()

    def _note_lost_race(self, error: Exception) -> None:
        if isinstance(error, asyncpg.UniqueViolationError):
            self._look_first = LOOK_FIRST

    def _lose_connection(self, error: Exception) -> None:
        log.warning("database connection lost (%r); reconnecting", error)
        self._read = {}  # what changes now may be what this process wrote without hearing of it
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
