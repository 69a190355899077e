"""Codes that a process has no key for: passed over, and nobody else is held up by them."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from marketplace_giftfund.supplier import GiftFund

from marketplace.api import Fulfilled, Host, NeverOrdered, Order, Outcome, Rejected, Retry, Unknown
from marketplace.secrets import Vault
from marketplace.testing import Lab, SupplierConformance
from marketplace.testing.laboratory import SECRET_KEY

Fill = Callable[..., list[str]]
order = SupplierConformance.order


@pytest.fixture
def newer(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The same house where a key was put in front: reads all, encrypts what `host` cannot read."""
    lent = lab.host("giftfund")
    vault = Vault([Fernet.generate_key().decode(), SECRET_KEY])
    monkeypatch.setattr(lent, "_vault", lambda: vault)
    return lent


@pytest.fixture
def fill_newer(fill: Fill, newer: Host, host: Host, monkeypatch: pytest.MonkeyPatch) -> Fill:
    """`fill`, by a process that has the newer key."""

    def upload(*arguments: object, **named: str) -> list[str]:
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(host, "encrypt", newer.encrypt)
            return fill(*arguments, **named)

    return upload


def answer(supplier: GiftFund, *orders: Order) -> list[Outcome]:
    """Outcomes in the order of `orders`."""
    found = {outcome.reference: outcome for outcome in supplier.fulfil(orders)}
    return [found[each.reference] for each in orders]


def codes_of(outcomes: list[Outcome]) -> list[str]:
    """The codes delivered; fails where one of the orders was not fulfilled."""
    assert all(isinstance(each, Fulfilled) for each in outcomes), outcomes
    return [
        artefact.secret
        for each in outcomes
        if isinstance(each, Fulfilled)
        for artefact in each.artefacts
    ]


def spoil_first(host: Host, sku: str) -> None:
    """Let the code of a pool that is given next be bytes that no key ever made."""
    with host.transaction() as session:
        session.execute(
            sa.text(
                "update giftfund_code set secret = decode('6d312eff00', 'hex') where id = ("
                "select id from giftfund_code where sku = :sku and order_reference is null "
                "order by expires_on, id limit 1)"
            ),
            {"sku": sku},
        )


def test_a_spoilt_code_first_in_its_pool_is_passed_over_and_told_once(
    lab: Lab, host: Host, sku: str, fill: Fill, caplog: pytest.LogCaptureFixture
) -> None:
    lab.offer("giftfund", sku)
    codes = fill(sku, 6)
    spoil_first(host, sku)
    supplier = GiftFund(host)
    with caplog.at_level(logging.ERROR):
        got = codes_of(answer(supplier, order(sku), order(sku, quantity=2)))
        got += codes_of(answer(supplier, order(sku)))
    assert set(got) < set(codes)
    assert len(got) == len(set(got)) == 4
    assert len([each for each in caplog.records if "passed over" in each.message]) == 1
    (entry,) = lab.audit("giftfund.codes_unreadable", sku)
    assert entry["codes"] == 1
    assert "unreadable codes passed over: 1" in supplier.health().message


def test_while_a_key_is_rotated_codes_of_others_go_out_and_none_twice(
    lab: Lab, host: Host, newer: Host, sku: str, fill: Fill, fill_newer: Fill
) -> None:
    lab.offer("giftfund", sku)
    late = fill(sku, 20, expires_on="2031-05-01")
    early = fill_newer(sku, 30, expires_on="2031-01-31")
    old, new = GiftFund(host), GiftFund(newer)
    got_old = codes_of(answer(old, *(order(sku) for _ in range(5))))
    got_new = codes_of(answer(new, *(order(sku) for _ in range(32))))
    got_old += codes_of(answer(old, *(order(sku) for _ in range(5))))
    assert set(got_old) <= set(late)
    assert sorted(got_new[:30]) == sorted(early)
    everything = got_old + got_new
    assert len(everything) == len(set(everything)) == 42
    too_much, served = answer(old, order(sku, quantity=9), order(sku, quantity=8))
    assert isinstance(too_much, Rejected)  # what could not be read is given by now
    assert not set(codes_of([served])) & set(everything)


def test_an_order_that_only_unreadable_codes_could_serve_is_asked_again(
    lab: Lab, host: Host, newer: Host, sku: str, fill_newer: Fill
) -> None:
    lab.offer("giftfund", sku)
    codes = fill_newer(sku, 2)
    waiting, too_much = order(sku, quantity=2), order(sku, quantity=3)
    old = GiftFund(host)
    first, second = answer(old, waiting, too_much)
    assert isinstance(first, Retry)
    assert isinstance(second, Rejected)
    (found,) = old.lookup([waiting])
    assert isinstance(found, NeverOrdered)
    assert sorted(codes_of(answer(GiftFund(newer), waiting))) == sorted(codes)
    (now_empty,) = answer(old, order(sku))
    assert isinstance(now_empty, Rejected)


def test_an_order_whose_codes_cannot_be_read_is_unknown_alone(
    lab: Lab, host: Host, newer: Host, sku: str, fill: Fill, fill_newer: Fill
) -> None:
    lab.offer("giftfund", sku)
    codes = fill_newer(sku, 1)
    theirs, ours, more = order(sku), order(sku), order(sku)
    assert codes_of(answer(GiftFund(newer), theirs)) == codes
    others = fill(sku, 2)
    old = GiftFund(host)
    first = codes_of(answer(old, ours))
    unknown, again, fresh = answer(old, theirs, ours, more)
    assert isinstance(unknown, Unknown)
    assert codes_of([again]) == first
    assert sorted(codes_of([again, fresh])) == sorted(others)
    looked = {each.reference: each for each in old.lookup([theirs, ours])}
    assert isinstance(looked[theirs.reference], Unknown)
    assert isinstance(looked[ours.reference], Fulfilled)
    assert codes_of(answer(GiftFund(newer), theirs)) == codes
