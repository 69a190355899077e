"""A pretix with settings that we did not choose: what is sold here, what is not, and why."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from marketplace_pretix import (
    asking,
    cancelling,
    commands,
    domain,
    models,
    repository,
    shelf,
    stock,
    sweeping,
    telling,
    words,
)
from marketplace_pretix.double.server import Double, Mischief
from marketplace_pretix.settings import PretixSettings
from marketplace_pretix.supplier import PretixSupplier

from marketplace import api
from marketplace.testing import Lab, SupplierConformance

LONG_AGO: Final = "2020-01-01T09:00:00Z"
LATER: Final = "2098-01-01T09:00:00Z"
QUESTION: Final = {"question": {"en": "Photo"}, "type": "F", "required": True, "id": 9}


@pytest.fixture
def item(double: Double) -> int:
    """A product with ten units left, whose number no other test has."""
    made = double.world.add(10)
    number = secrets.randbelow(10**9) + 1_000
    double.world.items[number] = {**double.world.items.pop(made), "id": number}
    double.world.sizes[number] = double.world.sizes.pop(made)
    return number


def known(host: api.Host, lab: Lab, sku: str) -> telling.State:
    """What is known of a product now."""
    stock.keep(host)
    with host.transaction() as session:
        return telling.known(session, lab.member("shop"))[sku]


def of_item(**values: Any) -> Callable[[Double, int], object]:
    return lambda double, item: double.world.items[item].update(values)


def bundle(double: Double, item: int, count: int = 1, **values: Any) -> int:
    """Something that comes with each unit of a product; returns its id."""
    part = double.world.add(5, name="Dinner")
    double.world.items[part].update(values)
    double.world.settings["attendee_names_required"] = True
    double.world.items[item]["bundles"] = [
        {"bundled_item": part, "bundled_variation": None, "count": count}
    ]
    return part


def of_event(**values: Any) -> Callable[[Double, int], object]:
    return lambda double, item: double.world.about.update(values)


def of_settings(**values: Any) -> Callable[[Double, int], object]:
    def put(double: Double, item: int) -> None:
        double.world.items[item]["personalized"] = True
        double.world.settings.update(values)

    return put


@pytest.mark.parametrize(
    ("put", "trouble"),
    [
        (of_item(active=False), "inactive"),
        (of_item(require_voucher=True), "voucher"),
        (of_item(hide_without_voucher=True), "voucher"),
        (of_item(require_approval=True), "approval"),
        (of_item(require_membership=True), "membership"),
        (of_item(require_bundling=True), "bundled"),
        (of_item(addons=[{"min_count": 1}]), "addons"),
        (of_item(bundles=[{"bundled_item": 3}]), "bundles"),
        (lambda double, item: bundle(double, item, personalized=True), "bundles"),
        (of_item(issue_giftcard=True), "giftcard"),
        (of_item(grant_membership_type=4), "account"),
        (of_item(media_policy="new"), "medium"),
        (
            lambda double, item: of_item(hidden_if_available=double.world.add(1))(double, item),
            "hidden",
        ),
        (
            lambda double, item: of_item(hidden_if_item_available=double.world.add(1))(
                double, item
            ),
            "hidden",
        ),
        (of_item(available_from=LATER), "not_yet"),
        (of_item(available_until=LONG_AGO), "no_longer"),
        (of_item(all_sales_channels=False, limit_sales_channels=["pos"]), "channel"),
        (of_item(variations=[{"id": 1, "value": {"en": "Adult"}}]), "no_variation"),
        (of_event(all_sales_channels=False, limit_sales_channels=["pos"]), "channel"),
        (of_event(presale_start=LATER), "not_begun"),
        (of_event(presale_end=LONG_AGO), "over"),
        (of_event(date_from=LONG_AGO), "over"),
        (of_event(has_subevents=True), "no_date"),
        (
            lambda double, item: (double.world.items.clear(), double.world.sizes.clear()),
            "product",
        ),
        (lambda double, item: double.world.sizes.clear(), "quota"),
        (
            lambda double, item: double.world.questions.append({**QUESTION, "items": [item]}),
            "question",
        ),
    ],
)
def test_what_pretix_would_take_and_its_shop_would_not_sell_is_not_sold_here(
    lab: Lab,
    host: api.Host,
    supplier: PretixSupplier,
    double: Double,
    item: int,
    put: Callable[[Double, int], object],
    trouble: str,
) -> None:
    """Stock is none, so that nobody's points are held; the partner reads why."""
    sku = f"summit/{item}"
    offer_id = lab.offer("pretix", sku, stock=7)
    put(double, item)
    state = known(host, lab, sku)
    assert (state.trouble, lab.stock(offer_id)) == (trouble, 0)
    assert trouble in words.TROUBLES
    (outcome,) = supplier.fulfil([SupplierConformance.order(sku)])
    assert isinstance(outcome, api.Rejected)
    assert outcome.reason == words.NOT_SOLD.message
    assert double.world.orders == {}


