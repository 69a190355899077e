"""Periodic work: disputes that nobody has decided by their deadline."""

from __future__ import annotations

from marketplace.api import PeriodicTask
from marketplace.host import PluginHost
from settlement.disputes.service import decide_overdue

EVERY_S = 300


def disputes_task(host: PluginHost) -> PeriodicTask:
    """Decides what is overdue; may run twice at once: a status changes once."""

    def run() -> None:
        host.transact(decide_overdue)

    return PeriodicTask(name="disputes", every_s=EVERY_S, run=run)
