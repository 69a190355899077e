"""A place gives a ticket, and always the same."""

from __future__ import annotations

from uuid import uuid4

from marketplace_conference import tickets
from marketplace_conference.places import Place
from msgspec.structs import replace

from marketplace.testing import Lab, lab

__all__ = ["lab"]


def test_a_place_has_one_ticket_for_ever(lab: Lab) -> None:
    host = lab.host("conference")
    place = Place(
        order_reference=str(uuid4()),
        position=1,
        session_id=uuid4(),
        category="STALLS",
        seat_label="A-3-12",
        attendee_name="Ilse Alder",
        attendee_email="ilse@alder.example",
        answers={},
    )
    with host.transaction() as session:
        first, second = tickets.issue(host, session, [place, replace(place, position=2)])
        again = tickets.issue(host, session, [place])
    assert again == [first]
    assert first.secret != second.secret
    assert first.label == "STALLS A-3-12"
