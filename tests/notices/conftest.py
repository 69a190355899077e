"""Ann, who can sign in, and a way to look at what she was told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest_asyncio
import sqlalchemy as sa

from marketplace.identity.domain import Role
from marketplace.identity.models import Person
from marketplace.notices.models import Mail, Notice
from tests.exchange.conftest import ask, engine, operator
from tests.factories import Coalition, make_person

__all__ = ["ann", "ask", "engine", "mails", "notices", "operator"]


@pytest_asyncio.fixture
async def ann(coalition: Coalition) -> Person:
    """A person who signs in as participant ann."""
    return await make_person(coalition, Role.PARTICIPANT, email="ann@acme.example")


async def notices(coalition: Coalition) -> Sequence[Notice]:
    """Every notice, in order."""
    return await rows(coalition, Notice)


async def mails(coalition: Coalition) -> Sequence[Mail]:
    """Every mail, in order."""
    return await rows(coalition, Mail)


async def rows(coalition: Coalition, what: type[Any]) -> Sequence[Any]:
    async with coalition.runtime.database.begin() as session:
        return (await session.scalars(sa.select(what).order_by(what.id))).all()
