"""Trying a plugin: its own test of its settings, and trial orders that nobody pays for.

A plugin is asked under a time limit, outside any transaction, as a worker asks it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from typing import TypeVar
from uuid import UUID

import msgspec
import sqlalchemy as sa

from marketplace import api
from marketplace.db import Database
from marketplace.errors import Busy, Conflict, MarketplaceError, NotConfigured
from marketplace.exchange.models import Offer
from marketplace.fulfilment.asking import within
from marketplace.fulfilment.domain import judge
from marketplace.host import TRIED
from marketplace.identity.audit import audit
from marketplace.ids import uuid7
from marketplace.registry import forms
from marketplace.registry.errors import UnknownPlugin
from marketplace.registry.schemas import Checkup, TriedArtefact, TryResult
from marketplace.runtime import Runtime

T = TypeVar("T")

TEST_S = 10.0
"""Longest a plugin may take to test its settings."""
MOST_AT_ONCE = 4
"""Calls of one plugin's in hand in this process; one that hangs keeps its thread, and counts."""
LONGEST_MESSAGE = 500
HIDDEN = "•••"

_in_hand: Counter[str] = Counter()
_counting = threading.Lock()
FINE = "The supplier answers."


async def try_settings(
    runtime: Runtime, slug: str, *, member_id: UUID | None = None, sandbox: bool = False
) -> Checkup:
    """Ask a plugin whether its settings work: the house's and, where named, a member's.

    The settings must be complete; then the supplier's `health` is asked (without one, the rail's),
    and its `member_health` where it has one. Never raises for what the plugin does.
    """
    if slug not in runtime.plugins.slugs:
        why = runtime.plugins.disabled.get(slug)
        if why is None:
            raise UnknownPlugin(f"No plugin {slug!r} is installed.")
        return Checkup(ok=False, message=f"It does not start: {why}")
    host = runtime.plugins.host(slug)
    secrets: set[str] = set()

    def work() -> api.Health:
        TRIED.set(member_id)
        secrets.update(_secrets(host.settings()))
        if member_id is not None:
            secrets.update(_secrets(host.member_settings(member_id, sandbox=sandbox)))
        supplier = runtime.suppliers.get(slug)
        if supplier is None and slug in runtime.rails:
            return _checked(runtime.rails[slug].health())
        return _ask_health(supplier, member_id, sandbox)

    try:
        found = await _within(slug, work, TEST_S)
    except Busy:
        raise
    except MarketplaceError as error:
        found = api.Health(ok=False, message=error.detail)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
            raise
        found = api.Health(ok=False, message=f"{type(error).__name__}: {error}")
    return Checkup(ok=found.ok, message=_without(found.message, secrets) or FINE)


def _ask_health(supplier: api.Supplier | None, member_id: UUID | None, sandbox: bool) -> api.Health:
    if supplier is None:
        return api.Health(ok=True, message="It has no supplier: its settings are complete.")
    found = _checked(supplier.health())
    if found.ok and member_id is not None and isinstance(supplier, api.MemberHealth):
        found = _checked(supplier.member_health(member_id, sandbox=sandbox))
    return found


def _checked(answer: object) -> api.Health:
    if not isinstance(answer, api.Health):
        raise TypeError(f"it answered {type(answer).__name__}, not Health")
    return msgspec.convert(msgspec.to_builtins(answer), api.Health)


async def try_order(
    runtime: Runtime, slug: str, *, member_id: UUID, sku: str, quantity: int, actor: str
) -> TryResult:
    """Send one trial order (`Order.sandbox`) straight to the supplier, and tell what it answered.

    No points move and nothing is kept but an audit entry. Conflict where the supplier does not say
    that it knows trial orders (`takes_trials`): it might deliver something of value.
    """
    supplier = runtime.suppliers.get(slug)
    if supplier is None:
        raise UnknownPlugin(f"No plugin {slug!r} with a supplier is at work here.")
    if not takes_trials(supplier):
        raise Conflict(f"The plugin {slug} does not take trial orders.")
    order = await _trial_order(runtime.database, slug, member_id, sku, quantity)
    result = await _order(runtime, slug, supplier, order)
    async with runtime.database.begin() as session:
        await audit(
            session,
            actor,
            "plugin.tried",
            "plugin",
            slug,
            member_id=str(member_id),
            sku=sku,
            quantity=quantity,
            outcome=result.outcome,
        )
    return result


