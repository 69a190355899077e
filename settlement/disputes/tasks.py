"""Periodic work: disputes that nobody has decided by their deadline, refunds of undone lines."""

from __future__ import annotations

from marketplace.api import PeriodicTask
from marketplace.host import PluginHost
from settlement.disputes.contras import begin_pass
from settlement.disputes.service import decide_overdue, undo_contras

EVERY_S = 300


def disputes_task(host: PluginHost) -> PeriodicTask:
    """Decides what is overdue, and undoes what was refunded of lines that disputes had undone.

    May run twice at once: a status changes once, and a line is undone once.
    """

    def run() -> None:
        host.transact(begin_pass)
        host.transact(decide_overdue)
        host.transact(undo_contras)

    return PeriodicTask(name="disputes", every_s=EVERY_S, run=run)
