"""Dead letters: orders given up, why, and trying them again. A partner sees those of its offers.

Replaying never orders twice: the supplier is asked what became of the order, and only its word that
it has none lets us order again.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import raw_connection
from marketplace.errors import InvalidRequest, NotAllowed, NotFound
from marketplace.fulfilment import repository
from marketplace.fulfilment.schemas import DeadLetter, SupplierAnswer
from marketplace.identity.audit import audit
from marketplace.identity.domain import Principal

MOST_REPLAYED = 1_000
"""Burns that may be named in one replay."""


async def dead_letters(
    session: AsyncSession,
    *,
    member_id: UUID | None = None,
    plugin: str | None = None,
    after: UUID | None = None,
    limit: int = 100,
) -> list[DeadLetter]:
    """Orders given up, oldest first; of one member's offers, or of all with None."""
    rows = await repository.dead(
        await raw_connection(session), plugin, acceptor_id=member_id, after=after, limit=limit
    )
    return [_letter(row) for row in rows]


async def replay(
    session: AsyncSession,
    actor: str,
    *,
    member_id: UUID | None = None,
    burn_ids: Collection[UUID] | None = None,
    plugin: str | None = None,
) -> list[UUID]:
    """Make dead orders due again: those named, those of a plugin, or all; audited each.

    `member_id` None may replay any member's. NotFound where one that is named is not dead, or not
    that member's: then nothing is replayed.
    """
    if burn_ids is not None and len(burn_ids) > MOST_REPLAYED:
        raise InvalidRequest(f"{MOST_REPLAYED} burns may be named at once.")
    done = await repository.replay(
        await raw_connection(session),
        None if burn_ids is None else list(burn_ids),
        plugin=plugin,
        acceptor_id=member_id,
    )
    missing = [str(each) for each in burn_ids or () if each not in done]
    if missing:
        raise NotFound(f"Not dead, so nothing was replayed: {', '.join(missing[:10])}")
    for burn_id, slug in done.items():
        await audit(session, actor, "fulfilment.replayed", "burn", burn_id, plugin=slug)
    return sorted(done)


def whose(principal: Principal) -> UUID | None:
    """The member whose orders this caller may see: None for the operator, who sees all."""
    if principal.is_operator:
        return None
    if principal.member_id is None:
        raise NotAllowed("You work for no member.")
    return principal.member_id


def _letter(row: Any) -> DeadLetter:
    return DeadLetter(
        burn_id=row["id"],
        plugin=row["plugin"],
        offer=row["offer"],
        offer_id=row["offer_id"],
        offer_name=row["offer_name"],
        sku=row["sku"],
        member=row["acceptor"],
        wallet_id=row["wallet_id"],
        quantity=row["quantity"],
        points=row["points"],
        cost_micros=row["cost_micros"],
        currency=row["currency"],
        attempts=row["attempts"],
        held_at=row["posted_at"],
        waiting_s=int(row["waiting_s"]),
        answers=answers_of(row["answers"]),
    )


def answers_of(stored: object) -> list[SupplierAnswer]:
    """What a supplier last said of an order, latest first, from `order_trouble.answers`."""
    return msgspec.convert(stored or [], list[SupplierAnswer])