def test_what_does_no_harm_is_sold(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, item: int
) -> None:
    """A shop that is not live, a test mode, prices of choice, add-ons that may be left out."""
    sku = f"summit/{item}"
    offer_id = lab.offer("pretix", sku, stock=0)
    double.world.about.update(live=False, testmode=True, currency="CHF", presale_end=LATER)
    double.world.items[item].update(free_price=True, addons=[{"min_count": 0}], max_per_order=5)
    double.world.settings["attendee_names_asked"] = None
    assert known(host, lab, sku).trouble is None
    assert lab.stock(offer_id) == 10


def test_what_comes_with_a_product_is_ordered_with_it(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, item: int
) -> None:
    """It asks nothing, so nobody has to choose it; its quota counts, and it is no ticket."""
    sku = f"summit/{item}"
    offer_id = lab.offer("pretix", sku, stock=0)
    dinner = bundle(double, item, count=2)
    assert known(host, lab, sku).trouble is None
    assert lab.stock(offer_id) == 2  # of five dinners
    asked = SupplierConformance.order(sku, quantity=2)
    asked = msgspec.structs.replace(asked, acceptor_id=lab.member("shop"))
    (outcome,) = supplier.fulfil([asked])
    assert isinstance(outcome, api.Fulfilled)
    assert len(outcome.artefacts) == 2
    placed = double.world.orders[domain.order_code(asked.reference)]["positions"]
    assert [(each["item"], each["addon_to"]) for each in placed] == [
        *((item, None), (dinner, 1), (dinner, 1)),
        *((item, None), (dinner, 4), (dinner, 4)),
    ]
    assert supplier.lookup([asked]) == [outcome]


def test_a_product_is_called_as_its_organizer_does_in_the_readers_language(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, item: int
) -> None:
    sku = f"summit/{item}"
    lab.offer("pretix", sku, stock=0)
    double.world.about["name"] = {"en": "Summit", "pl": "Szczyt", "de-informal": "Gipfel"}
    state = known(host, lab, sku)
    named = [state.called(code) for code in ("en", "pl", "it", "de")]
    assert named == ["Summit: Seat", "Szczyt: Seat", "Summit: Seat", "Gipfel: Seat"]


def test_an_address_that_is_required_is_asked_and_goes_with_the_order(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, item: int
) -> None:
    of_settings(attendee_addresses_required=True)(double, item)
    sku, shop = f"summit/{item}", lab.member("shop")
    lab.offer("pretix", sku, stock=0)
    asks = known(host, lab, sku).asks
    assert (asks.addresses, asks.must_be_told) == ("required", True)
    home = {"street": "Long Lane 1", "zipcode": "00-001", "city": "Warsaw", "country": "PL"}
    lacking = asking.problems(asking.Person(address={**home, "country": "Poland"}), asks)
    assert lacking == {"country": asking.NO_COUNTRY}
    with host.transaction() as session:
        people = [asking.Person(address=home)]
        selection = telling.tell(host, session, shop, sku, people)
    asked = SupplierConformance.order(sku)
    asked = msgspec.structs.replace(asked, acceptor_id=shop, selection=selection)
    (outcome,) = supplier.fulfil([asked])
    [placed] = double.world.orders[domain.order_code(outcome.reference)]["positions"]
    assert {part: placed[part] for part in home} == home


def test_a_shop_that_is_not_live_shows_nobody_the_page_of_an_order(
    lab: Lab, host: api.Host, double: Double, item: int, settings: PretixSettings
) -> None:
    sku = f"summit/{item}"
    lab.enable("pretix", "shop", msgspec.structs.replace(settings, hand_out="page"))
    lab.offer("pretix", sku, stock=0)
    double.world.about["live"] = False
    assert known(host, lab, sku).trouble == "not_live"


def test_a_sales_channel_of_its_own_is_ordered_on(
    lab: Lab, host: api.Host, double: Double, item: int, settings: PretixSettings
) -> None:
    sku = f"summit/{item}"
    double.world.items[item].update(all_sales_channels=False, limit_sales_channels=["api.points"])
    own = msgspec.structs.replace(settings, sales_channel="api.points")
    lab.enable("pretix", "shop", own)
    lab.offer("pretix", sku, stock=0)
    assert known(host, lab, sku).trouble is None
    (outcome,) = PretixSupplier(host, settle_s=0).fulfil([SupplierConformance.order(sku)])
    placed = double.world.orders[domain.order_code(outcome.reference)]
    assert placed["sales_channel"] == "api.points"


