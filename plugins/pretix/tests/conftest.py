"""A marketplace, a double of a partner's pretix, and the supplier between them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from marketplace_pretix.double.server import Double
from marketplace_pretix.rehearsal import settings_of
from marketplace_pretix.settings import PretixSettings
from marketplace_pretix.supplier import PretixSupplier

from marketplace import api
from marketplace.testing import Lab, lab

__all__ = ["double", "empty_sku", "host", "lab", "settings", "sku", "supplier"]


@pytest.fixture
def host(lab: Lab) -> api.Host:
    """What the core lends the plugin."""
    return lab.host("pretix")


@pytest.fixture
def double() -> Iterator[Double]:
    """The pretix of the member `shop`."""
    made = Double(slow_s=0.2).start()
    yield made
    made.stop()


@pytest.fixture
def settings(double: Double) -> PretixSettings:
    """What shop has said about its pretix."""
    return settings_of(double)


@pytest.fixture
def supplier(lab: Lab, host: api.Host, settings: PretixSettings) -> PretixSupplier:
    """The supplier, for shop."""
    lab.enable("pretix", "shop", settings)
    return PretixSupplier(host, settle_s=0)


@pytest.fixture
def sku(double: Double) -> str:
    """A product with a thousand units left."""
    return f"summit/{double.world.add(1_000)}"


@pytest.fixture
def empty_sku(double: Double) -> str:
    """A product that is sold out."""
    return f"summit/{double.world.add(0)}"
