"""Why a place cannot be had. Each code is in the README; titles are shown on the pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from marketplace.api import Conflict, InvalidRequest, Lazy, NotFound

ERRORS_SHOWN = 100


class UnknownEvent(NotFound):
    code = "conference_unknown_event"
    title = "There is no such event, or it is not public"


class UnknownCategory(NotFound):
    code = "conference_unknown_category"
    title = "No seats of this kind are sold"


class UnknownReservation(NotFound):
    """No such reservation, or not one of this caller: never said which."""

    code = "conference_unknown_reservation"
    title = "There is no such reservation of yours"


class SoldOut(Conflict):
    """`free` is how many could be had at once; `others` is where else places of the event are."""

    code = "conference_sold_out"
    title = "So many places are not free"


class SeatsTaken(Conflict):
    """`seats` are those that are gone; `free_seats` are some that can be had instead."""

    code = "conference_seats_taken"
    title = "Somebody else was quicker: choose other seats"

    def __init__(self, labels: Sequence[str], **extra: Any) -> None:
        super().__init__(f"Not free any more: {', '.join(labels)}.", seats=list(labels), **extra)


class TooManyAtOnce(Conflict):
    code = "conference_too_many_at_once"
    title = "So many places are not reserved for one person at once"


class ReservationEnded(Conflict):
    code = "conference_reservation_ended"
    title = "The time for this reservation is over"


class Wrong(msgspec.Struct, frozen=True):
    """What is missing or wrong about somebody who comes."""

    position: int
    field: str
    """`name`, `email`, or the code of a question."""
    reason: str
    words: Lazy
    """The same for whoever filled in the form, in their language."""


class BadAttendees(InvalidRequest):
    """`errors` says for which place, which field, and what."""

    code = "conference_bad_attendees"
    title = "Something about who comes is missing or wrong"

    def __init__(self, errors: Sequence[Wrong]) -> None:
        told = "; ".join(f"place {each.position}: {each.reason}" for each in errors[:5])
        self.wrong = errors[:ERRORS_SHOWN]
        super().__init__(
            f"{told}.",
            errors=[
                {"position": each.position, "field": each.field, "reason": each.reason}
                for each in self.wrong
            ],
        )


class NotWaiting(Conflict):
    code = "conference_not_waiting"
    title = "You do not wait for these places"


class PlacesAreFree(Conflict):
    code = "conference_places_are_free"
    title = "Places are free now: nobody has to wait"


class EventExists(Conflict):
    code = "conference_event_exists"
    title = "There is such an event, session or category, with other terms"


class EventSold(Conflict):
    code = "conference_event_sold"
    title = "People have tickets for it: move it, and they are told"


class PartTaken(Conflict):
    code = "conference_part_taken"
    title = "Somebody has, or had, something of it: it stays"


class EventOff(Conflict):
    code = "conference_event_off"
    title = "The event was called off, and stays so"


class BadFile(InvalidRequest):
    """Nothing of the file was taken; `errors` names its bad lines."""

    code = "conference_bad_file"
    title = "The file has lines that cannot be taken"

    def __init__(self, errors: Sequence[tuple[int, str]]) -> None:
        shown = sorted(errors)[:ERRORS_SHOWN]
        lines = "; ".join(f"line {line}: {reason}" for line, reason in shown[:5])
        more = f"; and {len(errors) - 5} more" if len(errors) > 5 else ""
        super().__init__(
            f"Nothing was taken. {lines}{more}.",
            errors=[{"line": line, "reason": reason} for line, reason in shown],
            error_count=len(errors),
        )
