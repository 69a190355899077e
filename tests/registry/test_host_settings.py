"""Settings reach a plugin through its host, each member's its own, secrets encrypted at rest."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Annotated

import msgspec
import pytest
import sqlalchemy as sa

from marketplace import api
from marketplace.host import TRIED, PluginHost
from marketplace.plugins import Plugins, _register, load
from marketplace.registry.models import PluginSetting
from marketplace.runtime import Runtime
from marketplace.testing.laboratory import Lab, open_lab
from tests.factories import Coalition


class House(msgspec.Struct, frozen=True, kw_only=True):
    """Of the whole plugin."""

    region: str = "eu"


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Of one member."""

    account: str
    token: Annotated[str, api.SECRET]


@pytest.fixture
def lab(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A laboratory on the server of the tests."""
    monkeypatch.setenv("MARKETPLACE_TEST_DATABASE_URL", postgres_url)
    with open_lab() as opened:
        yield opened


def host(lab: Lab, asked: api.PluginSettings) -> PluginHost:
    """The host of a plugin `acme` that asks for these settings."""
    return PluginHost("acme", lambda: lab.database, lambda: lab._vault, asked=lambda: asked)


def test_each_member_has_its_own_and_trials_have_others(lab: Lab) -> None:
    acme = host(lab, api.PluginSettings(house=House, member=Member))
    assert acme.settings() == House(region="eu")
    lab.configure("acme", House(region="us"))
    assert acme.settings() == House(region="us")

    shop = lab.member("shop")
    assert acme.member_settings(shop) is None
    live, trial = Member(account="s", token="live"), Member(account="t", token="trial")
    assert lab.enable("acme", "shop", live, sandbox=trial) == shop
    assert acme.member_settings(shop) == live
    assert acme.member_settings(shop, sandbox=True) == trial
    assert acme.member_settings(lab.enable("acme", "other", trial)) == trial

    lab.disable("acme", "shop")
    assert acme.member_settings(shop) is None
    assert acme.member_settings(shop, sandbox=True) == trial
    TRIED.set(shop)
    assert acme.member_settings(shop) == live
    TRIED.set(None)


def test_what_was_not_given_is_named_and_what_is_not_asked_for_is_none(lab: Lab) -> None:
    acme = host(lab, api.PluginSettings(house=Member, member=Member))
    with pytest.raises(api.NotConfigured, match=r"house.*account: It is needed.*token"):
        acme.settings()
    shop = lab.enable("acme", "shop")
    with pytest.raises(api.NotConfigured, match=f"member {shop}"):
        acme.member_settings(shop)
    silent = host(lab, api.PluginSettings())
    assert silent.settings() is None
    assert silent.member_settings(shop) is None


def test_no_secret_is_in_the_table_in_clear(lab: Lab) -> None:
    lab.enable("acme", "shop", Member(account="s", token="sesame"))
    with lab._session() as session:
        (row,) = session.scalars(sa.select(PluginSetting))
        assert row.plain == {"account": "s"}
        assert "sesame" not in row.secrets["token"]


class Strange(msgspec.Struct):
    ratio: float = 0.5


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (api.PluginSettings(house=Strange), "Strange.ratio has a type that no form can ask for"),
        (api.PluginSettings(member=Strange), "Strange.ratio"),
        ({"house": House}, "is no PluginSettings"),
    ],
)
async def test_settings_that_no_form_can_ask_for_disable_the_plugin(
    runtime: Runtime, coalition: Coalition, asked: object, words: str
) -> None:
    module = ModuleType("acme")
    module.marketplace_register_settings = api.hookimpl(lambda: asked)  # type: ignore[attr-defined]
    plugins: Plugins = load(runtime.settings, lambda slug: runtime.plugins._make_host(slug))
    _register(plugins, "acme", lambda: module)
    assert words in plugins.disabled["acme"]
    assert "acme" not in plugins.slugs
    assert plugins.settings_of("acme") == api.PluginSettings()
