"""What an organizer changes in orders at a real pretix, and what becomes of them here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
from marketplace_pretix import (
    domain,
    giving_back,
    parts,
    repository,
    routes,
    sweeping,
)
from marketplace_pretix.supplier import PretixSupplier

from marketplace import api
from marketplace.testing import Lab, SupplierConformance


def test_cancelled_by_the_organizer(
    host: api.Host, supplier: PretixSupplier, real: Any, seat: Callable[[], api.Order], steps: Any
) -> None:
    order = seat()
    steps.delivered(supplier, order)
    code = domain.order_code(order.reference)
    sweeping.run(host, now=True)
    steps.until_done(
        lambda: real.call("POST", f"orders/{code}/mark_canceled/", {"send_email": False})[0] == 200
    )
    sweeping.run(host, now=True)
    with host.transaction() as session:
        found = [each.reference for each in repository.not_given_back(session)]
    assert found == [order.reference]


def test_made_valid_again_by_the_organizer(
    lab: Lab,
    host: api.Host,
    supplier: PretixSupplier,
    real: Any,
    seat: Callable[[], api.Order],
    steps: Any,
) -> None:
    """In time nothing is given back; later the order is cancelled anew."""
    at_once = msgspec.structs.replace(real.settings(), give_back_after_h=0)
    order = seat()
    steps.delivered(supplier, order)
    code = domain.order_code(order.reference)

    def note() -> repository.Sent:
        with host.transaction() as session:
            return repository.sent(session, [order.reference])[order.reference]

    assert real.call("POST", f"orders/{code}/mark_canceled/", {"send_email": False})[0] == 200
    sweeping.run(host, now=True)
    assert note().cancelled_by == "them"
    assert real.call("POST", f"orders/{code}/reactivate/", {})[0] == 200
    lab.enable("pretix", "shop", at_once)
    giving_back.run(host)
    assert note().cancelled_by is None
    assert real.call("POST", f"orders/{code}/mark_canceled/", {"send_email": False})[0] == 200
    sweeping.run(host, now=True)
    lab.refund(order.reference)
    giving_back.run(host)
    assert note().given_back_at is not None
    assert real.call("POST", f"orders/{code}/reactivate/", {})[0] == 200
    steps.until_done(lambda: steps.cancelled(host, real, code))


def test_its_webhook_has_the_change_looked_at_soon(
    lab: Lab,
    host: api.Host,
    supplier: PretixSupplier,
    real: Any,
    seat: Callable[[], api.Order],
    steps: Any,
    listener: Any,
) -> None:
    key = "a-word-of-our-own-choice-1"
    lab.enable("pretix", "shop", msgspec.structs.replace(real.settings(), webhook_key=key))
    called: list[str] = []

    def take(path: str) -> None:
        called.append(path)
        routes.take(host, *path.split("/")[-2:])

    order = seat()
    steps.delivered(supplier, order)
    sweeping.run(host, now=True)
    with listener(take) as told:
        threading.Thread(target=told.serve_forever, daemon=True).start()
        webhook = {
            "target_url": f"http://127.0.0.1:{told.server_port}/v1/pretix/notices/shop/{key}",
            "enabled": True,
            "all_events": True,
            "limit_events": [],
            "action_types": ["pretix.event.order.canceled"],
        }
        assert real.call("POST", "/webhooks/", webhook, team="office")[0] == 201
        code = domain.order_code(order.reference)
        assert real.call("POST", f"orders/{code}/mark_canceled/", {"send_email": False})[0] == 200
        steps.until_done(lambda: bool(called))
        told.shutdown()

    def cancelled_by() -> str | None:
        with host.transaction() as session:
            return repository.sent(session, [order.reference])[order.reference].cancelled_by

    sweeping.run(host)
    assert cancelled_by() == "them"


def test_what_an_organizer_changes_in_an_order_is_noticed(
    lab: Lab, host: api.Host, supplier: PretixSupplier, real: Any, steps: Any
) -> None:
    reference = lab.hold("pretix", lab.offer("pretix", real.seat), quantity=2)
    two = SupplierConformance.order(real.seat, quantity=2)
    steps.delivered(supplier, msgspec.structs.replace(two, reference=reference))
    path = f"orders/{domain.order_code(reference)}/"
    first, second = (each["id"] for each in real.call("GET", path)[1]["positions"])

    def noticed_after(change: dict[str, Any]) -> str | None:
        assert real.call("POST", f"{path}change/", {"send_email": False, **change})[0] == 200
        sweeping.run(host, now=True)
        with host.transaction() as session:
            return repository.sent(session, [reference])[reference].noticed

    dearer = {"position": first, "body": {"price": "12.00"}}
    assert noticed_after({"patch_positions": [dearer]}) == "unpaid"
    cheap = {"position": first, "body": {"price": "0.00"}}
    assert noticed_after({"patch_positions": [cheap]}) is None
    other = {"position": first, "body": {"item": real.items["workshop"]}}
    assert noticed_after({"patch_positions": [other]}) == "moved"
    assert noticed_after({"cancel_positions": [{"position": second}]}) == "moved"
    with host.transaction() as session:
        assert repository.sent(session, [reference])[reference].gone == 1


def test_what_an_organizer_splits_off_is_followed(
    lab: Lab, host: api.Host, supplier: PretixSupplier, real: Any, steps: Any
) -> None:
    """It bears our reference, stands for a ticket, and is cancelled with our refund."""
    reference = lab.hold("pretix", lab.offer("pretix", real.seat), quantity=3)
    three = SupplierConformance.order(real.seat, quantity=3)
    steps.delivered(supplier, msgspec.structs.replace(three, reference=reference))
    code = domain.order_code(reference)
    first, second, _ = (each["id"] for each in real.call("GET", f"orders/{code}/")[1]["positions"])

    def gone_after(**change: Any) -> int:
        change = {"send_email": False, **change}
        assert real.call("POST", f"orders/{code}/change/", change)[0] == 200
        sweeping.run(host, now=True)
        with host.transaction() as session:
            found = repository.sent(session, [reference])[reference]
        assert found.noticed is None
        return found.gone

    assert gone_after(split_positions=[{"position": first}]) == 0
    assert gone_after(cancel_positions=[{"position": second}]) == 1
    with host.transaction() as session:
        [split] = [each.code for each in parts.of(session, reference) if each.code != code]
    lab.refund(reference)
    steps.until_done(
        lambda: steps.cancelled(host, real, split) and steps.cancelled(host, real, code)
    )
