"""Stock follows quotas; cancellations go to pretix and come from it; products become offers."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from marketplace_pretix import (
    cancelling,
    commands,
    domain,
    models,
    printing,
    repository,
    routes,
    servers,
    stock,
    sweeping,
    syncing,
)
from marketplace_pretix.checks import CHECKS
from marketplace_pretix.client import Pretix
from marketplace_pretix.double.server import Double, Mischief
from marketplace_pretix.plugin import marketplace_register_tables
from marketplace_pretix.settings import PretixSettings
from marketplace_pretix.supplier import PretixSupplier

from marketplace import api
from marketplace.testing import Lab, SupplierConformance

ANSWERED = (Mischief.NONE, Mischief.SLOW, Mischief.ONE_ONLY)
"""Of a cancellation."""


@pytest.fixture
def clean(host: api.Host) -> None:
    """Nothing of the tests before."""
    with host.transaction() as session:
        for table in models.metadata.sorted_tables:
            session.execute(sa.delete(table))


@pytest.fixture
def item(double: Double) -> int:
    """A product with ten units left, whose number no other test has."""
    number = secrets.randbelow(10**9) + 1_000
    made = double.world.add(10)
    product = double.world.items.pop(made)
    double.world.items[number] = {**product, "id": number}
    double.world.sizes[number] = double.world.sizes.pop(made)
    return number


@pytest.fixture
def buy(
    clean: None, lab: Lab, supplier: PretixSupplier, item: int
) -> Callable[..., tuple[str, str]]:
    """`buy(2)` burns so many units; returns our reference and pretix's code."""
    offer_id = lab.offer("pretix", f"summit/{item}")

    def make(units: int = 1) -> tuple[str, str]:
        reference = lab.hold("pretix", offer_id, quantity=units)
        order = msgspec.structs.replace(
            SupplierConformance.order(f"summit/{item}", quantity=units), reference=reference
        )
        (outcome,) = supplier.fulfil([order])
        assert isinstance(outcome, api.Fulfilled), outcome
        return reference, domain.order_code(reference)

    return make


def test_a_fault_of_ours_at_one_server_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    servers.guarded("quotas", uuid4(), fail)
    assert "quotas of member" in caplog.text


def refund(lab: Lab, host: api.Host, reference: str, *, told: bool = True) -> None:
    lab.refund(reference)
    if told:
        cancelling.ask_refunded(
            host,
            api.RefundFact(
                refund_id=uuid4(),
                burn_id=UUID(reference),
                wallet_id=uuid4(),
                points=1_000,
                reason="cannot come",
                effective_at=datetime.now(UTC),
            ),
        )


def status(double: Double, code: str) -> str:
    return str(double.world.orders[code]["status"])


# -- stock ---------------------------------------------------------------------------------------


def test_stock_is_what_the_quota_has_left(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, item: int
) -> None:
    offer_id = lab.offer("pretix", f"summit/{item}", stock=0)
    stock.keep(host)
    assert lab.stock(offer_id) == 10
    double.world.sizes[item] = 4
    stock.keep(host)
    assert lab.stock(offer_id) == 4
    double.world.sizes[item] = None
    stock.keep(host)
    assert lab.stock(offer_id) == stock.UNLIMITED
    double.world.items[item]["active"] = False
    stock.keep(host)
    assert lab.stock(offer_id) == 0


def test_units_promised_are_taken_off_once(
    lab: Lab, host: api.Host, supplier: PretixSupplier, item: int
) -> None:
    """Held and not ordered: ours to take off. Held and ordered: pretix has counted it."""
    offer_id = lab.offer("pretix", f"summit/{item}", stock=10)
    lab.hold("pretix", offer_id, quantity=3)
    ordered = lab.hold("pretix", offer_id, quantity=2)
    order = SupplierConformance.order(f"summit/{item}", quantity=2)
    supplier.fulfil([msgspec.structs.replace(order, reference=ordered)])
    stock.keep(host)
    assert lab.stock(offer_id) == 10 - 3 - 2


def test_stock_stays_as_it_is_while_pretix_does_not_answer(
    lab: Lab, host: api.Host, supplier: PretixSupplier, double: Double, item: int
) -> None:
    offer_id = lab.offer("pretix", f"summit/{item}", stock=7)
    for mischief in (
        *(Mischief.DOWN, Mischief.MALFORMED, Mischief.GONE, Mischief.BUSY),
        *(Mischief.MAINTENANCE, Mischief.MOVED),
    ):
        double.mischief = mischief
        stock.keep(host)
        assert lab.stock(offer_id) == 7


