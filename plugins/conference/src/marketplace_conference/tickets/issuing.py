"""Makes the tickets of places that were sold, once each, and their codes whenever asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session as Transaction

from marketplace.api import Artefact, Host
from marketplace_conference.places import Place, Session
from marketplace_conference.tickets import codes, keys, repository
from marketplace_conference.tickets.calendars import title_of
from marketplace_conference.tickets.codes import Stub
from marketplace_conference.tickets.domain import Sheet, Ticket
from marketplace_conference.tickets.locators import new_locator
from marketplace_conference.tickets.tables import ticket

TAIL: Final = 16
"""Last characters of a code, which a door knows beforehand: 80 bits of its signature."""
MOST_TRIES: Final = 5
"""Two tickets of an event draw the same locator once in a billion; then another is drawn."""

Named = tuple[str, int]
"""Order and position of a place."""


def issue(host: Host, session: Transaction, places: Sequence[Place]) -> Sequence[Artefact]:
    """One ticket per place, in the order of `places`; the same places again, the same tickets.

    Called in the transaction that sells the places, once their rows are there, and again whenever
    an order is asked about. The artefact's secret is the code of the ticket's QR code.
    """
    if not places:
        return []
    wanted = [(each.order_reference, each.position) for each in places]
    have = _by_place(session, wanted)
    missing = [each for each in places if (each.order_reference, each.position) not in have]
    for _ in range(MOST_TRIES):
        if not missing:
            break
        _make(host, session, missing)
        have = _by_place(session, wanted)
        missing = [each for each in missing if (each.order_reference, each.position) not in have]
    drawn = sheets(host, session, [have[each] for each in wanted])
    return [_artefact(each) for each in drawn]


def sheets(host: Host, session: Transaction, tickets: Sequence[Ticket]) -> list[Sheet]:
    """These tickets with all that is printed on them, in their order."""
    events = repository.events(session, list({each.event_id for each in tickets}))
    sessions = repository.sessions(session, list({each.session_id for each in tickets}))
    signers = {each: keys.signers(host, session, each) for each in events}
    moves = repository.moves(session, list(events))
    return [
        Sheet(
            ticket=each,
            event=events[each.event_id],
            session=sessions[each.session_id],
            code=codes.sign(signers[each.event_id][each.key], each.stub),
            moves=moves.get(each.event_id, 0),
        )
        for each in tickets
    ]


def _by_place(session: Transaction, wanted: Sequence[Named]) -> dict[Named, Ticket]:
    found = repository.of_orders(session, sorted({reference for reference, _ in wanted}))
    return {(each.order_reference, each.position): each for each in found}


def _make(host: Host, session: Transaction, places: Sequence[Place]) -> None:
    now = host.now(session)
    ids = repository.place_ids(session, [(each.order_reference, each.position) for each in places])
    of = repository.sessions(session, list({each.session_id for each in places}))
    signing = {
        event_id: keys.signer(host, session, event_id)
        for event_id in sorted({each.event_id for each in of.values()})
    }
    rows = []
    for each in places:
        found: Session = of[each.session_id]
        number, private = signing[found.event_id]
        place_id = ids[each.order_reference, each.position]
        stub = Stub(found.event_id, found.id, place_id, 1, number)
        rows.append(
            {
                "id": place_id,
                "event_id": found.event_id,
                "session_id": found.id,
                "locator": new_locator(),
                "key": number,
                "edition": 1,
                "tail": tail_of(private, stub),
                "issued_at": now,
                "changed_at": now,
            }
        )
    made = insert(ticket).values(rows).on_conflict_do_nothing()
    new: dict[UUID, list[int]] = {}
    for event_id, number in session.execute(made.returning(ticket.c.event_id, ticket.c.id)):
        new.setdefault(event_id, []).append(number)
    for event_id, numbers in new.items():
        repository.see_to_again(session, event_id, min(numbers), len(numbers))


def tail_of(private: Ed25519PrivateKey, stub: Stub) -> str:
    """How the code of a ticket ends."""
    return codes.sign(private, stub)[-TAIL:]


def _artefact(sheet: Sheet) -> Artefact:
    facts = (title_of(sheet), sheet.ticket.category, sheet.ticket.seat_label or "")
    return Artefact(
        kind="ticket",
        label=" · ".join(filter(None, facts)),
        secret=sheet.code,
        expires_at=sheet.session.ends_at,
    )
