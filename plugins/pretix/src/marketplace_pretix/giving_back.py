"""Orders that their organizer cancelled: the points are given back once its mind is made up."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

from marketplace import api
from marketplace_pretix import repository
from marketplace_pretix.client import Pretix, Refused, is_proof_of_absence
from marketplace_pretix.domain import read_order
from marketplace_pretix.servers import enabled, guarded
from marketplace_pretix.settings import PretixSettings

log = logging.getLogger(__name__)

MOST: Final = 50
"""Orders of a member in one run: each is one call to its pretix."""
REASON: Final = "The organizer cancelled the order."
NOT_REFUNDABLE: Final = "not_refundable"


def run(host: api.Host) -> None:
    """Give back what is due. Twice at once gives once: the key of a refund is the order's own."""
    for member_id, settings in enabled(host):
        guarded("cancelled orders", member_id, partial(_give_back, host, member_id, settings))


def _give_back(host: api.Host, member_id: UUID, settings: PretixSettings) -> None:
    """One member's. Refused, and what a call raises: the rest waits for the next run."""
    patience = timedelta(hours=settings.give_back_after_h)
    with host.transaction() as session:
        due = repository.take_to_give_back(session, member_id, settings.place, patience, MOST)
    for each in due:
        if _still_cancelled(host, settings, each):
            refund(host, each.reference)
        else:
            _reactivate(host, each.reference)


def _still_cancelled(host: api.Host, settings: PretixSettings, sent: repository.Sent) -> bool:
    """Ask pretix itself: the order may have been made valid since it was last looked through."""
    answer = Pretix(host.outbound, settings).order(sent.event, sent.code)
    placed = None if answer.truncated else read_order(answer.body)
    if is_proof_of_absence(answer):
        # As an order of a test mode is: deleted for good.
        return True
    if answer.status != 200 or placed is None:
        raise Refused(f"order {sent.event}/{sent.code}: pretix answered with {answer.status}")
    return placed.status in ("c", "e")


def _reactivate(host: api.Host, reference: str) -> None:
    with host.transaction() as session:
        if repository.reactivated(session, reference):
            host.audit(session, actor="system:pretix", action="reactivated", subject=reference)


def refund(host: api.Host, reference: str) -> None:
    """Give back all points of an order that are left, and note that they are back."""
    with host.transaction() as session:
        burn = host.placed_orders(session, [reference]).get(reference)
    points = 0 if burn is None else burn.points - burn.refunded_points
    if points > 0:
        try:
            # A part that was given back meanwhile makes another sum: then the rest is asked for.
            key = f"cancelled-{reference}-{points}"
            host.refund(reference, points=points, reason=REASON, key=key)
        except api.MarketplaceError as error:
            if error.code != NOT_REFUNDABLE:
                raise
            log.info("order %s is not given back yet: %s", reference, error.detail)
            return
    with host.transaction() as session:
        repository.given_back(session, [reference])
