"""What happens to held burns: claimed, resolved, timed out, looked at and replayed.

Every function works inside the caller's transaction. Points leave a wallet only in
`exchange.resolution.capture`, and come back only in `void`; the rest moves `fulfilment`, `attempts`
and `due_at` of burns that stay held.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import api
from marketplace.db import raw_connection
from marketplace.exchange.domain import FulfilmentState
from marketplace.exchange.resolution import Delivery, VoidRequest, capture, void
from marketplace.exchange.resolution_repository import LockedBurn
from marketplace.fulfilment import breaker, repository
from marketplace.fulfilment.domain import Claimed, Waiting, lease_s, waiting
from marketplace.fulfilment.repository import Pair
from marketplace.letters import shown
from marketplace.runtime import Runtime
from marketplace.settings import Settings

log = logging.getLogger(__name__)

HOLD_TIMEOUT = "hold_timeout"
"""Reason of a void because no supplier took the order in time."""
SWEEP_LIMIT = 500
"""Holds voided in one transaction."""
FIRST: Final = UUID(int=0)
"""Before the ids of all burns."""
LONGEST_REASON = 200


class Resolved(msgspec.Struct, frozen=True):
    """Facts to tell observers once the transaction is committed."""

    captured: list[api.BurnFact] = []
    voided: list[api.BurnFact] = []
    well: bool = False
    """That the supplier is well is known already."""


async def claim(
    session: AsyncSession,
    plugin: str,
    pairs: Sequence[Pair],
    settings: Settings,
    *,
    probe: bool = False,
    unlocked_only: bool = False,
) -> list[Claimed]:
    """Take those of the burns (id, wallet) that are held and that no other worker has taken.

    `unlocked_only` leaves out those that somebody has locked, instead of waiting for them. None
    while the plugin's breaker is open, unless this is the probe that may close it: what was
    published before it opened is published again when it is due.
    """
    connection = await raw_connection(session)
    if not probe and await repository.is_open(connection, plugin):
        return []
    lease = lease_s(settings.supplier_timeout_s)
    return await repository.claim(connection, plugin, pairs, lease, unlocked_only=unlocked_only)


async def resolve(
    session: AsyncSession,
    claims: Sequence[Claimed],
    outcomes: Mapping[str, api.Outcome],
    runtime: Runtime,
) -> Resolved:
    """Write down what became of claimed orders; `outcomes` holds one per order reference.

    A delivery counts even after the lease has passed on, for it is proof. A refusal or a wait
    counts only while the claim is still ours.
    """
    deliveries, voids, waits = _sort(claims, outcomes)
    captured = await _capture(session, deliveries, runtime) if deliveries else []
    voided = await _void(session, claims, voids, runtime.settings) if voids else []
    connection = await raw_connection(session)
    if waits:
        await repository.wait(connection, waits)
        _log_dead(waits)
    await _keep_history(connection, claims, waits, outcomes)
    return Resolved(captured, voided, await repository.is_well(connection, claims[0].plugin))


async def _keep_history(
    connection: Any,
    claims: Sequence[Claimed],
    waits: Sequence[Waiting],
    outcomes: Mapping[str, api.Outcome],
) -> None:
    """Remember what was said of orders that wait; forget it of those that are over."""
    waiting_ids = {each.claimed.burn_id for each in waits}
    # At the first attempt there is nothing to forget, which is the rule.
    over = [
        (each.burn_id, each.wallet_id)
        for each in claims
        if each.order.attempt > 1 and each.burn_id not in waiting_ids
    ]
    if over:
        await repository.forget(connection, over)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    said = [
        ((each.claimed.burn_id, each.claimed.wallet_id), _said(each.claimed, outcomes, at))
        for each in waits
    ]
    if said:
        await repository.remember(connection, said)


def _said(claimed: Claimed, outcomes: Mapping[str, api.Outcome], at: str) -> str:
    outcome = outcomes[claimed.order.reference]
    entry = {
        "at": at,
        "attempt": claimed.order.attempt,
        "outcome": type(outcome).__name__.lower(),
        "words": shown(getattr(outcome, "reason", ""), LONGEST_REASON),
    }
    return msgspec.json.encode(entry).decode()


def _sort(
    claims: Sequence[Claimed], outcomes: Mapping[str, api.Outcome]
) -> tuple[list[Delivery], list[VoidRequest], list[Waiting]]:
    deliveries: list[Delivery] = []
    voids: list[VoidRequest] = []
    waits: list[Waiting] = []
    now = datetime.now(UTC)
    for each in claims:
        outcome = outcomes[each.order.reference]
        if isinstance(outcome, api.Fulfilled):
            plugin_reference, artefacts = outcome.supplier_reference, outcome.artefacts
            deliveries.append(
                Delivery(each.burn_id, each.wallet_id, each.plugin, plugin_reference, artefacts)
            )
        elif isinstance(outcome, api.Rejected):
            reason = shown(outcome.reason, LONGEST_REASON)
            voids.append(VoidRequest(each.burn_id, each.wallet_id, reason))
        else:
            chance = random.random()  # noqa: S311 - spreads retries, keeps no secret
            waits.append(waiting(each, outcome, now=now, chance=chance))
    return deliveries, voids, waits


async def _capture(
    session: AsyncSession, deliveries: list[Delivery], runtime: Runtime
) -> list[api.BurnFact]:
    captured = await capture(session, deliveries, vault=runtime.vault)
    if len(captured) < len(deliveries):
        done = {fact.burn_id for fact in captured}
        late = [(d.burn_id, d.wallet_id) for d in deliveries if d.burn_id not in done]
        for burn_id in await repository.voided(await raw_connection(session), late):
            # Its points are back already: the supplier said no, then delivered all the same.
            log.error(
                "burn %s was delivered after it was voided; take it up with %s",
                burn_id,
                deliveries[0].plugin,
            )
    return captured


async def _void(
    session: AsyncSession,
    claims: Sequence[Claimed],
    voids: list[VoidRequest],
    settings: Settings,
) -> list[api.BurnFact]:
    attempts = {each.burn_id: each.order.attempt for each in claims}

    def taken_over(burn: LockedBurn) -> bool:
        mine = burn.attempts == attempts[burn.terms.id]
        return not (mine and burn.fulfilment == FulfilmentState.ORDERING)

    return await void(session, voids, grace=_grace(settings), unless=taken_over)


def _grace(settings: Settings) -> timedelta:
    return timedelta(days=settings.refund_grace_days)


def _log_dead(waits: Sequence[Waiting]) -> None:
    for each in waits:
        if each.state is FulfilmentState.DEAD:
            log.error(
                "burn %s is dead after %d attempts; see `marketplace fulfilment dead`",
                each.claimed.burn_id,
                each.claimed.order.attempt,
            )


async def timed_out(session: AsyncSession, *, after: UUID = FIRST) -> list[Pair]:
    """Up to SWEEP_LIMIT burns whose hold ran out and that certainly no supplier has taken."""
    return await repository.timed_out(await raw_connection(session), after, SWEEP_LIMIT)


async def void_timed_out(
    session: AsyncSession, pairs: Sequence[Pair], settings: Settings
) -> list[api.BurnFact]:
    """Void those of the burns that still are such and that nobody has locked.

    What a supplier may have seen is never voided by time.
    """
    locked = await repository.lock_timed_out(await raw_connection(session), pairs)
    if not locked:
        return []
    requests = [VoidRequest(burn_id, wallet_id, HOLD_TIMEOUT) for burn_id, wallet_id in locked]
    return await void(session, requests, grace=_grace(settings))


async def record_chunk(session: AsyncSession, plugin: str, faults: list[str]) -> None:
    """Tell the plugin's breaker how a chunk of orders went."""
    await breaker.record(session, plugin, faults)


async def take_idle_probes(session: AsyncSession) -> list[str]:
    """Plugins due for a probe that no order waits for; nobody else gets them for a while."""
    connection = await raw_connection(session)
    waiting = await repository.open_orders(connection)
    return [
        plugin
        for plugin, row in (await repository.health(connection)).items()
        if breaker.state_of(row) is breaker.Breaker.HALF_OPEN
        and not (plugin in waiting and waiting[plugin]["waiting"])
        and await repository.take_probe(connection, plugin, breaker.FIRST_OPEN)
    ]


async def open_breakers(session: AsyncSession) -> set[str]:
    """Plugins whose supplier is left alone just now: their offers are greyed out."""
    rows = await repository.health(await raw_connection(session))
    return {plugin for plugin, row in rows.items() if breaker.state_of(row) is breaker.Breaker.OPEN}
