"""How the suppliers are doing: what waits for whom, and why."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import raw_connection
from marketplace.exchange.domain import Cause
from marketplace.fulfilment import breaker, repository
from marketplace.fulfilment.schemas import SupplierState
from marketplace.runtime import Runtime


async def suppliers(session: AsyncSession, runtime: Runtime) -> list[SupplierState]:
    """Every plugin that is a supplier, is disabled, or has orders waiting for it, by slug."""
    connection = await raw_connection(session)
    health = await repository.health(connection)
    orders = await repository.open_orders(connection)
    resting = await repository.resting(connection)
    installed = runtime.suppliers
    disabled = runtime.plugins.disabled
    return [
        _state(
            slug,
            _standing(slug, slug in installed, disabled.get(slug), resting.get(slug)),
            health.get(slug),
            orders.get(slug),
        )
        for slug in sorted({*installed, *disabled, *orders})
    ]


def _standing(
    slug: str, installed: bool, disabled: str | None, resting: tuple[Cause, str] | None
) -> tuple[str, str | None]:
    """The state of a plugin, and why it is not ready."""
    if not installed:
        return ("disabled", disabled) if disabled else ("missing", None)
    if resting is None:
        return "ready", None
    cause, words = resting
    if cause is Cause.OPERATOR:
        return "stopped", words or "The operator has stopped it."
    return "inactive", f"{words} Activate it: marketplace plugins activate {slug}"


def _state(slug: str, standing: tuple[str, str | None], health: Any, orders: Any) -> SupplierState:
    state, reason = standing
    return SupplierState(
        plugin=slug,
        state=state,
        breaker=breaker.state_of(health).value,
        failures=health["failures"] if health else 0,
        waiting=orders["waiting"] if orders else 0,
        unknown=orders["unknown"] if orders else 0,
        dead=orders["dead"] if orders else 0,
        oldest_at=orders["oldest_at"] if orders else None,
        reason=reason or (health["last_error"] if health and health["failures"] else None),
        open_until=health["open_until"] if health else None,
        last_success_at=health["last_success_at"] if health else None,
    )