def test_each_date_and_variation_of_a_series_has_terms_of_its_own() -> None:
    """With the answers of a real one: overrides, a date that is over, a price of its own."""
    event = {"slug": "tour", "has_subevents": True, "timezone": "America/New_York"}
    dates = [
        {"id": 1, "date_from": LATER, "variation_price_overrides": [_override(7, price="9.00")]},
        {"id": 2, "date_from": LATER, "variation_price_overrides": [_override(7, disabled=True)]},
        {"id": 3, "date_from": LONG_AGO},
        {"id": 4, "date_from": LATER, "active": False},
    ]
    variations = [{"id": 7, "value": {"de": "Kind"}}, {"id": 8, "active": False}]
    seen = shelf.Shelf(
        event=msgspec.convert(event, shelf.Event),
        wishes=shelf.Wishes(),
        products=msgspec.convert([{"id": 5, "variations": variations}], list[shelf.Product]),
        quotas=[shelf.Quota(1, [5], [7, 8], date, True, None) for date in (1, 2, 3, 4)],
        dates=msgspec.convert(dates, list[shelf.Date]),
    )
    settings = PretixSettings(url="https://t.example", organizer="o", token="x" * 20)
    now = msgspec.convert("2027-01-01T00:00:00Z", type=datetime)

    def trouble(text: str) -> str | None:
        sku = domain.parse_sku(f"tour/5/{text}")
        assert sku is not None
        return seen.trouble(sku, settings, now)

    asked = ("7/1", "7/2", "7/3", "7/4", "8/1", "9/1", "7/6")
    assert [trouble(each) for each in asked] == [
        *(None, "not_on_date", "over", "date"),
        *("inactive", "variation", "date"),
    ]
    sku = domain.Sku("tour", 5, 7, 1)
    assert seen.dates[0].price(sku) == "9.00"
    assert seen.free(sku) == stock.UNLIMITED
    assert seen.name(sku) == "tour: Kind: 2098-01-01 04:00"


def _override(variation: int, **more: Any) -> dict[str, Any]:
    return {"variation": variation, **more}


def test_words_of_an_organizer_are_said_in_the_readers_language() -> None:
    text: asking.Text = {"de-informal": "Sitz", "en": "Seat", "pl": ""}
    said = [asking.said(text, code) for code in ("de", "pl", "it")]
    assert said == ["Sitz", "Seat", "Seat"]
    assert asking.said({"de": "Sitz"}, "ru") == "Sitz"


# -- the token, and what lies between -------------------------------------------------------------


def test_an_event_out_of_the_tokens_sight_sells_nothing_and_harms_no_other(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, item: int
) -> None:
    here, there = f"summit/{item}", f"elsewhere-{item}/1"
    stocks = [lab.offer("pretix", each, stock=7) for each in (there, here)]
    assert known(host, lab, there).trouble == "event"
    assert [lab.stock(each) for each in stocks] == [0, 10]


def test_a_token_that_was_revoked_sells_nothing_and_loses_nothing(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, item: int
) -> None:
    sku = f"summit/{item}"
    offer_id = lab.offer("pretix", sku, stock=7)
    asked = SupplierConformance.order(sku)
    double.world.token = "another"
    assert known(host, lab, sku).trouble == "token"
    assert lab.stock(offer_id) == 0
    (outcome,) = supplier.fulfil([asked])
    assert isinstance(outcome, api.Retry)
    (outcome,) = supplier.lookup([asked])
    assert isinstance(outcome, api.Unknown)


def test_what_lies_between_takes_no_order(
    lab: Lab, supplier: PretixSupplier, double: Double, item: int
) -> None:
    """A redirect is none of pretix's; a 503 may hide an order, so it is asked for."""
    asked = SupplierConformance.order(f"summit/{item}")
    double.mischief = Mischief.MOVED
    (outcome,) = supplier.fulfil([asked])
    assert isinstance(outcome, api.Retry)
    assert "https://tickets.example/" in outcome.reason
    health = supplier.member_health(lab.member("shop"), sandbox=False)
    assert "https://tickets.example/" in health.message
    double.mischief = Mischief.MAINTENANCE
    (outcome,) = supplier.fulfil([asked])
    assert isinstance(outcome, api.Unknown)
    double.mischief = Mischief.BUSY
    (outcome,) = supplier.fulfil([asked])
    assert isinstance(outcome, api.Retry)
    assert outcome.after_s == 42
    double.mischief = Mischief.NONE
    (outcome,) = supplier.fulfil([asked])
    assert isinstance(outcome, api.Fulfilled)
    assert len(double.world.orders) == 1


# -- orders that were not taken, and those that come late ------------------------------------------


def sent(host: api.Host, reference: str) -> repository.Sent | None:
    with host.transaction() as session:
        return repository.sent(session, [reference]).get(reference)


