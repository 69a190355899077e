"""What a partner's service does wrong never becomes a delivery, a refusal or a second order."""

from __future__ import annotations

import secrets
import threading
import time
from types import SimpleNamespace
from typing import Any

import marketplace_remote.supplier
import msgspec
import pytest
from marketplace_remote import client, protocol
from marketplace_remote.example import signing
from marketplace_remote.example.service import Mischief, Service
from marketplace_remote.settings import RemoteSettings
from marketplace_remote.supplier import PARTNERS_AT_ONCE, RemoteSupplier

from marketplace import api
from marketplace.testing import Lab, SupplierConformance

order = SupplierConformance.order
TAKEN = (
    *(Mischief.LOST, Mischief.MALFORMED, Mischief.UNSIGNED, Mischief.WRONG_KEY),
    *(Mischief.OTHER_ID, Mischief.OLD, Mischief.TWICE, Mischief.WRONG_COUNT, Mischief.ENDLESS),
)


def one(answers: Any) -> api.Outcome:
    [answer] = answers
    found: api.Outcome = answer
    return found


@pytest.mark.parametrize("mischief", TAKEN)
def test_an_answer_that_cannot_be_believed_is_unknown(
    supplier: api.Supplier, service: Service, sku: str, mischief: Mischief
) -> None:
    """The partner took the order; only a look-up that can be believed says so."""
    asked = order(sku)
    service.mischief = mischief
    assert isinstance(one(supplier.fulfil([asked])), api.Unknown)
    service.mischief = Mischief.NONE
    found = one(supplier.lookup([asked]))
    assert isinstance(found, api.Fulfilled)
    assert service.shop.deliveries[asked.reference] == 1


@pytest.mark.parametrize("mischief", [Mischief.ERROR, Mischief.REDIRECT, Mischief.DOWN])
def test_an_answer_without_a_signature_proves_nothing(
    supplier: api.Supplier, service: Service, sku: str, mischief: Mischief
) -> None:
    """Whoever stands between may say 500, or send us into our own network."""
    service.mischief = mischief
    for ask in (supplier.fulfil, supplier.lookup):
        assert isinstance(one(ask([order(sku)])), api.Unknown)


def test_nothing_is_sent_into_our_own_network(
    lab: Lab, host: api.Host, settings: RemoteSettings, sku: str
) -> None:
    for number, url in enumerate(("http://10.0.0.1", "https://169.254.169.254", "https://[::1]:1")):
        member = f"inside{number}"
        lab.enable("remote", member, msgspec.structs.replace(settings, url=url))
        asked = msgspec.structs.replace(order(sku), acceptor_id=lab.member(member))
        supplier = RemoteSupplier(host)
        assert isinstance(one(supplier.fulfil([asked])), api.Retry)
        assert isinstance(one(supplier.lookup([asked])), api.Unknown)
        assert not supplier.member_health(lab.member(member), sandbox=False).ok


def test_both_sides_change_their_keys_without_a_gap(
    lab: Lab, supplier: RemoteSupplier, service: Service, settings: RemoteSettings, sku: str
) -> None:
    ours, theirs = api.new_signing_key(), api.new_signing_key()

    def works() -> bool:
        return isinstance(one(supplier.fulfil([order(sku)])), api.Fulfilled)

    both = msgspec.structs.replace(settings, our_next_key=ours, your_next_key=theirs)
    lab.enable("remote", "shop", both)
    assert works()
    service.their_keys, service.our_keys = [ours], [theirs]
    assert works()
    new = RemoteSettings(url=service.url, our_key=ours, your_key=theirs)
    lab.enable("remote", "shop", new)
    assert works()
    service.their_keys = [api.new_signing_key()]
    assert isinstance(one(supplier.fulfil([order(sku)])), api.Unknown)
    assert not supplier.member_health(lab.member("shop"), sandbox=False).ok


def test_a_partner_that_is_not_set_up_is_not_asked(
    lab: Lab, supplier: RemoteSupplier, sku: str
) -> None:
    stranger = msgspec.structs.replace(order(sku), acceptor_id=lab.member("stranger"))
    assert isinstance(one(supplier.fulfil([stranger])), api.Retry)
    assert isinstance(one(supplier.lookup([stranger])), api.Unknown)
    assert not supplier.member_health(lab.member("stranger"), sandbox=False).ok


