"""A callback makes the exchange ask at once; it proves nothing by itself."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from marketplace_remote import callbacks
from marketplace_remote.example.service import Service
from marketplace_remote.models import metadata, seen
from marketplace_remote.openapi import document
from marketplace_remote.plugin import marketplace_register_tables
from marketplace_remote.settings import RemoteSettings

from marketplace import api
from marketplace.testing import Lab


@pytest.fixture
def waiting(lab: Lab, supplier: api.Supplier, sku: str) -> str:
    """A held burn of shop's; the partner may have it."""
    return lab.hold("remote", lab.offer("remote", sku))


def message(service: Service, reference: str, message_id: str) -> tuple[dict[str, str], bytes]:
    body = msgspec.json.encode({"references": [reference]})
    return api.sign(service.our_keys, message_id, body), body


def test_a_callback_of_a_stranger_does_nothing(
    lab: Lab, host: api.Host, service: Service, waiting: str
) -> None:
    headers, body = message(service, waiting, "msg_a")
    lab.member("tickets")
    for member, given, said in (
        ("nobody", headers, body),
        ("tickets", headers, body),
        ("shop", {}, body),
        ("shop", headers, body + b" "),
        ("shop", {**headers, "webhook-timestamp": "1700000000"}, body),
        ("shop", {**headers, "webhook-timestamp": "nan"}, body),
        ("shop", {**headers, "webhook-signature": "v1"}, body),
        ("shop", {**headers, "webhook-signature": "v1,!!"}, b"\xff"),
    ):
        with pytest.raises(api.BadSignature):
            callbacks.take(host, member, given, said)


def test_a_callback_is_acted_on_once(
    host: api.Host, lab: Lab, service: Service, waiting: str
) -> None:
    """A fresh order is not with the partner yet, so nothing is woken, and the id is spent."""
    headers, body = message(service, waiting, f"msg_{waiting}")
    callbacks.take(host, "shop", headers, body)
    with host.transaction() as session:
        count = sa.select(sa.func.count()).where(seen.c.message_id == f"msg_{waiting}")
        assert session.scalar(count) == 1
    assert callbacks.take(host, "shop", headers, body).woken == 0
    with host.transaction() as session:
        session.execute(sa.update(seen).values(seen_at=sa.text("now() - interval '2 hours'")))
    callbacks.forget(host)
    with host.transaction() as session:
        assert session.scalar(count) == 0


def test_a_callback_that_says_nothing_is_said_to_be_wrong(
    host: api.Host, service: Service, supplier: api.Supplier
) -> None:
    for body in (b"{}", b'{"references": []}', b'{"references": [7]}', b"no"):
        headers = api.sign(service.our_keys, "msg_b", body)
        with pytest.raises(api.InvalidRequest):
            callbacks.take(host, "shop", headers, body)


def test_models_and_migrations_agree(lab: Lab) -> None:
    assert lab.schema_differences(marketplace_register_tables()) == []
    assert set(metadata.tables) == {"remote_seen"}


def test_the_document_describes_what_is_sent_and_read(settings: RemoteSettings) -> None:
    """Every reference in it leads somewhere, and its words are those of the wire."""
    found = document()
    written = Path(__file__).parents[3] / "docs" / "partners" / "remote.openapi.json"
    assert json.loads(written.read_text()) == json.loads(json.dumps(found)), (
        f"run `marketplace remote openapi > {written.name}` in {written.parent.name}"
    )
    text = msgspec.json.encode(found).decode()
    schemas = found["components"]["schemas"]
    for name in set(text.split('"#/components/schemas/')[1:]):
        assert name.split('"')[0] in schemas
    assert set(found["paths"]) == {"/orders", "/orders/lookup", "/health"}
    assert set(schemas["Call"]["properties"]) == {"action", "orders"}
    assert set(schemas["Order"]["required"]) >= {"reference", "sku", "quantity", "cost_micros"}
    tags = {
        each["properties"]["type"]["enum"][0]
        for each in schemas.values()
        if "type" in each.get("properties", {})
    }
    assert tags == {"fulfilled", "pending", "rejected", "retry", "unknown", "never_ordered"}
