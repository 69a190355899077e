"""Periodic work: statements that rails have come in, lines that wait are matched, legs that no
statement shows become breaks, and finance hears of breaks that stay."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import PeriodicTask
from marketplace.coalition.models import Member
from marketplace.db import Database
from marketplace.host import PluginHost
from marketplace.settings import Settings, load
from settlement.bank.breaking import tell_waiting
from settlement.bank.fetching import fetch
from settlement.bank.matching import match
from settlement.clearing.rails import Rails

MATCH_EVERY_S = 300
FETCH_EVERY_S = 900


class Bench(msgspec.Struct, frozen=True):
    """What statements are imported with."""

    database: Database
    rails: Rails
    settings: Settings


def fetch_task(host: PluginHost) -> PeriodicTask:
    """Statements of rails that have them themselves, for each day that is over."""

    def work() -> None:
        rails, settings = host.rails, load()
        host.run(lambda database: fetch(Bench(database, rails, settings)))

    return PeriodicTask(name="bank-statements", every_s=FETCH_EVERY_S, run=work)


def match_task(host: PluginHost) -> PeriodicTask:
    """What an import does at its end, for what others have changed since: legs sent, days gone."""

    async def work(session: AsyncSession) -> None:
        if await session.scalar(sa.select(Member.id).where(Member.is_operator)) is None:
            return  # Nobody has imported members yet, so there are no legs.
        await match(session, late_days=load().bank_late_days)
        await tell_waiting(session)

    return PeriodicTask(
        name="match-bank-lines", every_s=MATCH_EVERY_S, run=lambda: host.transact(work)
    )
