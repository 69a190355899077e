"""What a pretix does wrong never becomes a delivery, a refusal or a second order."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from marketplace_pretix import domain, models
from marketplace_pretix.double.server import Double, Mischief
from marketplace_pretix.settings import PretixSettings
from marketplace_pretix.supplier import PretixSupplier

from marketplace import api
from marketplace.testing import Lab, SupplierConformance

order = SupplierConformance.order


def one(answers: Any) -> api.Outcome:
    [answer] = answers
    found: api.Outcome = answer
    return found


def test_a_ticket_is_what_is_scanned_at_the_door(
    supplier: PretixSupplier, double: Double, sku: str
) -> None:
    asked = order(sku, quantity=2)
    outcome = one(supplier.fulfil([asked]))
    assert isinstance(outcome, api.Fulfilled)
    code = domain.order_code(asked.reference)
    placed = double.world.orders[code]
    assert [each.secret for each in outcome.artefacts] == [p["secret"] for p in placed["positions"]]
    assert {each.kind for each in outcome.artefacts} == {"ticket"}
    assert outcome.supplier_reference == f"summit/{code}"
    assert placed["total"] == "0.00"


def test_a_member_may_hand_out_the_orders_page(
    lab: Lab, supplier: PretixSupplier, settings: PretixSettings, sku: str
) -> None:
    lab.enable("pretix", "shop", msgspec.structs.replace(settings, hand_out="page"))
    outcome = one(supplier.fulfil([order(sku)]))
    assert isinstance(outcome, api.Fulfilled)
    assert outcome.artefacts[0].kind == "link"
    assert outcome.artefacts[0].secret.startswith("https://tickets.example/meridian/summit/order/")


def test_the_code_is_the_same_for_ever_and_pretix_takes_it() -> None:
    """16 letters and digits without O; changed code, changed idempotency: never change it."""
    assert domain.order_code("0197a3c4-5b10-7d6e-8f21-0a1b2c3d4e5f") == "FD71BCSWXJ2WFX69"
    codes = {domain.order_code(str(number)) for number in range(10_000)}
    assert len(codes) == 10_000
    assert {len(code) for code in codes} == {16}
    assert set("".join(codes)) == set(domain.ALPHABET)


@pytest.mark.parametrize("mischief", [Mischief.LOST, Mischief.MALFORMED, Mischief.BROKEN])
def test_an_order_whose_answer_is_lost_is_found_and_made_once(
    supplier: PretixSupplier, double: Double, sku: str, mischief: Mischief
) -> None:
    asked = order(sku)
    double.mischief = mischief
    assert isinstance(one(supplier.fulfil([asked])), api.Unknown)
    assert isinstance(one(supplier.lookup([asked])), api.Unknown)
    double.mischief = Mischief.NONE
    found = one(supplier.lookup([asked]))
    assert isinstance(found, api.Fulfilled)
    assert one(supplier.fulfil([asked])) == found
    assert double.world.created[asked.reference] == 1


@pytest.mark.parametrize("mischief", [Mischief.GONE, Mischief.BLIND, Mischief.DOWN])
def test_only_pretix_itself_can_say_that_it_has_no_order(
    supplier: PretixSupplier, double: Double, sku: str, mischief: Mischief
) -> None:
    """A proxy's 404 and a token that lost its rights prove nothing."""
    asked = order(sku)
    double.mischief = Mischief.LOST
    supplier.fulfil([asked])
    double.mischief = mischief
    assert isinstance(one(supplier.lookup([asked])), api.Unknown)


def test_absence_is_believed_only_when_no_call_can_be_on_its_way(
    host: api.Host, lab: Lab, settings: PretixSettings, double: Double, sku: str
) -> None:
    lab.enable("pretix", "shop", settings)
    asked = order(sku)
    double.mischief = Mischief.DOWN
    patient = PretixSupplier(host, settle_s=60)
    assert isinstance(one(patient.fulfil([asked])), api.Unknown)
    double.mischief = Mischief.NONE
    assert isinstance(one(patient.lookup([asked])), api.Unknown)
    assert isinstance(one(PretixSupplier(host, settle_s=0).lookup([asked])), api.NeverOrdered)
    with host.transaction() as session:
        long_ago = sa.func.now() - sa.text("interval '1 hour'")
        session.execute(sa.update(models.order).values(begun_at=long_ago))
    double.mischief = Mischief.DOWN
    patient.fulfil([asked])
    double.mischief = Mischief.NONE
    assert isinstance(one(patient.lookup([asked])), api.Unknown)  # it was sent again just now


def test_what_pretix_refuses_is_told_apart(
    lab: Lab, supplier: PretixSupplier, settings: PretixSettings, double: Double, sku: str
) -> None:
    sold_out = one(supplier.fulfil([order(f"summit/{double.world.add(1)}", quantity=2)]))
    assert sold_out == api.Rejected(
        reference=sold_out.reference, reason="Nothing of this is left at the organizer."
    )
    for unknown in ("summit/999", "summit", "summit/x", "a b/1", "summit/1/2/3/4"):
        assert isinstance(one(supplier.fulfil([order(unknown)])), api.Rejected)
    double.mischief = Mischief.BUSY
    assert isinstance(one(supplier.fulfil([order(sku)])), api.Retry)
    double.mischief = Mischief.NONE
    assert isinstance(one(supplier.fulfil([order("elsewhere/1")])), api.Retry)
    lab.enable("pretix", "shop", msgspec.structs.replace(settings, token="x" * 20))
    assert isinstance(one(supplier.fulfil([order(sku)])), api.Retry)
    assert double.world.created == {}


