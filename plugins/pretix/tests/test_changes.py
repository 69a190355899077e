"""What an organizer changes at its pretix ends true here: every ticket is accounted for."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from marketplace_pretix import (
    cancelling,
    commands,
    domain,
    giving_back,
    models,
    parts,
    repository,
    sweeping,
    words,
)
from marketplace_pretix.double.server import Double
from marketplace_pretix.parts import Part
from marketplace_pretix.settings import PretixSettings
from marketplace_pretix.supplier import PretixSupplier

from marketplace import api
from marketplace.testing import Lab, SupplierConformance


@pytest.fixture
def item(double: Double) -> int:
    """A product with ten units left, whose number no other test has."""
    made = double.world.add(10)
    number = secrets.randbelow(10**9) + 1_000
    double.world.items[number] = {**double.world.items.pop(made), "id": number}
    double.world.sizes[number] = double.world.sizes.pop(made)
    return number


def sent(host: api.Host, reference: str) -> repository.Sent:
    with host.transaction() as session:
        return repository.sent(session, [reference])[reference]


@pytest.fixture
def two(lab: Lab, supplier: PretixSupplier, item: int) -> str:
    """Reference of a delivered order of two tickets."""
    sku = f"summit/{item}"
    reference = lab.hold("pretix", lab.offer("pretix", sku), quantity=2)
    asked = SupplierConformance.order(sku, quantity=2)
    (outcome,) = supplier.fulfil([msgspec.structs.replace(asked, reference=reference)])
    assert isinstance(outcome, api.Fulfilled)
    return reference


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda placed: placed["positions"].pop(), "fewer"),
        (lambda placed: placed.update(status="n", total="12.00"), "unpaid"),
    ],
)
def test_a_changed_order_is_listed_for_people_until_it_is_right_again(
    lab: Lab,
    host: api.Host,
    double: Double,
    two: str,
    change: Callable[[dict[str, Any]], object],
    code: str,
) -> None:
    placed = double.world.orders[domain.order_code(two)]
    before = msgspec.json.decode(msgspec.json.encode(placed))
    change(placed)
    for _ in range(2):
        sweeping.run(host, now=True)
    assert [each["change"] for each in lab.audit("pretix.changed_by_organizer", two)] == [code]
    made = {each.command.name: each.command for each in commands.make_commands(host)}
    listed = CliRunner().invoke(made["cancelled"], []).output
    assert f"CHANGED: {words.NOTICED[code].message}" in listed
    placed.update(before)
    sweeping.run(host, now=True)
    with host.transaction() as session:
        assert two not in [each.reference for each in repository.noticed(session)]


def test_an_add_on_that_the_organizer_gave_changes_nothing(
    host: api.Host, double: Double, two: str
) -> None:
    placed = double.world.orders[domain.order_code(two)]
    placed["positions"].append({**placed["positions"][0], "positionid": 3, "addon_to": 1})
    sweeping.run(host, now=True)
    found = sent(host, two)
    assert found.noticed is None


def test_an_order_deleted_in_test_mode_keeps_no_other_from_its_points(
    lab: Lab, host: api.Host, double: Double, two: str, settings: PretixSettings
) -> None:
    lab.enable("pretix", "shop", msgspec.structs.replace(settings, give_back_after_h=0))
    code = domain.order_code(two)
    double.world.cancel(code)
    sweeping.run(host, now=True)
    del double.world.orders[code]
    lab.refund(two)
    giving_back.run(host)
    found = sent(host, two)
    assert found.given_back_at is not None


def orders_of(double: Double, reference: str) -> dict[str, str]:
    """Status of all orders at pretix that bear a reference, by code."""
    return {
        code: str(each["status"])
        for code, each in double.world.orders.items()
        if each["api_meta"]["marketplace"] == reference
    }


def refunded(lab: Lab, host: api.Host, reference: str) -> None:
    """Staff gives all points back here."""
    lab.refund(reference)
    fact = api.RefundFact(
        refund_id=uuid4(),
        burn_id=UUID(reference),
        wallet_id=uuid4(),
        points=2_000,
        reason="cannot come",
        effective_at=datetime.now(UTC),
    )
    cancelling.ask_refunded(host, fact)
    cancelling.run(host)


def test_a_ticket_that_was_taken_out_is_noted_and_listed(
    lab: Lab, host: api.Host, double: Double, two: str
) -> None:
    double.world.take_out(domain.order_code(two), 2)
    for _ in range(2):
        sweeping.run(host, now=True)
    found = sent(host, two)
    assert (found.gone, found.gone_given_back, found.noticed) == (1, 0, None)
    assert found.cancelled_by is None
    [entry] = lab.audit("pretix.changed_by_organizer", two)
    assert (entry["change"], entry["gone"]) == ("taken_out", 1)
    made = {each.command.name: each.command for each in commands.make_commands(host)}
    assert "TAKEN OUT: 1 of 2" in CliRunner().invoke(made["cancelled"], []).output


def test_a_ticket_split_into_an_order_of_its_own_stands(
    lab: Lab, host: api.Host, double: Double, two: str
) -> None:
    """It has another code and secret, and our reference: what becomes of it is ours."""
    code = domain.order_code(two)
    split = double.world.split(code, 2)
    sweeping.run(host, now=True)
    found = sent(host, two)
    assert (found.gone, found.noticed) == (0, None)
    double.world.cancel(split)
    sweeping.run(host, now=True)
    assert sent(host, two).gone == 1
    double.world.reactivate(split)
    sweeping.run(host, now=True)
    assert sent(host, two).gone == 0


def test_an_order_whose_split_part_stands_is_not_cancelled_whole(
    host: api.Host, double: Double, two: str
) -> None:
    code = domain.order_code(two)
    split = double.world.split(code, 1)
    double.world.cancel(code)
    sweeping.run(host, now=True)
    found = sent(host, two)
    assert (found.gone, found.cancelled_by) == (1, None)
    double.world.cancel(split)
    sweeping.run(host, now=True)
    assert sent(host, two).cancelled_by == "them"


def test_points_given_back_here_cancel_what_was_split_off_too(
    lab: Lab, host: api.Host, double: Double, two: str
) -> None:
    double.world.split(domain.order_code(two), 2)
    sweeping.run(host, now=True)
    refunded(lab, host, two)
    assert set(orders_of(double, two).values()) == {"c"}


def test_a_part_that_was_split_off_after_our_refund_is_cancelled_with_the_next_look(
    lab: Lab, host: api.Host, double: Double, two: str
) -> None:
    double.world.split(domain.order_code(two), 2)
    refunded(lab, host, two)
    sweeping.run(host, now=True)
    cancelling.run(host)
    assert set(orders_of(double, two).values()) == {"c"}


def test_a_ticket_moved_to_another_product_or_date_is_told_of(
    lab: Lab, host: api.Host, double: Double, two: str
) -> None:
    code = domain.order_code(two)
    double.world.orders[code]["positions"][0]["subevent"] = 7
    double.world.change(code)
    sweeping.run(host, now=True)
    assert sent(host, two).noticed == "moved"


def test_a_ticket_added_after_points_went_back_is_for_people_to_look_at(
    host: api.Host, double: Double, two: str
) -> None:
    code = domain.order_code(two)
    double.world.take_out(code, 2)
    sweeping.run(host, now=True)
    with host.transaction() as session:
        repository.gone_given_back(session, two, 1)
    placed = double.world.orders[code]
    placed["positions"].append({**placed["positions"][0], "id": 99, "positionid": 3})
    double.world.change(code)
    sweeping.run(host, now=True)
    assert sent(host, two).noticed == "back"


def test_a_status_that_pretix_gave_an_order_by_hand(
    host: api.Host, double: Double, two: str
) -> None:
    """Expired is worth nothing, pending has to be paid for, paid is valid again."""
    code = domain.order_code(two)
    for status, noticed, by in (("n", "unpaid", None), ("e", "unpaid", "them"), ("p", None, None)):
        double.world.change(code, status=status)
        sweeping.run(host, now=True)
        found = sent(host, two)
        assert (found.noticed, found.cancelled_by) == (noticed, by)


def test_forged_marks_of_ours_change_nothing(host: api.Host, double: Double, two: str) -> None:
    """Orders of other events, and of burns that are none."""
    code = domain.order_code(two)
    placed = double.world.orders[code]
    double.world.orders["OTHER"] = {**placed, "code": "OTHER", "event": "elsewhere"}
    double.world.orders["NOBODY"] = {
        **placed,
        "code": "NOBODY",
        "api_meta": {"marketplace": str(uuid4())},
    }
    sweeping.run(host, now=True)
    with host.transaction() as session:
        assert [each.code for each in parts.of(session, two)] == [code]


@pytest.mark.parametrize(
    ("found", "good", "gone", "unseen"),
    [
        ([Part("A", "p", 3, 0)], 3, 0, 0),
        ([Part("A", "p", 2, 1)], 2, 1, 0),
        ([Part("A", "p", 2, 0)], 2, 0, 1),
        ([Part("A", "p", 1, 1), Part("B", "p", 1, 0)], 2, 1, 0),
        ([Part("A", "c", 2, 0), Part("B", "p", 1, 0)], 1, 2, 0),
        ([Part("A", "c", 2, 0), Part("B", "e", 1, 0)], 0, 3, 0),
        ([Part("A", "p", 4, 1)], 4, 0, 0),
        ([Part("A", "p", 3, 2)], 3, 0, 0),
    ],
)
def test_every_ticket_is_accounted_for(
    found: list[Part], good: int, gone: int, unseen: int
) -> None:
    whole = parts.weigh(3, found)
    assert (whole.good, whole.gone, whole.unseen) == (good, gone, unseen)


def test_points_of_parts_add_up_to_all_points() -> None:
    assert [parts.share(1_000, gone, 3) for gone in range(5)] == [0, 333, 666, 1_000, 1_000]


def test_what_an_organizer_sold_years_before_is_not_read(
    host: api.Host, double: Double, two: str
) -> None:
    """Its first look would never come to an end."""
    old = {"last_modified": "2020-01-01T00:00:00Z", "api_meta": {}}
    placed = double.world.orders[domain.order_code(two)]
    double.world.orders |= {f"OLD{n}": {**placed, **old, "code": f"OLD{n}"} for n in range(5)}
    read: list[int] = []
    changed = double.world.changed

    def counted(query: Mapping[str, str]) -> list[dict[str, Any]]:
        found = changed(query)
        read.append(len(found))
        return found

    double.world.changed = counted  # type: ignore[method-assign]
    with host.transaction() as session:
        session.execute(sa.delete(models.server))
    sweeping.run(host, now=True)
    assert read == [1]


def test_orders_changed_while_pages_are_read_are_not_passed_over(
    host: api.Host, double: Double, two: str
) -> None:
    """The next look begins where this one began, by pretix's own clock."""
    double.world.orders[domain.order_code(two)]["last_modified"] = "2098-01-01T00:00:00Z"
    sweeping.run(host, now=True)
    double.world.cancel(domain.order_code(two))
    sweeping.run(host, now=True)
    assert sent(host, two).cancelled_by == "them"
