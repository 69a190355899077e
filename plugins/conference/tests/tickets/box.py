"""A box office in the tables, without its counters: an event, its sessions, sold places."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import sqlalchemy as sa
from marketplace_conference import models, tickets
from marketplace_conference.places import Place
from sqlalchemy.orm import Session as Transaction

from marketplace.api import Artefact, Host

SOON = datetime(2031, 5, 12, 7, tzinfo=UTC)


class Box:
    """Sells places of one event, as the supplier does."""

    def __init__(
        self,
        host: Host,
        organiser_id: UUID,
        *,
        starts_at: datetime = SOON,
        doors_open_minutes: int = 180,
    ) -> None:
        self.host = host
        self.event_id = uuid4()
        self.slug = f"days-{secrets.token_hex(4)}"
        self.organiser_id = organiser_id
        self.sessions: list[UUID] = []
        self.categories: dict[UUID, UUID] = {}
        with host.transaction() as session:
            session.execute(
                sa.insert(models.event).values(
                    id=self.event_id,
                    slug=self.slug,
                    name="Logistics Days",
                    language="en",
                    venue="Old Depot",
                    address="12 Tram Street, Kraków",
                    time_zone="Europe/Warsaw",
                    starts_at=starts_at,
                    ends_at=starts_at + timedelta(days=2),
                    organiser_id=organiser_id,
                    status="published",
                    doors_open_minutes=doors_open_minutes,
                )
            )
            for number in (1, 2):
                self._add_session(session, number, starts_at + timedelta(days=number - 1))

    def _add_session(self, session: Transaction, number: int, starts_at: datetime) -> None:
        made, quota, category = uuid4(), uuid4(), uuid4()
        self.sessions.append(made)
        self.categories[made] = category
        session.execute(
            sa.insert(models.session).values(
                id=made,
                event_id=self.event_id,
                code=f"day-{number}",
                name=f"Day {number}",
                starts_at=starts_at,
                ends_at=starts_at + timedelta(hours=8),
                room="Hall A",
            )
        )
        session.execute(
            sa.insert(models.quota).values(
                id=quota, event_id=self.event_id, code=f"q{number}", size=100_000
            )
        )
        session.execute(
            sa.insert(models.category).values(
                id=category,
                session_id=made,
                sku=f"{self.slug}-{number}",
                name="Standard",
                quota_id=quota,
                numbered=False,
                must_choose=False,
                most_at_once=10,
                position=number,
            )
        )

    def place(
        self, session: Transaction, names: list[str], *, day: int = 1, reference: str | None = None
    ) -> list[Place]:
        """Places of one order, sold to people of these names."""
        reference = reference or str(uuid4())
        of = self.sessions[day - 1]
        session.execute(
            sa.insert(models.order).values(
                reference=reference, sku=f"{self.slug}-{day}", quantity=len(names)
            )
        )
        made = [
            Place(
                order_reference=reference,
                position=position,
                session_id=of,
                category=f"{self.slug}-{day}",
                seat_label=None,
                attendee_name=name,
                attendee_email="",
                answers={},
            )
            for position, name in enumerate(names, start=1)
        ]
        session.execute(
            sa.insert(models.place).values(
                [
                    {
                        "order_reference": reference,
                        "position": each.position,
                        "session_id": of,
                        "category_id": self.categories[of],
                        "attendee_name": each.attendee_name,
                        "sold_at": self.host.now(session),
                    }
                    for each in made
                ]
            )
        )
        return made

    def sell(
        self, *names: str, day: int = 1, reference: str | None = None
    ) -> tuple[str, list[Artefact]]:
        """Sell places to people of these names; the order and its tickets."""
        with self.host.transaction() as session:
            made = self.place(session, list(names), day=day, reference=reference)
            return made[0].order_reference, list(tickets.issue(self.host, session, made))
