"""What a ticket is. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec.structs import replace

from marketplace_conference.names import Names, Said, said
from marketplace_conference.places import Event, Session
from marketplace_conference.tickets.codes import Stub


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """One place, as the person who comes carries it."""

    id: int
    order_reference: str
    position: int
    event_id: UUID
    session_id: UUID
    category: str
    category_names: Names
    seat_label: str | None
    attendee_name: str
    locator: str
    key: int
    """Number of the event's key that signs it."""
    edition: int
    """Goes up when it moves to another session: codes of earlier editions are void."""
    revision: int
    """Goes up whenever its calendar entry changes."""
    changed_at: datetime
    cancelled_at: datetime | None

    @property
    def stub(self) -> Stub:
        """What its code says."""
        return Stub(self.event_id, self.session_id, self.id, self.edition, self.key)


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket with all that is printed on it."""

    ticket: Ticket
    event: Event
    session: Session
    code: str
    moves: int = 0
    """How often the whole event was moved or called off since it was first sold."""

    @property
    def is_cancelled(self) -> bool:
        """It admits nobody: the ticket or its event was called off."""
        return self.ticket.cancelled_at is not None or self.event.status == "cancelled"

    def called(self, language: str) -> tuple[Said, Said, Said]:
        """Event, session and category, as a reader of this language knows them."""
        event, session, ticket = self.event, self.session, self.ticket
        return (
            said(event.name, event.names, event.language, language),
            said(session.name, session.names, event.language, language),
            said(ticket.category, ticket.category_names, event.language, language),
        )

    def in_language(self, language: str) -> Sheet:
        """The same with these names."""
        event, session, category = (each.text for each in self.called(language))
        return replace(
            self,
            event=replace(self.event, name=event),
            session=replace(self.session, name=session),
            ticket=replace(self.ticket, category=category),
        )
