"""A marketplace, a partner's service on this machine, and the supplier between them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from marketplace_remote.example.service import Service
from marketplace_remote.plugin import marketplace_register_suppliers
from marketplace_remote.settings import RemoteSettings

from marketplace import api
from marketplace.testing import Lab, lab

__all__ = ["host", "lab", "service", "settings", "sku", "supplier"]


@pytest.fixture
def host(lab: Lab) -> api.Host:
    """What the core lends the plugin."""
    return lab.host("remote")


@pytest.fixture
def service() -> Iterator[Service]:
    """The service of the member `shop`."""
    made = Service([api.new_signing_key()], [api.new_signing_key()], slow_s=0.2).start()
    yield made
    made.stop()


@pytest.fixture
def settings(service: Service) -> RemoteSettings:
    """What shop has said about its service."""
    return RemoteSettings(
        url=service.url, our_key=service.their_keys[0], your_key=service.our_keys[0]
    )


@pytest.fixture
def supplier(lab: Lab, host: api.Host, settings: RemoteSettings) -> api.Supplier:
    """The supplier, for shop."""
    lab.enable("remote", "shop", settings)
    return marketplace_register_suppliers(host)[0]


@pytest.fixture
def sku(service: Service) -> str:
    """A sku of this test's own, of which the partner has a thousand."""
    sku = f"MUG-{secrets.token_hex(4)}"
    service.shop.fill(sku, 1_000)
    return sku
