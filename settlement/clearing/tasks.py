"""Periodic work of clearing: legs go to their rails, caps are watched, the books are proved."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from marketplace.api import PeriodicTask
from marketplace.host import PluginHost
from marketplace.ledger.verify import verify
from settlement.clearing import caps
from settlement.clearing.checks import CHECKS
from settlement.clearing.driving import drive

log = logging.getLogger(__name__)

LEGS_EVERY_S = 10
CAPS_EVERY_S = 60
PROOF_EVERY_S = 3_600


def make_tasks(host: PluginHost) -> Sequence[PeriodicTask]:
    """The tasks over a host; each may run twice at once."""

    def send_legs() -> None:
        host.run(partial(drive, rails=host.rails))

    def watch_caps() -> None:
        host.transact(caps.watch)

    def prove_books() -> None:
        for finding in host.transact(partial(verify, checks=CHECKS)):
            log.error("books: %s: %d rows, %s", finding.check, finding.total, finding.explanation)

    return [
        PeriodicTask(name="legs", every_s=LEGS_EVERY_S, run=send_legs),
        PeriodicTask(name="caps", every_s=CAPS_EVERY_S, run=watch_caps),
        PeriodicTask(name="books", every_s=PROOF_EVERY_S, run=prove_books),
    ]
