"""Ann, who can sign in, and a way to look at what she was told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from msgspec.structs import replace

from marketplace.db import Database
from marketplace.fulfilment.home import Home
from marketplace.identity.domain import Role
from marketplace.identity.models import Person
from marketplace.identity.sessions import open_session
from marketplace.notices.models import Mail, Notice
from marketplace.notices.service import notify
from marketplace.notices.tasks import NoticeWork
from marketplace.settings import Settings
from tests.conftest import Headers, bearer
from tests.exchange.conftest import ask, engine, operator
from tests.factories import Coalition, make_person
from tests.notices.mailserver import Postbox, serve

__all__ = ["ask", "engine", "operator"]  # fixtures


@pytest_asyncio.fixture
async def ann(coalition: Coalition) -> Person:
    """A person who signs in as participant ann."""
    return await make_person(coalition, Role.PARTICIPANT, email="ann@acme.example")


@pytest_asyncio.fixture
async def signed_in(coalition: Coalition, ann: Person) -> Headers:
    """Ann, signed in."""
    async with coalition.runtime.database.begin() as session:
        return bearer((await open_session(session, ann, days=1)).token)


async def notices(coalition: Coalition) -> Sequence[Notice]:
    """Every notice, in order."""
    return await rows(coalition, Notice)


async def mails(coalition: Coalition) -> Sequence[Mail]:
    """Every mail, in order."""
    return await rows(coalition, Mail)


async def rows(coalition: Coalition, what: type[Any]) -> Sequence[Any]:
    async with coalition.runtime.database.begin() as session:
        return (await session.scalars(sa.select(what).order_by(what.id))).all()


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    """A running mail server; `postbox.url` is its address."""
    box = Postbox()
    controller = serve(box)
    box.url = f"smtp://127.0.0.1:{controller.port}?timeout_s=2"
    yield box
    controller.stop()


class Post:
    """A worker's mail work without its broker, on a loop thread of its own."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.work = NoticeWork(home)

    async def send(self) -> int:
        """Send what is due."""
        return await asyncio.to_thread(self.work.send_mails)

    async def do(self, body: Callable[[], Any]) -> Any:
        """Run a task's body, off this loop."""
        return await asyncio.to_thread(body)


@pytest_asyncio.fixture
async def open_post(settings: Settings) -> AsyncIterator[Callable[..., Awaitable[Post]]]:
    """`await open_post(smtp_url=...)`: a worker with these settings."""
    homes: list[Home] = []

    async def make(**more: Any) -> Post:
        home = Home(replace(settings, public_url="https://rewards.example", **more))
        await asyncio.to_thread(home.open)
        homes.append(home)
        return Post(home)

    yield make
    for home in homes:
        await asyncio.to_thread(home.close)


@pytest_asyncio.fixture
async def post(postbox: Postbox, open_post: Callable[..., Awaitable[Post]]) -> Post:
    """A worker that sends to the postbox."""
    return await open_post(smtp_url=postbox.url)


async def run_sql(owner: Database, statement: str) -> None:
    """Change rows behind the program's back."""
    async with owner.engine.begin() as connection:
        await connection.exec_driver_sql(statement)


GIFT = {"sender": "Bob", "offer": "Mug", "path": "/rewards/1"}


async def tell_gift(coalition: Coalition, person: Person, once_key: str = "gift:1") -> None:
    """Tell a person of a gift."""
    async with coalition.runtime.database.begin() as session:
        await notify(
            session, kind="gift_received", once_key=once_key, context=GIFT, person_id=person.id
        )
