"""Installing and uninstalling with what follows from it in the database."""

from __future__ import annotations

import asyncio

from marketplace.db import raw_connection
from marketplace.errors import Conflict
from marketplace.exchange import closures
from marketplace.exchange.domain import Cause
from marketplace.fulfilment.repository import open_orders
from marketplace.identity.audit import audit
from marketplace.installed import entries
from marketplace.plugins import BESIDE_THE_CORE
from marketplace.registry import activation, installing, repository
from marketplace.registry.domain import why_not_active
from marketplace.registry.errors import UnknownPlugin
from marketplace.registry.wheels import Candidate
from marketplace.runtime import Runtime


async def install(runtime: Runtime, candidate: Candidate, *, source: str, actor: str) -> None:
    """Put the wheel in; its offers close unless exactly this was activated before. Audited."""
    before = _version_of(candidate.slug)
    await asyncio.to_thread(installing.put_in, candidate)
    installed = await asyncio.to_thread(activation.look_at, candidate.slug)
    async with runtime.database.begin() as session:
        await audit(
            session,
            actor,
            repository.INSTALLED,
            "plugin",
            candidate.slug,
            source=source,
            distribution=candidate.distribution,
            version=candidate.version,
            version_before=before,
            wheel_sha256=candidate.sha256,
            files_sha256=installed.digest,
        )
        active = (await repository.activations(session)).get(candidate.slug)
        words = why_not_active(installed, active)
        if words is not None:
            await closures.close(
                session, candidate.slug, Cause.NOT_ACTIVE, actor=actor, words=words
            )


async def uninstall(runtime: Runtime, slug: str, *, actor: str, force: bool) -> str:
    """Close the plugin's offers, then take it out; returns the distribution's name. Audited.

    Conflict where orders wait for it, unless `force`d.
    """
    if slug in BESIDE_THE_CORE:
        raise Conflict(f"{slug} is a room of the marketplace itself.")
    name = _distribution_of(slug)
    async with runtime.database.begin() as session:
        open_ones = (await open_orders(await raw_connection(session))).get(slug)
        waiting = open_ones["waiting"] + open_ones["dead"] if open_ones else 0
        if waiting and not force:
            raise Conflict(
                f"{waiting} orders wait for {slug}. Disable it and let them end first, or --force."
            )
        await activation.forget(session, slug, actor=actor, words="It was uninstalled.")
        await audit(
            session, actor, "plugin.uninstalled", "plugin", slug, distribution=name, waiting=waiting
        )
    await asyncio.to_thread(installing.take_out, name)
    return name


def _distribution_of(slug: str) -> str:
    for point in entries(slug):
        if point.dist is not None:
            return point.dist.name
    raise UnknownPlugin(f"No plugin {slug!r} is installed.")


def _version_of(slug: str) -> str | None:
    for point in entries(slug):
        if point.dist is not None:
            return point.dist.version
    return None
