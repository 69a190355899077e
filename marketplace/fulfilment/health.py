"""How the suppliers are doing: what waits for whom, and why."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import raw_connection
from marketplace.fulfilment import breaker, repository
from marketplace.fulfilment.schemas import SupplierState
from marketplace.runtime import Runtime


async def suppliers(session: AsyncSession, runtime: Runtime) -> list[SupplierState]:
    """Every plugin that is a supplier, is disabled, or has orders waiting for it, by slug."""
    connection = await raw_connection(session)
    health = await repository.health(connection)
    orders = await repository.open_orders(connection)
    installed = runtime.suppliers
    disabled = runtime.plugins.disabled
    return [
        _state(slug, slug in installed, disabled.get(slug), health.get(slug), orders.get(slug))
        for slug in sorted({*installed, *disabled, *orders})
    ]


def _state(
    slug: str, installed: bool, disabled: str | None, health: Any, orders: Any
) -> SupplierState:
    state = "ready" if installed else ("disabled" if disabled else "missing")
    return SupplierState(
        plugin=slug,
        state=state,
        breaker=breaker.state_of(health).value,
        failures=health["failures"] if health else 0,
        waiting=orders["waiting"] if orders else 0,
        unknown=orders["unknown"] if orders else 0,
        dead=orders["dead"] if orders else 0,
        oldest_at=orders["oldest_at"] if orders else None,
        reason=disabled or (health["last_error"] if health and health["failures"] else None),
        open_until=health["open_until"] if health else None,
        last_success_at=health["last_success_at"] if health else None,
    )
