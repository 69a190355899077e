"""Periodic work of charity: gifts follow their burns, verifications lapse, campaigns end, months
come, points that would expire are given, goals are seen, what firms did not match goes back,
payments that failed are told, receipts follow disputes."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from uuid import UUID

from charity import closing, firm_matching, following, news, payouts, rescuing, schedules, undoing
from marketplace.api import PeriodicTask
from marketplace.exchange.tally import floor_of
from marketplace.host import PluginHost

log = logging.getLogger(__name__)

FOLLOW_EVERY_S = 10
LATELY_S = 24 * 3_600
"""Refunds of so long are looked at each time, older ones when all are compared."""
COMPARE_EVERY_S = 3_600
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
        follow_all(host, floor_of(time.time() - LATELY_S))

    def compare() -> None:
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
        PeriodicTask(name="compare", every_s=COMPARE_EVERY_S, run=compare),
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


def follow_all(host: PluginHost, refunded_since: UUID = following.FIRST) -> int:
    """Bring every gift to where its burn is; how many were behind.

    One that cannot be brought there is passed over: it keeps no other from its turn.
    """
    done, after = 0, following.FIRST
    while True:
        with host.transaction() as session:
            found = following.behind(session, after=after, refunded_since=refunded_since)
        for burn_id in found:
            try:
                with host.transaction() as session:
                    following.follow(session, burn_id)
            except Exception:
                log.exception("gift %s could not follow its burn", burn_id)
            else:
                done += 1
        if len(found) < following.AT_ONCE:
            return done
        after = found[-1]
