"""Rewards by the titles and pictures by which people chose them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import OfferFace
from marketplace.exchange.rewards import Reward, find_reward
from marketplace.identity.domain import Principal
from marketplace.runtime import Runtime

Faced = tuple[Reward, OfferFace | None]
"""A reward whose `offer` is the title, and its face; the offer's own name where it has none."""


async def with_faces(runtime: Runtime, rewards: Sequence[Reward], language: str) -> list[Faced]:
    """Rewards as their reader knows them."""
    faces = await runtime.faces.of((each.offer_id for each in rewards), language)
    return [_faced(each, faces.get(each.offer_id)) for each in rewards]


async def find_faced(
    runtime: Runtime, session: AsyncSession, principal: Principal, burn_id: UUID, language: str
) -> Faced:
    """`find_reward`, with its face."""
    reward = await find_reward(session, principal, burn_id)
    (found,) = await with_faces(runtime, [reward], language)
    return found


def _faced(reward: Reward, face: OfferFace | None) -> Faced:
    if face is None:
        return reward, None
    return msgspec.structs.replace(reward, offer=face.title), face