def test_an_order_is_asked_for_where_it_was_sent(
    lab: Lab, supplier: PretixSupplier, settings: PretixSettings, double: Double, sku: str
) -> None:
    """Another server never heard of it: its 404 is no proof."""
    asked = order(sku)
    double.mischief = Mischief.LOST
    supplier.fulfil([asked])
    other = Double().start()
    moved = msgspec.structs.replace(settings, url=other.url, token=other.world.token)
    lab.enable("pretix", "shop", moved)
    assert isinstance(one(supplier.lookup([asked])), api.Unknown)
    assert isinstance(one(supplier.fulfil([asked])), api.Unknown)
    assert other.calls == []
    other.stop()


def test_an_order_of_somebody_elses_is_never_taken_for_ours(
    supplier: PretixSupplier, double: Double, sku: str
) -> None:
    asked = order(sku)
    supplier.fulfil([asked])
    placed = double.world.orders[domain.order_code(asked.reference)]
    placed["api_meta"] = {"marketplace": "another"}
    for ask in (supplier.fulfil, supplier.lookup):
        assert isinstance(one(ask([asked])), api.Unknown)
    placed["api_meta"] = {"marketplace": asked.reference}
    placed["positions"] = placed["positions"] * 2
    assert isinstance(one(supplier.lookup([asked])), api.Unknown)


def test_what_the_organizer_cancelled_before_we_knew_is_given_back(
    supplier: PretixSupplier, double: Double, sku: str
) -> None:
    asked = order(sku)
    double.mischief = Mischief.LOST
    supplier.fulfil([asked])
    double.mischief = Mischief.NONE
    double.world.cancel(domain.order_code(asked.reference))
    assert isinstance(one(supplier.lookup([asked])), api.Rejected)
    assert isinstance(one(supplier.fulfil([asked])), api.Rejected)


def test_no_idempotency_key_is_sent_for_pretix_would_answer_another_question(
    double: Double, supplier: PretixSupplier, sku: str
) -> None:
    """A refusal is stored with it for a day, whatever is asked next."""
    headers = {"authorization": f"Token {double.world.token}", "x-idempotency-key": "k"}
    path = "/api/v1/organizers/meridian/events/summit/orders/"
    first = double.answer("POST", path, headers, b"{}")
    assert first[0] == 400
    asked = order(sku)
    good = domain.new_order(asked, domain.Sku("summit", int(sku.split("/")[1])))
    assert double.answer("POST", path, headers, good) == first
    double.stored.clear()
    assert isinstance(one(supplier.fulfil([asked])), api.Fulfilled)
    assert double.stored == {}


def test_a_trial_keeps_nothing_at_pretix(
    lab: Lab, supplier: PretixSupplier, settings: PretixSettings, double: Double, sku: str
) -> None:
    lab.enable("pretix", "shop", settings, sandbox=settings)
    asked = msgspec.structs.replace(order(sku), sandbox=True)
    outcome = one(supplier.fulfil([asked]))
    assert outcome == api.Fulfilled(reference=asked.reference, supplier_reference="PREVIEW")
    assert isinstance(one(supplier.lookup([asked])), api.NeverOrdered)
    assert double.world.orders == {}


def test_a_slow_pretix_is_given_no_more_than_it_can_do(
    host: api.Host, lab: Lab, settings: PretixSettings, double: Double, sku: str
) -> None:
    """What could not begin in time was certainly not taken."""
    lab.enable("pretix", "shop", settings)
    double.mischief = Mischief.SLOW
    orders = [order(sku) for _ in range(20)]
    outcomes = PretixSupplier(host, begin_within_s=0.1).fulfil(orders)
    late = [each for each in outcomes if isinstance(each, api.Retry)]
    assert len(late) + sum(isinstance(each, api.Fulfilled) for each in outcomes) == 20
    assert late
    assert not any(each.reference in double.world.created for each in late)


def test_settings_are_tried_before_they_count(
    lab: Lab, supplier: PretixSupplier, settings: PretixSettings, double: Double
) -> None:
    shop = lab.member("shop")

    def said(**more: Any) -> str:
        lab.enable("pretix", "shop", msgspec.structs.replace(settings, **more))
        health = supplier.member_health(shop, sandbox=False)
        assert health.ok == (not health.message)
        return health.message

    assert said() == ""
    assert "does not know this token" in said(token="y" * 20)
    assert "is the organizer right" in said(organizer="another")
    double.world.may_write = False
    assert "may not order at summit" in said()
    double.mischief = Mischief.BLIND
    assert "may see no event" in said()
    double.mischief = Mischief.DOWN
    assert said()
    assert not supplier.member_health(lab.member("stranger"), sandbox=False).ok
