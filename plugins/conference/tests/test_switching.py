"""A ticket changes while its burn is given back: places and seats stay right."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import sqlalchemy as sa
from marketplace_conference import models, plan, selling
from marketplace_conference.schemas import NewCategory
from marketplace_conference.tickets import switching

from .conftest import Hall

UNSURE = sa.text("""
select s.label from conference_seat s join conference_category c on c.id = s.category_id
where c.sku = any(:skus) and s.sold <> exists (
    select from conference_place p where p.seat_id = s.id and p.cancelled_at is null)
""")


@pytest.fixture
def gallery(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> str:
    """Other numbered seats of the event, to which everybody may change."""
    sku = f"{hall.slug}-GALLERY"
    hall.offers[sku] = hall.lab.offer("conference", sku)
    gallery = NewCategory(sku=sku, name="Gallery", session="day", numbered=True)
    hall.put(categories=[*hall.new.categories, gallery])
    text = f"sku,row,number\n{sku},G,1\n{sku},G,2"
    plan.import_plan(hall.host, hall.slug, "day", text, None, actor="cli:test")
    for name, answer in {
        "_let_in": None,
        "_is_allowed": True,
        "_why_not": "",
        "_note": None,
    }.items():
        monkeypatch.setattr(switching, name, lambda *_, answer=answer: answer)
    return sku


@pytest.mark.parametrize("before", ["its pools are locked", "it has another code"])
def test_what_is_given_back_while_it_changes_leaves_every_seat_as_it_is(
    hall: Hall, gallery: str, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = hall.order(hall.row, 1, hall.reserve(hall.row, "A-1").selection)
    hall.fulfil(order)

    def give_back() -> None:
        with hall.host.transaction() as session:
            selling.release(hall.host, session, order.reference)

    other = threading.Thread(target=give_back)
    module, name = {
        "its pools are locked": (switching.selling, "lock_pools"),
        "it has another code": (switching, "_reissue"),
    }[before]
    real = getattr(module, name)

    def meanwhile(*args: Any, **kwargs: Any) -> Any:
        if threading.current_thread() is not other and not other.is_alive():
            monkeypatch.setattr(module, name, real)
            other.start()
            other.join(1)
        return real(*args, **kwargs)

    monkeypatch.setattr(module, name, meanwhile)
    switching.change(hall.host, hall.person(), order.reference, 1, sku=gallery)
    other.join()
    with hall.host.transaction() as session:
        skus = [hall.row, gallery]
        assert session.scalars(UNSURE, {"skus": skus}).all() == []
        live = sa.select(models.place.c.id).where(
            models.place.c.order_reference == order.reference,
            models.place.c.cancelled_at.is_(None),
        )
        assert session.scalars(live).all() == []
    assert (hall.numbers(hall.row), hall.numbers(gallery)) == (
        {"places": 10, "free": 10},
        {"places": 2, "free": 2},
    )
    assert (hall.stock(hall.row), hall.stock(gallery)) == (10, 2)
