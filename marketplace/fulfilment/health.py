"""How the suppliers are doing: what waits for whom, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import raw_connection
from marketplace.exchange.domain import Cause
from marketplace.fulfilment import breaker, repository
from marketplace.fulfilment.schemas import SupplierState
from marketplace.metrics import repository as metrics
from marketplace.runtime import Runtime


async def suppliers(session: AsyncSession, runtime: Runtime) -> list[SupplierState]:
    """Every plugin that is a supplier, is disabled, made trouble, or has orders waiting."""
    connection = await raw_connection(session)
    health = await repository.health(connection)
    orders = await repository.open_orders(connection)
    troubles = await metrics.troubles(connection)
    resting = await repository.resting(connection)
    disabled = runtime.plugins.disabled
    in_force = {*runtime.suppliers, *runtime.plugins.slugs}
    found = [
        _state(
            slug,
            _standing(slug, slug in in_force, disabled.get(slug), resting.get(slug)),
            health.get(slug),
            orders.get(slug),
        )
        for slug in sorted({*runtime.suppliers, *disabled, *orders, *troubles})
    ]
    return [replace(each, wrong=_wrong(each, troubles.get(each.plugin, ()))) for each in found]


def _wrong(state: SupplierState, troubles: Iterable[Any]) -> list[str]:
    """What is wrong, the worst first, in words for an operator."""
    found = []
    if state.state == "missing" and state.waiting:
        found.append(f"{state.waiting} orders wait for it, and it is not installed.")
    elif state.reason and state.state in ("disabled", "stopped", "inactive"):
        found.append(f"It is {state.state}: {state.reason}")
    if state.breaker != "closed":
        tried = "it is tried out now" if state.breaker == "half_open" else "nothing is sent to it"
        found.append(f"Its circuit breaker is {state.breaker.replace('_', '-')}: {tried}.")
    if state.failures:
        found.append(f"{state.failures} failed chunks in a row, last: {state.reason}")
    if state.dead:
        found.append(f"{state.dead} orders were given up; see `marketplace fulfilment dead`.")
    found += [
        f"{each['times']} times, last {each['last_at']:%Y-%m-%d %H:%M} UTC: {each['words']}"
        for each in troubles
    ]
    return found


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
