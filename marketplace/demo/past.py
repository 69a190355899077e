"""Plays the demonstration's year: buys, burns, deliveries, voids, refunds, on a moved clock.

Everything goes through what the running program uses: the importer, the burn engine, the suppliers,
resolution and refunds. Only the order of things is the plan's.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from itertools import groupby
from uuid import UUID

import sqlalchemy as sa

from marketplace import clock
from marketplace.coalition.models import Participant
from marketplace.demo.plan import Day, Fate, Purchase, Wish
from marketplace.demo.shelf import CAUSE_PLUGIN, GRACE_MINUTES
from marketplace.exchange.answering import Held
from marketplace.exchange.decide import BurnRequest
from marketplace.exchange.engine import BurnEngine
from marketplace.exchange.models import Offer
from marketplace.exchange.refunds import RefundRequest, refund
from marketplace.exchange.resolution import VoidRequest, void
from marketplace.fulfilment import service
from marketplace.fulfilment.asking import ask
from marketplace.identity.domain import Principal
from marketplace.ids import uuid7
from marketplace.ledger.expiry import expire_all
from marketplace.ledger.models import Wallet
from marketplace.runtime import Runtime

ORDERS_AT_ONCE = 200
VOIDED_BECAUSE = "Cancelled by the participant"
REFUNDED_BECAUSE = "The certificate did not arrive in time"

Import = Callable[[Sequence[Purchase]], Awaitable[None]]


class Past:
    """Plays days one after the other; `told` counts what came of the burns."""

    def __init__(self, runtime: Runtime, principal: Principal, import_purchases: Import) -> None:
        """`principal` makes every burn and refund; `import_purchases` issues points."""
        self.told: Counter[str] = Counter()
        self._runtime = runtime
        self._principal = principal
        self._import = import_purchases
        self._wallets: dict[str, UUID] = {}
        self._offers: dict[str, UUID] = {}
        settings = runtime.settings
        self._grace = timedelta(days=settings.refund_grace_days)
        self._engine = BurnEngine(
            runtime.database.connect_raw,
            queue_limit=settings.queue_limit,
            batch_limit=settings.batch_limit,
            hold_for=timedelta(minutes=settings.hold_minutes),
            rules=runtime.eligibility_rules,
        )

    async def play(self, days: Sequence[Day], after_each: Callable[[Day], Awaitable[None]]) -> None:
        """Play the days, each followed by `after_each`; business time is the real time after."""
        await self._look_up()
        await self._engine.start()
        try:
            for day in days:
                await self._play_day(day)
                await after_each(day)
        finally:
            await self._engine.stop()
        async with self._runtime.database.begin() as session:
            await clock.travel_back(session)
        await expire_all(self._runtime.database, lambda _: None)

    async def _look_up(self) -> None:
        async with self._runtime.database.begin() as session:
            wallets = await session.execute(
                sa.select(Participant.reference, Wallet.id).join(
                    Wallet, Wallet.participant_id == Participant.id
                )
            )
            self._wallets = dict(wallets.all())
            offers = await session.execute(sa.select(Offer.reference, Offer.id))
            self._offers = dict(offers.all())

    async def _play_day(self, day: Day) -> None:
        async with self._runtime.database.begin() as session:
            await clock.travel_to(session, day.at, allowed=True)
        if day.purchases:
            await self._import(day.purchases)
        await expire_all(self._runtime.database, lambda _: None)
        held = await self._burn(day.wishes)
        await self._void([burn for wish, burn in held if wish.fate is Fate.VOIDED])
        delivered = [pair for pair in held if pair[0].fate is not Fate.VOIDED]
        by_plugin = sorted(delivered, key=lambda pair: _last_gifts(pair[0]))
        for plugin, pairs in groupby(by_plugin, key=lambda pair: pair[0].offer.plugin):
            burns = [burn for _, burn in pairs]
            await self._deliver(plugin, burns)
            if plugin == CAUSE_PLUGIN:
                # Gifts can be taken back for a while; nobody here does.
                later = day.at + timedelta(minutes=GRACE_MINUTES + 1)
                async with self._runtime.database.begin() as session:
                    await clock.travel_to(session, later, allowed=True)
                await self._deliver(plugin, burns)
        for wish, burn in delivered:
            await self._refund(wish, burn)

    async def _burn(self, wishes: Sequence[Wish]) -> list[tuple[Wish, Held]]:
        """Make the burns; those the exchange rejects stay rejected rows, as in life."""
        answers = await asyncio.gather(
            *(self._engine.submit(self._request(wish)) for wish in wishes)
        )
        self.told["rejected"] += sum(answer.held is None for answer in answers)
        return [
            (wish, answer.held)
            for wish, answer in zip(wishes, answers, strict=True)
            if answer.held is not None
        ]

    def _request(self, wish: Wish) -> BurnRequest:
        return BurnRequest(
            burn_id=uuid7(),
            principal=self._principal,
            key=wish.key,
            request_hash=hashlib.blake2b(wish.key.encode(), digest_size=16).digest(),
            wallet_id=self._wallets[wish.participant],
            offer_id=self._offers[wish.offer.reference],
            quantity=wish.quantity,
        )

    async def _void(self, burns: Sequence[Held]) -> None:
        requests = [VoidRequest(burn.id, burn.wallet_id, VOIDED_BECAUSE) for burn in burns]
        if requests:
            async with self._runtime.database.begin() as session:
                await void(session, requests, grace=self._grace)
        self.told["voided"] += len(requests)

    async def _deliver(self, plugin: str, burns: Sequence[Held]) -> None:
        """Have the supplier deliver, as a worker would."""
        database, settings = self._runtime.database, self._runtime.settings
        supplier = self._runtime.suppliers[plugin]
        for _, chunk in groupby(enumerate(burns), key=lambda pair: pair[0] // ORDERS_AT_ONCE):
            pairs = [(burn.id, burn.wallet_id) for _, burn in chunk]
            claimed_at = time.monotonic()
            async with database.begin() as session:
                claims = await service.claim(session, plugin, pairs, settings)
            asked = await asyncio.to_thread(
                ask,
                supplier,
                claims,
                timeout_s=settings.supplier_timeout_s,
                stopping=threading.Event(),
                claimed_at=claimed_at,
            )
            async with database.begin() as session:
                done = await service.resolve(session, claims, asked.outcomes, self._runtime)
            self.told["fulfilled"] += len(done.captured)

    async def _refund(self, wish: Wish, burn: Held) -> None:
        if wish.fate is Fate.FULFILLED:
            return
        asked = RefundRequest(
            burn_id=burn.id,
            wallet_id=burn.wallet_id,
            points=burn.points // 3 if wish.fate is Fate.PARTLY_REFUNDED else None,
            reason=REFUNDED_BECAUSE,
            key=f"refund-{wish.key}",
            request_hash=burn.id.bytes,
        )
        async with self._runtime.database.begin() as session:
            await refund(session, self._principal, asked, grace=self._grace)
        self.told["refunded"] += 1


def _last_gifts(wish: Wish) -> tuple[bool, str]:
    """By plugin, but gifts after all others."""
    return wish.offer.plugin == CAUSE_PLUGIN, wish.offer.plugin
