"""A member's receiver, an endpoint that leads to it, and a worker that delivers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from uuid import UUID

import pytest
import pytest_asyncio
import sqlalchemy as sa
from msgspec.structs import replace

from marketplace.addresses import parse_allowed
from marketplace.db import Database
from marketplace.fulfilment.home import Home
from marketplace.outbound import Outbound
from marketplace.settings import Settings
from marketplace.webhooks import service
from marketplace.webhooks.domain import SUBSCRIBABLE
from marketplace.webhooks.models import WebhookAttempt, WebhookEndpoint, WebhookMessage
from marketplace.webhooks.tasks import WebhookWork
from tests.exchange.conftest import ask, engine, operator
from tests.factories import Coalition
from tests.webhooks.receiver import Receiver

__all__ = ["ask", "engine", "operator"]  # fixtures

LOOPBACK = "127.0.0.1"
ALL = tuple(each.value for each in SUBSCRIBABLE)
Subscribe = Callable[..., Awaitable[tuple[UUID, str]]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Receivers are on this machine."""
    return replace(settings, outbound_allow=LOOPBACK)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The member's server."""
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def other_receiver() -> Iterator[Receiver]:
    """Another member's server."""
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def subscribe(coalition: Coalition, receiver: Receiver) -> Subscribe:
    """`await subscribe("shop")`: id and secret of a new endpoint, for all events unless said."""

    async def make(
        member: str, *, events: Sequence[str] = ALL, url: str | None = None
    ) -> tuple[UUID, str]:
        async with coalition.runtime.database.begin() as session:
            row, secret = await service.create(
                session,
                "test",
                coalition.members[member],
                url=url or receiver.url,
                events=events,
                outbound=Outbound(parse_allowed(LOOPBACK)),
                vault=coalition.runtime.vault,
            )
            return row.id, secret

    return make


class Worker:
    """A worker's webhook work without its broker, on a loop thread of its own."""

    def __init__(self, home: Home) -> None:
        self.work = WebhookWork(home)
        self.home = home

    async def deliver(self) -> int:
        """Deliver what is due; returns how many calls were made."""
        return await asyncio.to_thread(self.work.deliver_webhooks)


@pytest_asyncio.fixture
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """A worker."""
    home = Home(settings)
    await asyncio.to_thread(home.open)
    yield Worker(home)
    await asyncio.to_thread(home.close)


async def endpoint(coalition: Coalition, endpoint_id: UUID) -> WebhookEndpoint:
    """The endpoint as it stands."""
    async with coalition.runtime.database.begin() as session:
        return await session.get_one(WebhookEndpoint, endpoint_id)


async def messages(coalition: Coalition) -> Sequence[WebhookMessage]:
    """Every message, in order."""
    async with coalition.runtime.database.begin() as session:
        return (await session.scalars(sa.select(WebhookMessage).order_by(WebhookMessage.id))).all()


async def attempts(coalition: Coalition) -> Sequence[WebhookAttempt]:
    """Every call, in order."""
    async with coalition.runtime.database.begin() as session:
        return (await session.scalars(sa.select(WebhookAttempt).order_by(WebhookAttempt.id))).all()


async def run_sql(owner: Database, statement: str) -> None:
    """Change rows behind the program's back."""
    async with owner.engine.begin() as connection:
        await connection.exec_driver_sql(statement)


RETRY_NOW = "update webhook_message set due_at = now() where due_at is not null"
UNPAUSE = "update webhook_endpoint set paused_until = null"
