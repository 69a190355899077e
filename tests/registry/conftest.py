"""A plugin `acme` at work in the runtime of a test, without being installed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated
from uuid import UUID

import msgspec
import pytest

from marketplace import api
from marketplace.certify.target import find, write_shim
from marketplace.runtime import Runtime
from marketplace.scaffold.write import scaffold
from tests.factories import Coalition


class House(msgspec.Struct, frozen=True, kw_only=True):
    """Of the whole plugin."""

    region: str = "eu"


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Of one member."""

    account: str
    token: Annotated[str, api.SECRET]


class AcmeShop:
    """A supplier that knows two accounts, and trial orders."""

    slug = "acme"
    takes_trials = True

    def __init__(self, host: api.Host) -> None:
        self.host = host
        self.orders: list[api.Order] = []
        self.mood = ""

    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        self.orders += orders
        if self.mood == "raise":
            raise ConnectionError("the shop is closed")
        return [
            api.Fulfilled(
                reference=each.reference,
                supplier_reference=self._account(each),
                artefacts=tuple(
                    api.Artefact(kind="code", label=each.sku, secret=f"CODE-{unit}")
                    for unit in range(each.quantity)
                ),
            )
            for each in orders
        ]

    def _account(self, order: api.Order) -> str:
        settings = self.host.member_settings(order.acceptor_id, sandbox=order.sandbox)
        return settings.account if settings else "nobody"

    def lookup(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        return [api.NeverOrdered(reference=each.reference) for each in orders]

    def health(self) -> api.Health:
        return api.Health(ok=self.mood != "ill", message="the shop is on fire" * bool(self.mood))

    def member_health(self, member_id: UUID, *, sandbox: bool) -> api.Health:
        token = self.host.member_settings(member_id, sandbox=sandbox).token
        return api.Health(ok=token == "sesame", message=f"{token} is not known here")


@pytest.fixture
def acme(runtime: Runtime, coalition: Coalition) -> AcmeShop:
    """The plugin's supplier; the plugin asks house and members for settings."""
    module = ModuleType("acme")
    settings = api.PluginSettings(house=House, member=Member)
    module.marketplace_register_settings = api.hookimpl(lambda: settings)  # type: ignore[attr-defined]
    runtime.plugins.manager.register(module, name="acme")
    runtime.plugins.take_settings("acme")
    shop = AcmeShop(runtime.plugins.host("acme"))
    runtime.suppliers["acme"] = shop
    return shop


@pytest.fixture
def acme_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A plugin `acme` that is installed, editable; the folder of its files."""
    folder = scaffold("acme", "supplier", tmp_path)
    site = tmp_path / "site-packages"
    site.mkdir()
    write_shim(find(str(folder)), site)
    (info,) = site.iterdir()
    origin = {"url": folder.as_uri(), "dir_info": {"editable": True}}
    (info / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.syspath_prepend(folder / "src")
    monkeypatch.syspath_prepend(site)
    yield folder
    for name in [each for each in sys.modules if each.startswith("marketplace_acme")]:
        del sys.modules[name]
