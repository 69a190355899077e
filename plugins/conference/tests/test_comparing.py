"""A refund is made, and the process that was to tell of it dies: the places become free anyway."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from marketplace_conference import comparing, models, selling
from marketplace_conference.plugin import marketplace_register_tasks
from msgspec.structs import replace

from marketplace.api import Host

from .conftest import Hall


def sold(hall: Hall, sku: str) -> str:
    """A place that was sold to a burn of the exchange."""
    reference = hall.lab.hold("conference", hall.offers[sku])
    hall.fulfil(replace(hall.order(sku), reference=reference))
    return reference


def standing(host: Host, reference: str) -> list[tuple[bool, bool]]:
    """Of each place of an order: whether it is live, and whether its seat is sold."""
    place, seat = models.place, models.seat
    with host.transaction() as session:
        rows = session.execute(
            sa.select(place.c.cancelled_at.is_(None), seat.c.sold)
            .join(seat, seat.c.id == place.c.seat_id)
            .where(place.c.order_reference == reference)
        )
        return [(live, is_sold) for live, is_sold in rows]


def run_task(host: Host) -> None:
    (task,) = (each for each in marketplace_register_tasks(host) if each.name == "pay-refunds")
    task.run()


def test_a_refund_that_nobody_told_of_frees_its_seat(hall: Hall, host: Host) -> None:
    gone, stays, voided = (sold(hall, hall.row) for _ in range(3))
    hall.lab.refund(gone)
    hall.lab.void(voided)
    assert standing(host, gone) == [(True, True)]
    run_task(host)
    assert standing(host, gone) == standing(host, voided) == [(False, False)]
    assert standing(host, stays) == [(True, True)]
    assert hall.lab.audit("conference.refunded", gone) == [{"places": 1}]
    run_task(host)
    assert len(hall.lab.audit("conference.refunded", gone)) == 1


def test_every_order_has_its_turn_though_one_is_locked(
    hall: Hall, host: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(comparing, "COMPARED", 2)
    monkeypatch.setattr(selling, "LOCK_MS", 50)
    refunded = sorted(sold(hall, hall.row) for _ in range(5))
    for reference in refunded:
        hall.lab.refund(reference)
    live = sa.select(models.place.c.id).where(models.place.c.cancelled_at.is_(None))
    with host.transaction() as session:
        rounds = len(session.scalars(live).all())
        session.execute(live.where(models.place.c.order_reference == refunded[0]).with_for_update())
        for _ in range(rounds):
            comparing.run(host)
    assert [standing(host, each)[0][0] for each in refunded] == [True, *[False] * 4]
    assert "keeps its places" in caplog.text
    for _ in range(rounds):
        comparing.run(host)
    assert standing(host, refunded[0]) == [(False, False)]
