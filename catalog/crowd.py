"""Personal searches, answered many at a time: whoever waits shares one read of the database.

What a search finds needs no database; how it stands to its caller does. Here it is asked for
everybody who waits at once, with whether their sessions are live: a statement has a price of its
own, whatever it reads. One batch at a time, so that those who come meanwhile make up the next one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from catalog.schemas import Correction, Hit, Results
from catalog.search import Found, with_affordable
from catalog.shelf import Shelf
from catalog.standing import Reader, asks_of, mine_of
from marketplace.db import DRIVER_ERRORS
from marketplace.errors import Busy, InternalError, MarketplaceError, NotAuthenticated
from marketplace.exchange.foresight import KnownOffers, Looker, Sight, foresee_all
from marketplace.identity.domain import Principal
from marketplace.runtime import Runtime

log = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 16
"""Searches in a batch: the event loop serves nobody else while one is put together."""
MOST_WAITING: Final = 500
WALLETS_KEPT: Final = 50_000

WALLETS: Final = """
select participant_id, id from wallet where participant_id = any($1::uuid[])
"""
WISHES: Final = """
select participant_id, listing_id from catalog_wish where participant_id = any($1::uuid[])
"""

AWAY: Final = (
    *DRIVER_ERRORS,
    sa.exc.DBAPIError,
    sa.exc.TimeoutError,
    ConnectionError,
)

Outcome = bytes | MarketplaceError
"""An encoded answer, or why there is none."""


class PersonalSearch(msgspec.Struct, frozen=True):
    """A search that waits to be told how its results stand to the caller."""

    shelf: Shelf
    found: Found
    corrections: tuple[Correction, ...]
    locale: str
    principal: Principal
    by_cookie: bool
    """Whose session has ended meanwhile is a stranger then, and is not refused."""
    tell: Callable[[Outcome], None]


class Crowd:
    """Those of one process whose personal searches wait."""

    def __init__(self, runtime: Runtime, terms: KnownOffers) -> None:
        self._runtime = runtime
        self._terms = terms
        # Each batch only reads, with statements that are complete in themselves.
        self._engine = runtime.database.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._wallets: dict[UUID, UUID] = {}
        self._waiting: list[PersonalSearch] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether nobody else should come."""
        return len(self._waiting) >= MOST_WAITING

    def come(self, search: PersonalSearch) -> None:
        """Wait with the others; `search.tell` is called once, whatever happens."""
        self._waiting.append(search)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        while self._waiting:
            batch = self._waiting[:MOST_AT_ONCE]
            del self._waiting[:MOST_AT_ONCE]
            try:
                outcomes = await self._answers(batch)
            except Exception as error:
                outcomes = [_as_problem(error)] * len(batch)
            for search, outcome in zip(batch, outcomes, strict=True):
                try:
                    search.tell(outcome)
                except Exception:
                    log.exception("a personal search could not be answered")

    async def _answers(self, batch: Sequence[PersonalSearch]) -> list[Outcome]:
        people = {search.principal.participant_id for search in batch}
        async with self._engine.connect() as session:
            connection: Any = (await session.get_raw_connection()).driver_connection
            await self._find_wallets(connection, people - self._wallets.keys())
            seen = [s for s in batch if s.principal.participant_id in self._wallets]
            lookers = [self._looker(search) for search in seen]
            sights = iter(
                await foresee_all(connection, lookers, self._runtime.eligibility_rules, self._terms)
            )
            wishes = {(row[0], row[1]) for row in await connection.fetch(WISHES, list(people))}
        return [
            _answer(search, next(sights), wishes)
            if search.principal.participant_id in self._wallets
            else _answer(search, None, wishes)
            for search in batch
        ]

    def _looker(self, search: PersonalSearch) -> Looker:
        wallet_id = self._wallets[search.principal.participant_id]  # type: ignore[index]
        return Looker(search.principal, wallet_id, asks_of(search.found.entries))

    async def _find_wallets(self, connection: Any, people: set[UUID | None]) -> None:
        if people:
            if len(self._wallets) > WALLETS_KEPT:
                self._wallets.clear()
            self._wallets.update(await connection.fetch(WALLETS, list(people)))


def _answer(search: PersonalSearch, sight: Sight | None, wishes: set[tuple[UUID, UUID]]) -> Outcome:
    """The encoded answer; whoever has no wallet is answered as a stranger is."""
    found, person = search.found, search.principal.participant_id
    if sight is not None and not sight.live:
        if not search.by_cookie:
            return NotAuthenticated("The key or session is unknown, revoked or expired.")
        sight = None
    facets, hits = found.facets, []
    reader = Reader(search.locale, search.shelf.names)
    if sight is not None:
        facets = with_affordable(found, search.shelf.affordable(sight.balances))
    for entry in found.entries:
        mine = None
        if sight is not None:
            wished = (person, entry.id) in wishes
            mine, _ = mine_of(entry, sight.outlooks, reader=reader, wished=wished)
        hits.append(Hit(card=search.shelf.card(entry, search.locale)[0], mine=mine))
    return msgspec.json.encode(
        Results(
            items=hits,
            total=found.total,
            next=found.next,
            facets=facets,
            corrections=search.corrections,
            locale=search.locale,
        )
    )


def _as_problem(error: Exception) -> MarketplaceError:
    if isinstance(error, MarketplaceError):
        return error
    if isinstance(error, AWAY):
        log.warning("personal searches: database: %s", error)
        return Busy("The database is busy or away; try again.")
    log.error("personal searches failed", exc_info=error)
    return InternalError()
