"""Periodic work of the catalog: prices whose moment has come, counts, wishes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from catalog import alerts, counting, pricing
from marketplace.api import PeriodicTask
from marketplace.host import PluginHost

PRICES_EVERY_S = 15
WISHES_EVERY_S = 120
COUNTS_EVERY_S = 1_800


def make_tasks(host: PluginHost) -> Sequence[PeriodicTask]:
    """The tasks over a host; each may run twice at once."""

    def prices() -> None:
        while host.transact(pricing.apply_due) == pricing.AT_ONCE:
            pass

    def counts() -> None:
        host.transact(counting.count_taken)

    def wishes() -> None:
        rules = host.eligibility_rules
        place: tuple[UUID, UUID] | None = alerts.BEGINNING
        while place is not None:
            place = host.transact(partial(alerts.tell_affordable, rules=rules, after=place))[1]
        while host.transact(alerts.tell_nearly_gone) == alerts.AT_ONCE:
            pass

    return [
        PeriodicTask(name="prices", every_s=PRICES_EVERY_S, run=prices),
        PeriodicTask(name="wishes", every_s=WISHES_EVERY_S, run=wishes),
        PeriodicTask(name="counts", every_s=COUNTS_EVERY_S, run=counts),
    ]
