"""Tickets of one order for whoever may look at its reward: the holder, or whom it was given to."""

from __future__ import annotations

from marketplace.api import Host, NotFound, Principal
from marketplace_conference.tickets import issuing, repository
from marketplace_conference.tickets.domain import Sheet


def sheets_of(host: Host, principal: Principal, reference: str) -> list[Sheet]:
    """The tickets of an order, by position; each look is audited as one at the reward is.

    Raises NotFound to everybody else, and what `Host.reveal` raises before capture and after a
    refund of all points. The codes are those that are good now: after a move to another session,
    not those that were delivered first.
    """
    host.reveal(principal, reference)
    with host.transaction() as session:
        found = issuing.sheets(host, session, repository.of_orders(session, [reference]))
    if not found:
        raise NotFound
    return found
