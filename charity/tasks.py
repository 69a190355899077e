"""Periodic work of charity: gifts follow their burns, verifications lapse, campaigns end, months
come, points that would expire are given, goals are seen, what firms did not match goes back,
payments that failed are told, receipts follow disputes."""

from __future__ import annotations

from collections.abc import Sequence

from charity import closing, firm_matching, following, news, payouts, rescuing, schedules, undoing
from marketplace.api import PeriodicTask
from marketplace.host import PluginHost

FOLLOW_EVERY_S = 10
LAPSE_EVERY_S = 60
GOALS_EVERY_S = 60
MONTHS_EVERY_S = 300
TIDY_EVERY_S = 60
EXPIRING_EVERY_S = 60
FUNDS_EVERY_S = 60
PAYOUTS_EVERY_S = 60
UNDONE_EVERY_S = 60


def make_tasks(host: PluginHost) -> Sequence[PeriodicTask]:
    """The tasks over a host; each may run twice at once."""

    def follow() -> None:
        follow_all(host)

    def lapse() -> None:
        host.transact(news.verifications)

    def goals() -> None:
        host.transact(news.goals)

    def tidy() -> None:
        host.transact(closing.tidy)

    def months() -> None:
        host.run(lambda database: schedules.give_due(database, host.eligibility_rules))

    def expiring() -> None:
        host.run(lambda database: rescuing.run(database, host.eligibility_rules, _nobody))

    def funds() -> None:
        host.run(firm_matching.give_back)

    def unpaid() -> None:
        payouts.tell_all(host)

    def undone() -> None:
        undoing.hear_all(host)

    return [
        PeriodicTask(name="follow", every_s=FOLLOW_EVERY_S, run=follow),
        PeriodicTask(name="lapse", every_s=LAPSE_EVERY_S, run=lapse),
        PeriodicTask(name="tidy", every_s=TIDY_EVERY_S, run=tidy),
        PeriodicTask(name="goals", every_s=GOALS_EVERY_S, run=goals),
        PeriodicTask(name="months", every_s=MONTHS_EVERY_S, run=months),
        PeriodicTask(name="expiring", every_s=EXPIRING_EVERY_S, run=expiring),
        PeriodicTask(name="funds", every_s=FUNDS_EVERY_S, run=funds),
        PeriodicTask(name="payouts", every_s=PAYOUTS_EVERY_S, run=unpaid),
        PeriodicTask(name="undone", every_s=UNDONE_EVERY_S, run=undone),
    ]


def _nobody(count: int) -> None:
    """Nobody watches the clock's progress."""


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
