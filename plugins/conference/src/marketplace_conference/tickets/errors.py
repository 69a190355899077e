"""Why a ticket cannot be changed. Each code is in docs/concepts/tickets.md."""

from __future__ import annotations

from marketplace.api import Conflict


class RefundChanged(Conflict):
    code = "conference_refund_changed"
    title = "Another number of points comes back by now: look again"

    def __init__(self, points: int) -> None:
        super().__init__(f"{points} points would come back.", points=points)


class ChangeRefused(Conflict):
    """`reason` says why, as in the options that are listed."""

    code = "conference_change_refused"
    title = "The ticket cannot be changed to that"

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words, reason=reason)


class TicketUsed(Conflict):
    code = "conference_ticket_used"
    title = "Somebody was let in with this ticket already"


class TicketOver(Conflict):
    code = "conference_ticket_over"
    title = "It is over: nothing comes back for this ticket any more."


class TicketVoid(Conflict):
    code = "conference_ticket_void"
    title = "The ticket was cancelled"
