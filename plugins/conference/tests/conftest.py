"""A hall for the box office: an event with numbered seats, standing room and a shared quota."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from marketplace_conference import events, plan, reserving
from marketplace_conference.schemas import (
    NewCategory,
    NewEvent,
    NewQuestion,
    NewReservation,
    NewSession,
    ReservationView,
)
from marketplace_conference.supplier import BoxOffice
from msgspec.structs import replace

from marketplace.api import Host, Order, Outcome, Principal
from marketplace.testing import Lab, SupplierConformance, lab

__all__ = ["Hall", "hall", "host", "lab"]

STARTS, ENDS = datetime(2999, 5, 4, 9, tzinfo=UTC), datetime(2999, 5, 4, 18, tzinfo=UTC)


@pytest.fixture
def host(lab: Lab) -> Host:
    """What the core lends the conference."""
    return lab.host("conference")


class Hall:
    """An event of the member `shop`: ROW (numbered), STAND and BALCONY (one quota of 5)."""

    def __init__(self, lab: Lab, host: Host, rows: int = 2, seats: int = 5) -> None:
        self.lab, self.host = lab, host
        self.slug = f"forum-{secrets.token_hex(5)}"
        self.row, self.stand, self.balcony = (
            f"{self.slug}-{kind}" for kind in ("ROW", "STAND", "BALCONY")
        )
        self.offers = {sku: lab.offer("conference", sku) for sku in self.skus}
        self.new = NewEvent(
            slug=self.slug,
            name="Forum",
            organiser="shop",
            language="en",
            venue="Hall 1",
            address="Long street 1",
            time_zone="Europe/Warsaw",
            starts_at=STARTS,
            ends_at=ENDS,
            sessions=[NewSession(code="day", name="Day", starts_at=STARTS, ends_at=ENDS)],
            quotas={"floor": 5},
            categories=[
                NewCategory(sku=self.row, name="Row", session="day", numbered=True),
                NewCategory(sku=self.stand, name="Stand", session="day", quota="floor"),
                NewCategory(sku=self.balcony, name="Balcony", session="day", quota="floor"),
            ],
            questions=[
                NewQuestion(code="meal", label="Meal", kind="choice", options=["meat", "none"]),
                NewQuestion(code="badge", label="Badge", required=True),
            ],
        )
        self.put()
        self.plan(rows, seats)
        events.set_status(host, self.slug, None, "published", actor="cli:test")

    @property
    def skus(self) -> tuple[str, str, str]:
        return self.row, self.stand, self.balcony

    def put(self, **changes: Any) -> None:
        """Bring the event up to date."""
        self.new = replace(self.new, **changes)
        events.put(self.host, self.new, None, actor="cli:test")

    def plan(self, rows: int, seats: int) -> int:
        """Add rows of seats, A-1 and so on."""
        lines = [
            f"{self.row},{chr(65 + row)},{number}"
            for row in range(rows)
            for number in range(1, seats + 1)
        ]
        text = "\n".join(["sku,row,number", *lines])
        return plan.import_plan(self.host, self.slug, "day", text, None, actor="cli:test")

    def person(self, participant_id: UUID | None = None) -> Principal:
        """Somebody who buys."""
        return Principal(
            credential_id=uuid4(),
            caller_id=uuid4(),
            actor="person:test",
            roles=frozenset({"participant"}),
            participant_id=participant_id,
        )

    def reserve(
        self, sku: str, *seats: str, quantity: int | None = None, who: Principal | None = None
    ) -> ReservationView:
        """Hold these seats, or so many places."""
        asked = NewReservation(sku=sku, seats=list(seats), quantity=quantity)
        return reserving.reserve(self.host, who or self.person(), asked)

    def order(self, sku: str, quantity: int = 1, selection: str | None = None) -> Order:
        """An order as the exchange sends it."""
        made = SupplierConformance.order(sku, quantity=quantity)
        return replace(made, selection=selection)

    def fulfil(self, *orders: Order) -> list[Outcome]:
        """What the box office answers, in the order of the orders."""
        answers = {each.reference: each for each in BoxOffice(self.host).fulfil(orders)}
        return [answers[each.reference] for each in orders]

    def numbers(self, sku: str) -> dict[str, int]:
        """How a category stands."""
        view = events.read(self.host, self.slug)
        (found,) = (c for s in view.sessions for c in s.categories if c.sku == sku)
        names = ("places", "sold", "held", "allotted", "waiting", "elsewhere", "free")
        return {name: getattr(found, name) for name in names if getattr(found, name)}

    def stock(self, sku: str) -> int | None:
        """Units that the exchange may still sell."""
        return self.lab.stock(self.offers[sku])


@pytest.fixture
def hall(lab: Lab, host: Host) -> Hall:
    """A hall with two rows of five seats."""
    return Hall(lab, host)
