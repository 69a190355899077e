"""How a held burn ends: captured when its reward is delivered, voided when it never will be.

Both run inside the caller's transaction and work on many burns at once. A burn that is no longer
held is skipped, so captures, voids and time-outs may race: the first to lock the row wins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import api
from marketplace.db import look_up_in_order, raw_connection
from marketplace.exchange import resolution_repository as repository
from marketplace.exchange.domain import BurnStatus
from marketplace.exchange.resolution_repository import LockedBurn
from marketplace.ledger import postings
from marketplace.ledger.domain import ObligationKind, TransferCode
from marketplace.ledger.expiry import expire_wallets
from marketplace.ledger.windows import pass_gate
from marketplace.letters import without_hidden
from marketplace.notices import feed
from marketplace.secrets import Vault
from marketplace.webhooks import feed as webhooks


class Delivery(msgspec.Struct, frozen=True):
    """A burn its supplier has delivered."""

    burn_id: UUID
    wallet_id: UUID
    plugin: str
    supplier_reference: str
    artefacts: tuple[api.Artefact, ...] = ()


class VoidRequest(msgspec.Struct, frozen=True):
    """A burn to be given up; `reason` is what its participant reads."""

    burn_id: UUID
    wallet_id: UUID
    reason: str


async def capture(
    session: AsyncSession, deliveries: Sequence[Delivery], *, vault: Vault
) -> list[api.BurnFact]:
    """Spend the points of delivered burns: resolution, confirmation, artefacts, money."""
    connection = await raw_connection(session)
    await pass_gate(connection)
    await look_up_in_order(connection)
    by_id = {each.burn_id: each for each in deliveries}
    books = await repository.open_books(connection)
    held, parts = await repository.take(
        connection, ((each.burn_id, each.wallet_id) for each in deliveries), books.now
    )
    if not held:
        return []
    terms = [burn.terms for burn in held]
    await repository.post(
        connection,
        books,
        [
            row
            for burn in terms
            for row in postings.transfers(
                burn, parts[burn.id], TransferCode.CAPTURE, books.operator_id
            )
        ],
        [
            row
            for burn in terms
            for row in postings.obligations(burn, parts[burn.id], ObligationKind.CAPTURE)
        ],
        await repository.accepted_under(connection, terms, books.now),
    )
    await _store_deliveries(connection, [by_id[burn.id] for burn in terms], vault)
    delivered = [(burn.id, burn.wallet_id) for burn in terms]
    await feed.tell_fulfilled(connection, delivered, books.now)
    await webhooks.tell_fulfilled(connection, delivered, books.now)
    # Last, for new burns of these wallets, and all that are in a batch with one, wait from here on.
    await repository.release_held(connection, terms)
    return [_fact(burn, "", books.now) for burn in held]


async def void(
    session: AsyncSession,
    voids: Sequence[VoidRequest],
    *,
    grace: timedelta,
    unless: Callable[[LockedBurn], bool] = lambda _: False,
) -> list[api.BurnFact]:
    """Give the points of burns back to the lots they came from, and their units to the stock.

    `unless` is asked about each burn once its row is locked; True leaves the burn as it is. Lots
    that have expired meanwhile live on for `grace`.
    """
    connection = await raw_connection(session)
    await look_up_in_order(connection)
    reasons = {each.burn_id: each.reason for each in voids}
    locked = await _lock_held(connection, [(each.burn_id, each.wallet_id) for each in voids])
    held = [burn for burn in locked if not unless(burn)]
    if not held:
        return []
    terms = [burn.terms for burn in held]
    await expire_wallets(session, [burn.wallet_id for burn in terms])
    now: datetime = await connection.fetchval("select marketplace_now()")
    parts = await repository.parts_of(connection, terms)
    await repository.resolve(connection, BurnStatus.VOIDED.value, reasons, terms, now)
    await repository.give_back(
        connection,
        [(burn, parts[burn.id]) for burn in terms],
        from_held=True,
        now=now,
        new_expiry=now + grace,
    )
    await repository.return_stock(connection, held)
    await repository.post_voids(connection, terms, now)
    given = {(burn.id, burn.wallet_id): reasons[burn.id] for burn in terms}
    await feed.tell_voided(connection, given, now)
    await webhooks.tell_voided(connection, given, now)
    return [_fact(burn, reasons[burn.terms.id], now) for burn in held]


async def _lock_held(connection: Any, pairs: Sequence[tuple[UUID, UUID]]) -> list[LockedBurn]:
    locked = await repository.lock_burns(connection, pairs)
    return [burn for burn in locked.values() if burn.status == BurnStatus.HELD]


async def _store_deliveries(connection: Any, deliveries: Sequence[Delivery], vault: Vault) -> None:
    await connection.execute(
        repository.CONFIRM,
        [
            (each.burn_id, each.wallet_id, each.plugin, each.supplier_reference)
            for each in deliveries
        ],
    )
    rows = [
        (
            each.burn_id,
            each.wallet_id,
            position,
            artefact.kind,
            without_hidden(artefact.label),
            vault.encrypt(artefact.secret),
            artefact.expires_at,
        )
        for each in deliveries
        for position, artefact in enumerate(each.artefacts)
    ]
    if rows:
        await connection.execute(repository.ARTEFACTS, rows)


def _fact(burn: LockedBurn, reason: str, now: datetime) -> api.BurnFact:
    return api.BurnFact(
        burn_id=burn.terms.id,
        wallet_id=burn.terms.wallet_id,
        offer_id=burn.offer_id,
        acceptor_id=burn.terms.acceptor_id,
        plugin=burn.plugin,
        quantity=burn.quantity,
        points=burn.terms.points,
        cost_micros=burn.terms.cost_micros,
        currency=burn.currency,
        reason=reason,
        effective_at=now,
    )