def test_trials_go_to_the_service_for_trials(
    lab: Lab, supplier: RemoteSupplier, service: Service, settings: RemoteSettings, sku: str
) -> None:
    trials = Service(service.their_keys, service.our_keys).start()
    trials.shop.fill(sku, 1)
    lab.enable(
        "remote", "shop", settings, sandbox=msgspec.structs.replace(settings, url=trials.url)
    )
    asked = order(sku), msgspec.structs.replace(order(sku), sandbox=True)
    answers = supplier.fulfil(asked)
    assert all(isinstance(each, api.Fulfilled) for each in answers)
    assert (list(service.shop.deliveries), list(trials.shop.deliveries)) == (
        [asked[0].reference],
        [asked[1].reference],
    )
    assert supplier.member_health(lab.member("shop"), sandbox=True).ok
    trials.stop()


@pytest.mark.usefixtures("supplier")
def test_a_partner_that_does_not_answer_costs_the_others_no_time(
    lab: Lab,
    host: api.Host,
    service: Service,
    settings: RemoteSettings,
    sku: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both are asked at once; after a few failures the silent one is left alone for a while."""
    silent = Service(service.their_keys, service.our_keys, slow_s=600).start()
    silent.mischief = Mischief.SLOW
    lab.enable("remote", "silent", msgspec.structs.replace(settings, url=silent.url))
    monkeypatch.setattr(client, "FAILURES", 2)
    monkeypatch.setattr(client, "ALONE_S", 600)
    supplier = RemoteSupplier(host)

    def call_soon_tired(*given: Any, timeout_s: float) -> bytes:
        """Only the silent one has little time: the other may be slow on a busy machine."""
        tired = given[1].url == silent.url
        return client.call(*given, timeout_s=1 if tired else timeout_s)

    monkeypatch.setattr(marketplace_remote.supplier, "call", call_soon_tired)

    def ask() -> list[api.Outcome]:
        other = msgspec.structs.replace(order(sku), acceptor_id=lab.member("silent"))
        return list(supplier.fulfil([other, order(sku)]))

    for _ in range(client.FAILURES):
        unknown, fine = ask()
        assert isinstance(unknown, api.Unknown)
        assert isinstance(fine, api.Fulfilled)
    asked = silent.requests
    left_alone, fine = ask()
    assert isinstance(left_alone, api.Retry)
    assert isinstance(fine, api.Fulfilled)
    assert silent.requests == asked
    assert supplier.health() == api.Health(ok=True, message="partners that do not answer: 1")
    silent.stop()


@pytest.mark.usefixtures("supplier")
def test_many_partners_that_do_not_answer_keep_the_exchange_no_longer_than_one(
    lab: Lab,
    host: api.Host,
    settings: RemoteSettings,
    sku: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would give up on the whole batch, on those too who have answered.

    As many as can be are asked at once; when they give up, the others have no time left.
    """
    orders = [order(sku)]
    nowhere = "http://127.0.0.1:9"
    for number in range(2 * PARTNERS_AT_ONCE):
        lab.enable("remote", f"silent-{number}", msgspec.structs.replace(settings, url=nowhere))
        member_id = lab.member(f"silent-{number}")
        orders.append(msgspec.structs.replace(order(sku), acceptor_id=member_id))
    now_s = [0.0]
    together = threading.Barrier(PARTNERS_AT_ONCE, lambda: now_s.append(client.TIMEOUT_S))

    def call_in_vain(*given: Any, timeout_s: float) -> bytes:
        if given[1].url != nowhere:
            return client.call(*given, timeout_s=timeout_s)
        together.wait(60)
        raise api.Unanswered("silence")

    monkeypatch.setattr(marketplace_remote.supplier, "call", call_in_vain)
    clock = SimpleNamespace(monotonic=lambda: now_s[-1])
    monkeypatch.setattr(marketplace_remote.supplier, "time", clock)
    first, *others = RemoteSupplier(host).fulfil(orders)
    assert isinstance(first, api.Fulfilled)
    asked = [each for each in others if isinstance(each, api.Unknown)]
    assert len(asked) == PARTNERS_AT_ONCE
    assert all(isinstance(each, api.Retry) for each in others if each not in asked)


def test_a_request_cannot_be_used_twice_or_elsewhere(service: Service, sku: str) -> None:
    """What the example does on its side: a recorded request is refused, at either address."""
    body = protocol.encode("order", [order(sku)])
    signed = api.sign(service.their_keys, "msg_1", body)
    with pytest.raises(signing.NotSigned, match="another address"):
        service.answer("POST", "/orders/lookup", signed, body)
    with pytest.raises(signing.NotSigned, match="seen before"):
        service.answer("POST", "/orders", signed, body)
    late = {**signed, "webhook-timestamp": str(int(time.time()) - 301)}
    with pytest.raises(signing.NotSigned, match="time"):
        service.answer("POST", "/orders", late, body)
    assert service.shop.deliveries == {}


HOSTILE: list[dict[str, Any]] = [
    {"type": "fulfilled", "supplier_reference": ""},
    {"type": "fulfilled", "supplier_reference": "x" * 201},
    {"type": "fulfilled", "supplier_reference": 7},
    {"type": "fulfilled", "supplier_reference": "A", "artefacts": [{"kind": "code"}]},
    {
        "type": "fulfilled",
        "supplier_reference": "A",
        "artefacts": [{"kind": "malware", "label": "", "secret": "x"}],
    },
    {
        "type": "fulfilled",
        "supplier_reference": "A",
        "artefacts": [{"kind": "code", "label": "", "secret": "x" * 5_000}],
    },
    {
        "type": "fulfilled",
        "supplier_reference": "A",
        "artefacts": [{"kind": "code", "label": "", "secret": "x\x00"}],
    },
    {
        "type": "fulfilled",
        "supplier_reference": "A",
        "artefacts": [
            {"kind": "code", "label": "", "secret": "x", "expires_at": "2030-01-01T00:00:00"}
        ],
    },
    {"type": "rejected", "reason": "  "},
    {"type": "rejected"},
    {"type": "never_ordered"},
    {"type": "captured"},
    {},
]


@pytest.mark.parametrize("answer", HOSTILE)
def test_an_outcome_that_breaks_a_rule_is_unknown_and_spoils_no_other(
    sku: str, answer: dict[str, Any]
) -> None:
    bad, good = order(sku), order(sku)
    body = {
        "outcomes": [
            {"reference": bad.reference, **answer},
            {"reference": good.reference, "type": "rejected", "reason": "sold out" * 100},
            {"reference": "never asked", "type": "pending"},
        ]
    }
    first, second = protocol.read(msgspec.json.encode(body), [bad, good], "order")
    assert isinstance(first, api.Unknown)
    assert isinstance(second, api.Rejected)
    assert len(second.reason) == protocol.LONGEST_TEXT


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'{"outcomes": 7}', b"\xff", b"[" * 100_000, b'{"outcomes": {}}']
)
def test_a_body_that_is_none_is_unknown(sku: str, body: bytes) -> None:
    assert isinstance(one(protocol.read(body, [order(sku)], "lookup")), api.Unknown)


def test_waits_are_bounded_and_a_look_up_orders_nothing(sku: str) -> None:
    asked = order(sku)

    def read(action: protocol.Action, **outcome: object) -> api.Outcome:
        body = {"outcomes": [{"reference": asked.reference, **outcome}]}
        return one(protocol.read(msgspec.json.encode(body), [asked], action))

    waits = read("order", type="pending", after_s=10**9)
    assert isinstance(waits, api.Pending)
    assert waits.after_s == protocol.LONGEST_WAIT_S
    again = read("order", type="retry", reason="busy", after_s=-5)
    assert isinstance(again, api.Retry)
    assert again.after_s == 1
    assert isinstance(read("lookup", type="retry", reason="busy"), api.Unknown)
    assert isinstance(read("lookup", type="never_ordered"), api.NeverOrdered)


def test_settings_that_make_no_sense_are_refused(settings: RemoteSettings) -> None:
    fields = msgspec.to_builtins(settings)
    for name, value in (
        ("url", "ftp://x"),
        ("our_key", "secret"),
        ("your_key", "whsec_" + secrets.token_hex(4)),
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({**fields, name: value}, RemoteSettings)
