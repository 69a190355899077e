"""A chosen seat is sold at once, to one."""

from __future__ import annotations

import sqlalchemy as sa
from marketplace_conference import selling, taking
from marketplace_conference.models import category, seat

from .conftest import Hall


def test_chosen_seats_are_sold_all_or_none(hall: Hall) -> None:
    hall.reserve(hall.row, "B-5")
    with hall.host.transaction() as session:
        row_id = session.execute(
            sa.select(category.c.id).where(category.c.sku == hall.row)
        ).scalar_one()
        selling.lock_pools(session, {row_id}, alone=True)
        now = hall.host.now(session)

        def sell(*labels: str) -> int:
            found = taking.sell_chosen(session, row_id, labels, now)
            return 0 if found is None else len(found)

        assert [sell("A-1", "A-2"), sell("A-1"), sell("A-3", "B-5"), sell("A-3")] == [2, 0, 0, 1]
        sold = session.scalars(
            sa.select(seat.c.label).where(seat.c.category_id == row_id, seat.c.sold)
        )
        assert sorted(sold) == ["A-1", "A-2", "A-3"]
