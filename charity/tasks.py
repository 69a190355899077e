"""Periodic work of charity: gifts follow burns, verifications lapse, campaigns end, months come."""

from __future__ import annotations

from collections.abc import Sequence

from charity import closing, following, registry, schedules
from marketplace.api import PeriodicTask
from marketplace.host import PluginHost

FOLLOW_EVERY_S = 10
LAPSE_EVERY_S = 60
MONTHS_EVERY_S = 300
TIDY_EVERY_S = 60


def make_tasks(host: PluginHost) -> Sequence[PeriodicTask]:
    """The tasks over a host; each may run twice at once."""

    def follow() -> None:
        follow_all(host)

    def lapse() -> None:
        host.transact(registry.bring_in_line)

    def tidy() -> None:
        host.transact(closing.tidy)

    def months() -> None:
        host.run(lambda database: schedules.give_due(database, host.eligibility_rules))

    return [
        PeriodicTask(name="follow", every_s=FOLLOW_EVERY_S, run=follow),
        PeriodicTask(name="lapse", every_s=LAPSE_EVERY_S, run=lapse),
        PeriodicTask(name="tidy", every_s=TIDY_EVERY_S, run=tidy),
        PeriodicTask(name="months", every_s=MONTHS_EVERY_S, run=months),
    ]


def follow_all(host: PluginHost) -> int:
    """Bring every gift to where its burn is; how many were behind."""
    done = 0
    while True:
        with host.transaction() as session:
            found = following.behind(session)
        for burn_id in found:
            with host.transaction() as session:
                following.follow(session, burn_id)
        done += len(found)
        if len(found) < following.AT_ONCE:
            return done