# -- cancelled here ------------------------------------------------------------------------------


def test_a_refund_cancels_the_order_once(
    lab: Lab, host: api.Host, double: Double, buy: Callable[..., tuple[str, str]]
) -> None:
    reference, code = buy()
    kept, other = buy()
    refund(lab, host, reference)
    refund(lab, host, reference)
    cancelling.run(host)
    cancelling.run(host)
    assert (status(double, code), status(double, other)) == ("c", "p")
    assert len(lab.audit("pretix.cancelled", reference)) == 1
    assert kept != reference


@pytest.mark.parametrize("mischief", [each for each in Mischief if each not in ANSWERED])
def test_a_cancellation_is_tried_until_it_is_known(
    lab: Lab,
    host: api.Host,
    double: Double,
    buy: Callable[..., tuple[str, str]],
    mischief: Mischief,
) -> None:
    reference, code = buy()
    refund(lab, host, reference)
    double.mischief = mischief
    cancelling.run(host)
    with host.transaction() as session:
        assert [each.reference for each in repository.stuck(session)] == [reference]
        session.execute(sa.update(models.order).values(cancel_due_at=sa.func.now()))
    double.mischief = Mischief.NONE
    cancelling.run(host)
    assert status(double, code) == "c"
    with host.transaction() as session:
        assert repository.sent(session, [reference])[reference].cancelled_by == "us"


