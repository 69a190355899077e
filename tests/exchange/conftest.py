"""Burn engines on the test's database, and a caller who may burn from every wallet."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from marketplace.exchange.answering import Answer
from marketplace.exchange.decide import BurnRequest
from marketplace.exchange.engine import BurnEngine
from marketplace.identity.domain import Principal, Scope
from marketplace.identity.models import ApiKey
from marketplace.ids import uuid7
from marketplace.runtime import Runtime
from tests.factories import Coalition

HOLD_FOR = timedelta(minutes=30)


def make_engine(
    runtime: Runtime,
    *,
    queue_limit: int = 1_000,
    batch_limit: int = 64,
    lanes: int = 2,
    connect: Callable[[], Awaitable[Any]] | None = None,
) -> BurnEngine:
    """An engine as one API process has it that has the cores for two batches at once."""
    return BurnEngine(
        connect or runtime.database.connect_raw,
        queue_limit=queue_limit,
        batch_limit=batch_limit,
        hold_for=HOLD_FOR,
        rules={},
        lanes=lanes,
    )


@pytest_asyncio.fixture
async def engine(runtime: Runtime) -> AsyncIterator[BurnEngine]:
    """One running engine."""
    made = make_engine(runtime)
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def second_engine(runtime: Runtime) -> AsyncIterator[BurnEngine]:
    """Another API process's engine on the same database."""
    made = make_engine(runtime)
    await made.start()
    yield made
    await made.stop()


async def make_key(coalition: Coalition, member: str) -> Principal:
    """A live API key of a member, as the endpoint would identify it."""
    key_id = uuid7()
    async with coalition.runtime.database.begin() as session:
        session.add(
            ApiKey(
                id=key_id,
                member_id=coalition.members[member],
                label="test",
                digest=secrets.token_bytes(32),
                hint="mk_test",
                scopes=[Scope.BURNS_WRITE.value],
            )
        )
    return Principal(
        credential_id=key_id,
        caller_id=coalition.members[member],
        actor=f"key:{key_id}",
        member_id=coalition.members[member],
        is_operator=member == "operator",
        scopes=frozenset({Scope.BURNS_WRITE}),
    )


@pytest_asyncio.fixture
async def operator(coalition: Coalition) -> Principal:
    """A key of the operator: may burn from every wallet."""
    return await make_key(coalition, "operator")


Ask = Callable[..., BurnRequest]


@pytest.fixture
def ask(coalition: Coalition, operator: Principal) -> Ask:
    """Make a burn request: `ask("ann", "card", key="k1")`."""

    def make(
        participant: str | UUID,
        offer: str | UUID = "card",
        *,
        quantity: int = 1,
        key: str | None = None,
        principal: Principal = operator,
    ) -> BurnRequest:
        wallet_id = participant if isinstance(participant, UUID) else coalition.wallets[participant]
        offer_id = offer if isinstance(offer, UUID) else coalition.offers[offer]
        body = b"%b%b%d" % (wallet_id.bytes, offer_id.bytes, quantity)
        digest = hashlib.blake2b(body, digest_size=16).digest()
        return BurnRequest(
            uuid7(), principal, key or secrets.token_hex(8), digest, wallet_id, offer_id, quantity
        )

    return make


def code(answer: Answer) -> str:
    """`held`, or the code of the error."""
    return "held" if answer.error is None else answer.error.code
