"""Whatever fails at any call to a pretix, or between, there is one order and one outcome."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import product

import msgspec
import pytest
from marketplace_pretix import domain
from marketplace_pretix import supplier as supplier_module
from marketplace_pretix.double.server import Double, Mischief
from marketplace_pretix.rehearsal import settings_of
from marketplace_pretix.settings import PretixSettings
from marketplace_pretix.supplier import PretixSupplier

from marketplace import api
from marketplace.testing import Lab, SupplierConformance

PATIENCE_S = 60.0
FAULTS = [each for each in Mischief if each not in (Mischief.NONE, Mischief.ONE_ONLY)]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits as long as a slow server needs."""
    monkeypatch.setattr(supplier_module, "TIMEOUT_S", 0.1)


def carried_on(supplier: PretixSupplier, order: api.Order, outcome: api.Outcome) -> api.Outcome:
    """What the exchange does next: orders again only what was certainly not taken."""
    again = isinstance(outcome, api.Retry | api.NeverOrdered)
    (found,) = (supplier.fulfil if again else supplier.lookup)([order])
    return found


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("first", "second"), list(product(FAULTS, FAULTS)))
def test_a_fault_at_the_order_and_one_at_the_question_make_no_second_order(
    host: api.Host,
    lab: Lab,
    settings: PretixSettings,
    double: Double,
    sku: str,
    first: Mischief,
    second: Mischief,
) -> None:
    """A time-out, a 429, a 5xx, a page for people, a redirect, a lost right: in any order."""
    lab.enable("pretix", "shop", settings)
    asked = SupplierConformance.order(sku)
    worker = PretixSupplier(host, settle_s=0.1)
    double.slow_s = 20 * supplier_module.TIMEOUT_S  # also where both wait for a processor
    double.mischief = first
    (outcome,) = worker.fulfil([asked])
    assert isinstance(outcome, api.Unknown | api.Retry), outcome
    double.mischief = second
    outcome = carried_on(worker, asked, outcome)
    assert isinstance(outcome, api.Unknown | api.Retry), outcome
    double.mischief = Mischief.NONE
    until = time.monotonic() + PATIENCE_S
    while not isinstance(outcome, api.Fulfilled) and time.monotonic() < until:
        outcome = carried_on(worker, asked, outcome)
        assert not isinstance(outcome, api.Rejected | api.Pending), outcome
    assert isinstance(outcome, api.Fulfilled), outcome
    assert double.world.created == {asked.reference: 1}


# -- addresses ---------------------------------------------------------------------------------


@pytest.fixture
def below() -> Iterator[Double]:
    """A pretix that a proxy serves below a path."""
    made = Double(below="/tickets").start()
    yield made
    made.stop()


@pytest.mark.parametrize("typed", ["{url}", "{url}/", "{url}/api/v1/", "{url}/api/v1"])
def test_an_address_may_have_a_path_and_a_slash_behind(
    lab: Lab, host: api.Host, below: Double, typed: str
) -> None:
    known = settings_of(below)
    lab.enable("pretix", "shop", msgspec.structs.replace(known, url=typed.format(url=below.url)))
    worker = PretixSupplier(host)
    assert worker.member_health(lab.member("shop"), sandbox=False).message == ""
    asked = SupplierConformance.order(f"summit/{below.world.add(3)}")
    (outcome,) = worker.fulfil([asked])
    assert isinstance(outcome, api.Fulfilled)
    assert below.world.orders[domain.order_code(asked.reference)]["status"] == "p"


def test_an_address_that_is_none_of_a_servers_is_told_of(
    lab: Lab, host: api.Host, below: Double
) -> None:
    """Without its path, or with the organizer as in the address of a shop."""
    known, worker = settings_of(below), PretixSupplier(host)

    def said(url: str) -> str:
        lab.enable("pretix", "shop", msgspec.structs.replace(known, url=url))
        return worker.member_health(lab.member("shop"), sandbox=False).message

    assert "status 404" in said(below.url.removesuffix("/tickets"))
    assert "without the organizer" in said(f"{below.url}/meridian/")