def takes_trials(supplier: api.Supplier | None) -> bool:
    """Whether a supplier says that it knows trial orders."""
    return getattr(supplier, "takes_trials", False) is True


async def _trial_order(
    database: Database, slug: str, member_id: UUID, sku: str, quantity: int
) -> api.Order:
    """An order like those of the member's offer of this sku, where there is one."""
    async with database.begin() as session:
        offer = await session.scalar(
            sa.select(Offer)
            .where(Offer.plugin == slug, Offer.acceptor_id == member_id, Offer.sku == sku)
            .order_by(Offer.reference)
            .limit(1)
        )
    return api.Order(
        reference=str(uuid7()),
        offer_reference=offer.reference if offer else f"trial/{sku}",
        sku=sku,
        quantity=quantity,
        points=quantity * (offer.points if offer else 1),
        cost_micros=quantity * (offer.cost_micros if offer else 0),
        currency=offer.currency if offer else "EUR",
        attempt=1,
        acceptor_id=member_id,
        sandbox=True,
    )


async def _order(
    runtime: Runtime, slug: str, supplier: api.Supplier, order: api.Order
) -> TryResult:
    secrets: set[str] = set()

    def work() -> list[api.Outcome]:
        secrets.update(_secrets_of(runtime.plugins.host(slug), order.acceptor_id))
        return list(islice(supplier.fulfil([order]), 3))

    try:
        answers = await _within(slug, work, runtime.settings.supplier_timeout_s)
        outcomes, faults = judge([order], answers, lookup=False)
        outcome = outcomes[order.reference]
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | asyncio.CancelledError | Busy):
            raise
        faults = [f"{type(error).__name__}: {error}"]
        outcome = api.Unknown(reference=order.reference, reason="It did not answer.")
    return TryResult(
        reference=order.reference,
        outcome=type(outcome).__name__.lower(),
        reason=_without(getattr(outcome, "reason", ""), secrets),
        supplier_reference=getattr(outcome, "supplier_reference", ""),
        faults=tuple(_without(each, secrets) for each in faults),
        artefacts=tuple(
            TriedArtefact(
                kind=each.kind, label=each.label, secret=each.secret, expires_at=each.expires_at
            )
            for each in getattr(outcome, "artefacts", ())
        ),
    )


async def _within(slug: str, work: Callable[[], T], limit_s: float) -> T:
    """What `work` returns; Busy where the plugin has too much in hand already."""

    def counted() -> T:
        with _counting:
            if _in_hand[slug] >= MOST_AT_ONCE:
                raise Busy(f"The plugin {slug} has {MOST_AT_ONCE} calls in hand.")
            _in_hand[slug] += 1
        try:
            return work()
        finally:
            with _counting:
                _in_hand[slug] -= 1

    return await asyncio.to_thread(within, counted, limit_s, threading.Event())


def _secrets_of(host: api.Host, member_id: UUID | None) -> set[str]:
    """What an answer to a trial order must not repeat."""
    found: set[str] = set()
    with suppress(NotConfigured):
        found.update(_secrets(host.settings()))
    if member_id is not None:
        with suppress(NotConfigured):
            found.update(_secrets(host.member_settings(member_id, sandbox=True)))
    return found


def _secrets(settings: msgspec.Struct | None) -> Iterable[str]:
    if settings is None:
        return []
    names = [each.name for each in forms.fields(type(settings)) if each.secret]
    return [value for name in names if (value := getattr(settings, name))]


def _without(message: str, secrets: Iterable[str]) -> str:
    """A plugin's message, without the secrets it may repeat."""
    for each in sorted(secrets, key=len, reverse=True):
        message = message.replace(each, HIDDEN)
    return message[:LONGEST_MESSAGE]
