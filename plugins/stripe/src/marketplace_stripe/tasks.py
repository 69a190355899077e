"""Periodic work: what webhooks told of is looked at, and what they did not tell is found."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import stripe

from marketplace.api import Host, NotConfigured, PeriodicTask
from marketplace_stripe import onboarding, refusals, sweeping
from marketplace_stripe.asking import Unclear

log = logging.getLogger(__name__)

REFRESH_EVERY_S: Final = 60
SWEEP_EVERY_S: Final = 3_600


def make_tasks(host: Host) -> Sequence[PeriodicTask]:
    """The tasks over a host; each may run twice at once."""

    def refresh() -> None:
        try:
            onboarding.refresh(host)
        except NotConfigured:
            return
        except stripe.StripeError as error:
            log.warning("connected accounts were not looked at: %s", refusals.reason(error))

    def sweep() -> None:
        try:
            if not sweeping.due(host):
                return
            swept = sweeping.run(host)
        except NotConfigured:
            return
        except stripe.StripeError as error:
            log.warning("the balance was not read: %s", refusals.reason(error))
            return
        except Unclear as error:
            log.error("the balance was not read: %s", error)
            return
        for currency, gap in swept.differences.items():
            log.error("the balance in %s is %d off the sum of its lines", currency, gap)

    return [
        PeriodicTask(name="accounts", every_s=REFRESH_EVERY_S, run=refresh),
        PeriodicTask(name="sweep", every_s=SWEEP_EVERY_S, run=sweep),
    ]
