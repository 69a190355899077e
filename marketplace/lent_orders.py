"""What a plugin may do with its own orders that the core's services carry out: reveal and refund.

These services are asynchronous and begin transactions of their own, so neither can be part of one
of the plugin's. A refund is made once for a key; whoever does not know whether it was asks again.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
import sqlalchemy as sa

from marketplace.contract.facts import RefundFact
from marketplace.contract.orders import Artefact
from marketplace.db import Database
from marketplace.errors import NotFound
from marketplace.exchange.models import Burn
from marketplace.exchange.refunds import RefundRequest, refund, refund_fact
from marketplace.fulfilment.reveal import reveal
from marketplace.identity.audit import audit
from marketplace.identity.domain import Principal
from marketplace.secrets import Vault

NO_ORDER: Final = "There is no such order of this plugin."


async def reveal_order(
    database: Database, vault: Vault, slug: str, principal: Principal, reference: str
) -> list[Artefact]:
    """See `marketplace.api.Host.reveal`."""
    burn_id, _ = await _own_burn(database, slug, reference)
    async with database.begin() as session:
        shown = await reveal(session, principal, burn_id, vault)
    return [
        Artefact(kind=each.kind, label=each.label, secret=each.secret, expires_at=each.expires_at)
        for each in shown.artefacts
    ]


async def refund_order(
    database: Database,
    slug: str,
    reference: str,
    *,
    points: int,
    reason: str,
    key: str,
    grace: timedelta,
) -> tuple[RefundFact, bool]:
    """See `marketplace.api.Host.refund`; the refund, and whether the key had made it before."""
    burn_id, wallet_id = await _own_burn(database, slug, reference)
    caller = caller_of(slug)
    body = msgspec.json.encode([str(burn_id), points, reason])
    digest = hashlib.blake2b(body, digest_size=16).digest()
    asked = RefundRequest(burn_id, wallet_id, points, reason, key, digest)
    async with database.begin() as session:
        view, replayed = await refund(session, caller, asked, grace=grace)
        if not replayed:
            await audit(
                session,
                caller.actor,
                f"{slug}.refunded",
                "burn",
                burn_id,
                refund=str(view.id),
                points=view.points,
                reason=reason,
            )
    return refund_fact(view), replayed


def caller_of(slug: str) -> Principal:
    """A plugin that acts by itself: its keys are its own, whoever else uses the same words."""
    made = uuid5(NAMESPACE_URL, f"marketplace-plugin:{slug}")
    return Principal(credential_id=made, caller_id=made, actor=f"plugin:{slug}")


async def _own_burn(database: Database, slug: str, reference: str) -> tuple[UUID, UUID]:
    try:
        asked = UUID(reference)
    except ValueError:
        raise NotFound(NO_ORDER) from None
    async with database.begin() as session:
        found = await session.execute(
            sa.select(Burn.id, Burn.wallet_id).where(Burn.id == asked, Burn.plugin == slug)
        )
        row = found.one_or_none()
    if row is None:
        raise NotFound(NO_ORDER)
    return row.id, row.wallet_id
