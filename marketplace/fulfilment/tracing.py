"""Asks the tracers of plugins where the money of burns went."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from uuid import UUID

from marketplace.api import BurnStep, BurnTracer

log = logging.getLogger(__name__)

MOST = 100
"""Burns that a tracer is asked about at once."""


class BurnTraces:
    """The tracers of a process, by slug."""

    def __init__(self, tracers: Mapping[str, Sequence[BurnTracer]]) -> None:
        self._tracers = tracers

    async def of(self, burn_ids: Sequence[UUID], payee_id: UUID) -> dict[UUID, list[BurnStep]]:
        """The steps of these burns, of all tracers; burns that nobody knows are left out."""
        found: dict[UUID, list[BurnStep]] = {}
        for start in range(0, len(burn_ids), MOST):
            asked = burn_ids[start : start + MOST]
            for slug, tracers in self._tracers.items():
                for tracer in tracers:
                    for burn_id, steps in (await _ask(slug, tracer, asked, payee_id)).items():
                        found.setdefault(burn_id, []).extend(steps)
        return found


async def _ask(
    slug: str, tracer: BurnTracer, burn_ids: Sequence[UUID], payee_id: UUID
) -> Mapping[UUID, Sequence[BurnStep]]:
    try:
        return await asyncio.to_thread(tracer.trace, burn_ids, payee_id)
    except Exception:
        log.exception("plugin %s: its tracer raised", slug)
        return {}
