"""Drives the exchange for ledger tests: burns through the engine, ends and refunds through it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

from marketplace.clock import now, travel_to
from marketplace.exchange.answering import Answer
from marketplace.exchange.decide import BurnRequest
from marketplace.exchange.engine import BurnEngine
from marketplace.exchange.refunds import RefundRequest, refund
from marketplace.exchange.resolution import Delivery, VoidRequest, capture, void
from marketplace.identity.domain import Principal, Scope
from marketplace.identity.models import ApiKey
from marketplace.ids import uuid7
from marketplace.ledger.expiry import expire_all
from tests.factories import Coalition

GRACE = timedelta(days=30)


class Driver:
    """The exchange as its users see it, one step at a time, by the operator's key."""

    def __init__(self, coalition: Coalition, engine: BurnEngine, principal: Principal) -> None:
        self.coalition = coalition
        self.runtime = coalition.runtime
        self.engine = engine
        self.principal = principal

    @classmethod
    @asynccontextmanager
    async def start(cls, coalition: Coalition) -> AsyncIterator[Driver]:
        """A running engine and a live key of the operator."""
        runtime = coalition.runtime
        key_id, member_id = uuid7(), coalition.members["operator"]
        async with runtime.database.begin() as session:
            session.add(
                ApiKey(
                    id=key_id,
                    member_id=member_id,
                    label="test",
                    digest=secrets.token_bytes(32),
                    hint="mk_test",
                    scopes=[Scope.BURNS_WRITE.value],
                )
            )
        principal = Principal(
            credential_id=key_id,
            caller_id=member_id,
            actor=f"key:{key_id}",
            member_id=member_id,
            is_operator=True,
            scopes=frozenset({Scope.BURNS_WRITE}),
        )
        engine = BurnEngine(
            runtime.database.connect_raw,
            queue_limit=1_000,
            batch_limit=64,
            hold_for=timedelta(minutes=30),
            rules={},
        )
        await engine.start()
        try:
            yield cls(coalition, engine, principal)
        finally:
            await engine.stop()

    async def ask(self, name: str, offer: str, quantity: int = 1) -> Answer:
        """Burn, whatever the answer."""
        return await self.engine.submit(
            BurnRequest(
                uuid7(),
                self.principal,
                secrets.token_hex(8),
                secrets.token_bytes(16),
                self.coalition.wallets[name],
                self.coalition.offers[offer],
                quantity,
            )
        )

    async def burn(self, name: str, offer: str, quantity: int = 1) -> UUID:
        """Burn, which must be held; returns the burn's id."""
        answer = await self.ask(name, offer, quantity)
        assert answer.held is not None, answer.error
        return answer.held.id

    async def capture(self, name: str, burn_id: UUID) -> None:
        """The supplier delivers."""
        wallet_id = self.coalition.wallets[name]
        delivery = Delivery(burn_id, wallet_id, "giftfund", f"order-{burn_id}")
        async with self.runtime.database.begin() as session:
            done = await capture(session, [delivery], vault=self.runtime.vault)
        assert len(done) == 1

    async def void(self, name: str, burn_id: UUID) -> None:
        """The burn is given up."""
        request = VoidRequest(burn_id, self.coalition.wallets[name], "test")
        async with self.runtime.database.begin() as session:
            assert len(await void(session, [request], grace=GRACE)) == 1

    async def refund(self, name: str, burn_id: UUID, points: int | None = None) -> None:
        """Points of a captured burn go back."""
        asked = RefundRequest(
            burn_id,
            self.coalition.wallets[name],
            points,
            "test",
            secrets.token_hex(8),
            secrets.token_bytes(16),
        )
        async with self.runtime.database.begin() as session:
            await refund(session, self.principal, asked, grace=GRACE)

    async def later(self, by: timedelta) -> datetime:
        """Move business time on."""
        async with self.runtime.database.begin() as session:
            moment = await now(session) + by
            await travel_to(session, moment, allowed=True)
        return moment

    async def expire(self) -> int:
        """Sweep what has expired; returns how many lots."""
        return await expire_all(self.runtime.database, lambda _: None)
