"""What organizers cancelled, orders and tickets: points are given back once its mind is made up."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

import msgspec

from marketplace import api
from marketplace_pretix import parts, repository
from marketplace_pretix.client import Pretix, Refused, is_proof_of_absence, status_of
from marketplace_pretix.domain import parse_sku
from marketplace_pretix.parts import Part, Whole
from marketplace_pretix.repository import Sent
from marketplace_pretix.servers import enabled, guarded
from marketplace_pretix.settings import PretixSettings

log = logging.getLogger(__name__)

MOST: Final = 50
"""Orders of a member in one run: each is one call to its pretix."""
REASON: Final = api.lazy("The organizer cancelled the order.")
REASON_OF_PART: Final = api.lazy("The organizer cancelled some of the tickets.")
NOT_NOW: Final = frozenset((api.IdempotencyKeyReused.code, "not_refundable"))
"""Errors of a refund after which the next run looks how it stands."""


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
        whole = _look(host, settings, each)
        if not whole.good and not whole.unseen:
            refund(host, each.reference)
        elif each.cancelled_by is not None:
            _reactivate(host, each.reference)
        else:
            _refund_part(host, each, whole)


def _look(host: api.Host, settings: PretixSettings, sent: Sent) -> Whole:
    """Ask pretix itself: the order may have changed since it was last looked through."""
    with host.transaction() as session:
        known = {each.code: each for each in parts.of(session, sent.reference)}
    found = []
    for code in {sent.code: None, **known}:
        found.append(_ask(host, settings, sent, code, known.get(code)))
    with host.transaction() as session:
        for each in found:
            parts.keep(session, sent.reference, each)
    return parts.weigh(sent.quantity, found)


def _ask(
    host: api.Host, settings: PretixSettings, sent: Sent, code: str, known: Part | None
) -> Part:
    """One of the orders that bear our reference, as it is now. Refused."""
    answer = Pretix(host.outbound, settings).order(sent.event, code)
    if is_proof_of_absence(answer):
        # As an order of a test mode is: deleted for good.
        before = known or Part(code, "c", sent.quantity, 0)
        return msgspec.structs.replace(before, status="c")
    change = None if answer.truncated else parts.read(answer.body)
    if answer.status != 200 or change is None:
        raise Refused(f"order {sent.event}/{code}: {status_of(answer)}")
    if change.reference != sent.reference:
        raise Refused(f"order {sent.event}/{code} does not name our reference any more")
    return parts.part_of(change, parse_sku(sent.sku))


def _reactivate(host: api.Host, reference: str) -> None:
    """It is valid again, or a part of it: what is gone has a day of its own from now on."""
    with host.transaction() as session:
        if repository.reactivated(session, reference):
            host.audit(session, actor="system:pretix", action="reactivated", subject=reference)


def _refund_part(host: api.Host, sent: Sent, whole: Whole) -> None:
    """Give back the points of tickets that are gone, while others stand."""
    with host.transaction() as session:
        if repository.note_gone(session, sent.reference, whole.gone) or whole.unseen:
            return  # It changed just now: the next run looks again.
        burn = host.placed_orders(session, [sent.reference]).get(sent.reference)
    if burn is None:
        return
    target = parts.share(burn.points, whole.gone, sent.quantity)
    points = target - burn.refunded_points
    # By what is back in all: who runs beside this one asks for the same once more, not for more.
    if _refund(
        host, sent.reference, points, REASON_OF_PART, f"taken-out-{sent.reference}-{target}"
    ):
        with host.transaction() as session:
            repository.gone_given_back(session, sent.reference, whole.gone)


def refund(host: api.Host, reference: str) -> None:
    """Give back all points of an order that are left, and note that they are back."""
    with host.transaction() as session:
        burn = host.placed_orders(session, [reference]).get(reference)
    points = 0 if burn is None else burn.points - burn.refunded_points
    # A part that was given back meanwhile makes another sum: then the rest is asked for.
    if _refund(host, reference, points, REASON, f"cancelled-{reference}-{points}"):
        with host.transaction() as session:
            repository.given_back(session, [reference])


def _refund(host: api.Host, reference: str, points: int, reason: api.Lazy, key: str) -> bool:
    """Whether nothing is left to give back."""
    if points <= 0:
        return True
    try:
        host.refund(reference, points=points, reason=reason.message, key=key)
    except api.MarketplaceError as error:
        if error.code not in NOT_NOW:
            raise
        log.info("order %s is not given back yet: %s", reference, error.detail)
        return False
    return True