def test_a_void_asks_for_an_order_that_was_to_be_tried_again(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, item: int
) -> None:
    """Two workers had it at once: one was told to come later, the other's was taken."""
    sku = f"summit/{item}"
    reference = lab.hold("pretix", lab.offer("pretix", sku))
    asked = msgspec.structs.replace(SupplierConformance.order(sku), reference=reference)
    double.mischief = Mischief.BUSY
    (outcome,) = supplier.fulfil([asked])
    assert isinstance(outcome, api.Retry)
    double.mischief = Mischief.NONE
    sku_parts = domain.Sku("summit", item)
    double.world.order(msgspec.json.decode(domain.new_order(asked, sku_parts)))
    with host.transaction() as session:
        assert repository.ask_to_cancel(session, reference, "cancelled")
    cancelling.run(host)
    assert double.world.orders[domain.order_code(reference)]["status"] == "c"


def test_what_was_not_taken_at_a_wrong_address_is_ordered_at_the_right_one(
    lab: Lab, host: api.Host, supplier: PretixSupplier, settings: PretixSettings, item: int
) -> None:
    asked = SupplierConformance.order(f"summit/{item}")
    lab.enable("pretix", "shop", msgspec.structs.replace(settings, organizer="misspelt"))
    (outcome,) = supplier.fulfil([asked])
    assert isinstance(outcome, api.Retry)
    found = sent(host, asked.reference)
    assert found is not None
    assert found.untaken_at is not None
    lab.enable("pretix", "shop", settings)
    (outcome,) = supplier.fulfil([asked])
    assert isinstance(outcome, api.Fulfilled)


def test_a_late_order_of_a_burn_that_was_voided_is_found_and_cancelled(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, item: int
) -> None:
    """Nothing of it was remembered here, and nobody told of the void."""
    sku = f"summit/{item}"
    reference = lab.hold("pretix", lab.offer("pretix", sku))
    asked = msgspec.structs.replace(SupplierConformance.order(sku), reference=reference)
    double.world.order(msgspec.json.decode(domain.new_order(asked, domain.Sku("summit", item))))
    lab.void(reference)
    sweeping.run(host, now=True)
    cancelling.run(host)
    assert double.world.orders[domain.order_code(reference)]["status"] == "c"


def test_what_was_refused_as_cancelled_and_is_valid_again_is_cancelled_anew(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, item: int
) -> None:
    sku = f"summit/{item}"
    reference = lab.hold("pretix", lab.offer("pretix", sku))
    asked = msgspec.structs.replace(SupplierConformance.order(sku), reference=reference)
    code = domain.order_code(reference)
    double.mischief = Mischief.LOST
    supplier.fulfil([asked])
    double.mischief = Mischief.NONE
    double.world.cancel(code)
    (outcome,) = supplier.lookup([asked])
    assert isinstance(outcome, api.Rejected)
    lab.void(reference)
    double.world.reactivate(code)
    sweeping.run(host, now=True)
    cancelling.run(host)
    assert double.world.orders[code]["status"] == "c"


def test_a_products_trouble_is_named_where_products_are_compared(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, item: int, tmp_path: Path
) -> None:
    double.world.items[item]["require_voucher"] = True
    file = tmp_path / "offers.csv"
    made = {each.command.name: each.command for each in commands.make_commands(host)}
    asked = ["--member", "shop", "--csv", str(file), "--points", "200"]
    said = CliRunner().invoke(made["sync"], asked).output
    assert f"NOT SOLD HERE: {words.TROUBLES['voucher'].message}" in said
    assert len(file.read_text().splitlines()) == 1
    double.world.items[item]["require_voucher"] = False
    double.world.ask("Diet", "S", item)
    said = CliRunner().invoke(made["sync"], asked).output
    assert "ASKED who comes" in said
    assert len(file.read_text().splitlines()) == 2


def test_an_order_nobody_answered_for_is_compared_with_its_burn_too(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, item: int
) -> None:
    sku = f"summit/{item}"
    reference = lab.hold("pretix", lab.offer("pretix", sku))
    asked = msgspec.structs.replace(SupplierConformance.order(sku), reference=reference)
    double.mischief = Mischief.LOST
    supplier.fulfil([asked])
    double.mischief = Mischief.NONE
    sweeping.run(host, now=True)
    lab.void(reference)
    with host.transaction() as session:
        long_ago = sa.func.now() - sa.text("interval '2 hours'")
        mine = sa.update(models.order).where(models.order.c.reference == reference)
        session.execute(mine.values(begun_at=long_ago))
    sweeping.run(host)
    cancelling.run(host)
    assert double.world.orders[domain.order_code(reference)]["status"] == "c"