def test_an_order_that_cannot_be_asked_about_keeps_no_other_from_being_cancelled(
    lab: Lab,
    host: api.Host,
    double: Double,
    buy: Callable[..., tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bought = [buy() for _ in range(3)]
    for reference, _ in bought:
        refund(lab, host, reference)
    bad = bought[0][1]
    call = cancelling._call

    def fail(client: Pretix, sent: repository.Sent, code: str) -> str | None:
        if code == bad:
            raise ZeroDivisionError
        return call(client, sent, code)

    monkeypatch.setattr(cancelling, "_call", fail)
    cancelling.run(host)
    assert [status(double, code) for _, code in bought] == ["p", "c", "c"]
    with host.transaction() as session:
        assert [each.reference for each in repository.stuck(session)] == [bought[0][0]]


def test_a_refund_nobody_told_of_is_found(
    lab: Lab, host: api.Host, double: Double, buy: Callable[..., tuple[str, str]]
) -> None:
    """The process was killed between the refund and its observers."""
    reference, code = buy()
    refund(lab, host, reference, told=False)
    sweeping.run(host, now=True)
    cancelling.run(host)
    assert status(double, code) == "c"


def test_an_order_that_comes_after_its_burn_was_voided_is_cancelled(
    lab: Lab, host: api.Host, double: Double, buy: Callable[..., tuple[str, str]]
) -> None:
    """It was not there when we looked, and is now."""
    reference, code = buy()
    late = double.world.orders.pop(code)
    fact = api.BurnFact(
        burn_id=UUID(reference),
        wallet_id=uuid4(),
        offer_id=uuid4(),
        acceptor_id=lab.member("shop"),
        plugin="pretix",
        quantity=1,
        points=1_000,
        cost_micros=7_000_000,
        currency="EUR",
        reason="hold_timeout",
        effective_at=datetime.now(UTC),
    )
    cancelling.ask_voided(host, fact)
    cancelling.run(host)
    double.world.orders[code] = late
    sweeping.run(host, now=True)
    cancelling.run(host)
    assert status(double, code) == "c"


# -- cancelled there -----------------------------------------------------------------------------


def test_what_the_organizer_cancels_is_listed_until_it_is_given_back(
    lab: Lab,
    host: api.Host,
    double: Double,
    buy: Callable[..., tuple[str, str]],
    tmp_path: Path,
) -> None:
    reference, code = buy()
    double.world.cancel(code)
    file = tmp_path / "burns.csv"
    listed = run(host, "cancelled", "--sweep", "--csv", str(file))
    assert f"{reference}  summit/{code}" in listed
    assert file.read_text() == f"burn\n{reference}\n"
    assert len(lab.audit("pretix.cancelled_by_organizer", reference)) == 1
    assert findings(host) == []
    with host.transaction() as session:
        long_ago = sa.func.now() - sa.text("interval '8 days'")
        session.execute(sa.update(models.order).values(cancelled_at=long_ago))
    assert findings(host) == [f"order {reference} (summit/{code})"]
    refund(lab, host, reference)
    assert "to give back: 0" in run(host, "cancelled", "--sweep")
    assert findings(host) == []


def test_an_organizer_may_change_its_mind(
    host: api.Host, double: Double, buy: Callable[..., tuple[str, str]]
) -> None:
    _, code = buy()
    double.world.cancel(code)
    sweeping.run(host, now=True)
    double.world.reactivate(code)
    sweeping.run(host, now=True)
    assert "to give back: 0" in run(host, "cancelled")


def test_a_webhook_is_a_hint_and_no_more(
    lab: Lab,
    host: api.Host,
    settings: PretixSettings,
    double: Double,
    buy: Callable[..., tuple[str, str]],
) -> None:
    reference, code = buy()
    sweeping.run(host)
    double.world.cancel(code)
    sweeping.run(host)  # not due yet
    key = secrets.token_hex(16)
    lab.enable("pretix", "shop", msgspec.structs.replace(settings, webhook_key=key))
    for member, given in (("shop", "wrong"), ("shop", "é"), ("nobody", key)):
        with pytest.raises(api.BadSignature):
            routes.take(host, member, given)
    sweeping.run(host)
    assert "to give back: 0" in run(host, "cancelled")
    assert run(host, "webhook", "--member", "shop").strip() == f"/v1/pretix/notices/shop/{key}"
    routes.take(host, "shop", key)
    sweeping.run(host)
    assert reference in run(host, "cancelled")


def test_a_sweep_leaves_orders_of_others_alone(
    clean: None, host: api.Host, lab: Lab, supplier: PretixSupplier, double: Double, item: int
) -> None:
    lab.offer("pretix", f"summit/{item}")
    strange = SupplierConformance.order(f"summit/{item}")
    double.world.order(msgspec.json.decode(domain.new_order(strange, domain.Sku("summit", item))))
    sweeping.run(host, now=True)
    with host.transaction() as session:
        assert repository.sent(session, [strange.reference]) == {}


# -- products ------------------------------------------------------------------------------------


def test_products_are_compared_with_offers_and_written_for_the_import(
    clean: None,
    lab: Lab,
    host: api.Host,
    supplier: PretixSupplier,
    double: Double,
    item: int,
    tmp_path: Path,
) -> None:
    double.world.items[item]["default_price"] = "149.50"
    file = tmp_path / "offers.csv"
    words = ("sync", "--member", "shop", "--csv", str(file), "--points", "200")
    said = run(host, *words)
    assert f"summit/{item} " in said
    assert "149.50 EUR" in said
    assert "NEW: no offer" in said
    header, line = file.read_text().splitlines()
    assert header.split(",") == list(syncing.COLUMNS)
    assert line.split(",")[5:] == [f"summit/{item}", "29900", "149.50", "EUR", "0", "announced"]
    lab.offer("pretix", f"summit/{item}")
    double.world.items[item]["default_price"] = "159.00"
    said = run(host, *words)
    assert "PRICE was 149.50" in said
    assert "NEW" not in said
    assert len(file.read_text().splitlines()) == 1
    double.world.items.clear()
    double.world.sizes.clear()
    assert "GONE" in run(host, *words)


def test_a_lost_ticket_is_fetched_though_pretix_needs_a_while(
    host: api.Host, double: Double, buy: Callable[..., tuple[str, str]]
) -> None:
    reference, code = buy()
    assert printing.fetch(host, reference, wait_s=0).startswith(b"%PDF")
    double.world.cancel(code)
    with pytest.raises(api.NotFound):
        printing.fetch(host, str(uuid4()))


def test_models_and_migrations_agree(lab: Lab) -> None:
    assert lab.schema_differences(marketplace_register_tables()) == []


def run(host: api.Host, *words: str) -> str:
    by_name = {each.command.name: each.command for each in commands.make_commands(host)}
    result = CliRunner().invoke(by_name[words[0]], list(words[1:]), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def findings(host: api.Host) -> list[str]:
    [check] = CHECKS
    with host.transaction() as session:
        return [row.subject for row in session.execute(sa.text(check.sql))]
