"""How the simulator orders seats. The plugin's outside world is its own database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

from marketplace.testing import Goods, Rehearsal, Trouble
from marketplace_conference import events
from marketplace_conference.schemas import NewCategory, NewEvent, NewSession

NO_OTHER = "places are sold from the plugin's own database, no other system is asked"
STARTS, ENDS = datetime(2999, 5, 4, 9, tzinfo=UTC), datetime(2999, 5, 4, 18, tzinfo=UTC)


class BoxOfficeRehearsal(Rehearsal):
    """An event with as many places as are asked for, and one that is sold out."""

    without: ClassVar[Mapping[Trouble, str]] = {
        Trouble.PENDING: "a place is sold at once or not at all; " + NO_OTHER,
        Trouble.PRICE: "organisers sell their own places; nobody asks a price",
        Trouble.MALFORMED: NO_OTHER,
        Trouble.PARTIAL: NO_OTHER,
    }
    made = 0

    def goods(self, units: int) -> Goods:
        """A category of this size, and one of none."""
        self.made += 1
        slug = f"rehearsal-{self.made}"
        full, empty = f"{slug}-FULL", f"{slug}-EMPTY"
        for sku in (full, empty):
            self.lab.offer(self.host.slug, sku)
        self.lab.member("shop")
        new = NewEvent(
            slug=slug,
            name="Rehearsal",
            organiser="shop",
            language="en",
            venue="Hall 1",
            time_zone="Europe/Warsaw",
            starts_at=STARTS,
            ends_at=ENDS,
            sessions=[NewSession(code="day", name="Day", starts_at=STARTS, ends_at=ENDS)],
            quotas={"many": 2 * units, "none": 0},
            categories=[
                NewCategory(sku=full, name="Seat", session="day", quota="many", most_at_once=1_000),
                NewCategory(sku=empty, name="None", session="day", quota="none"),
            ],
        )
        events.put(self.host, new, None, actor="cli:rehearsal")
        events.set_status(self.host, slug, None, "published", actor="cli:rehearsal")
        return Goods(sku=full, empty_sku=empty)
