"""The plugin API has a version: what fits, what does not, and what warns before it goes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pluggy
import pytest

from marketplace import api
from marketplace.api_version import HookDeprecated, refusal
from marketplace.plugins import Plugins, _register
from tests.fulfilment.shop import FakeShop


def module(**attributes: Any) -> ModuleType:
    """A plugin's module."""
    made = ModuleType("marketplace_acme.plugin")
    vars(made).update(attributes)
    return made


@pytest.mark.parametrize("stated", [None, "1.0", "1.4", "1.5"])
def test_what_was_written_for_this_version_or_an_older_minor_fits(stated: str | None) -> None:
    plugin = module() if stated is None else module(api_version=stated)
    assert refusal(plugin, "1.5") is None


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ("1.6", "upgrade the marketplace"),
        ("2.0", "upgrade the marketplace"),
        ("0.9", "no longer speaks: install a newer version of the plugin"),
        ("1", 'not "major.minor"'),
        ("1.0.0", 'not "major.minor"'),
        ("one", 'not "major.minor"'),
        (1.0, None),
        (None, 'not "major.minor"'),
    ],
)
def test_what_does_not_fit_is_told_what_to_upgrade(stated: Any, words: str | None) -> None:
    told = refusal(module(api_version=stated), "1.5")
    assert (words is None and told is None) or (words and words in (told or ""))


def make_plugins(specs: Any) -> Plugins:
    manager = pluggy.PluginManager("marketplace")
    manager.add_hookspecs(specs)
    return Plugins(manager, lambda slug: pytest.fail("no host is needed"))


def load(plugins: Plugins, slug: str, plugin: ModuleType) -> None:
    """As `marketplace.plugins.load` does with each entry point."""
    loader: Callable[[], ModuleType] = lambda: plugin  # noqa: E731
    _register(plugins, slug, loader)


def test_a_plugin_for_a_newer_house_is_disabled_and_its_neighbour_is_not() -> None:
    from marketplace import hookspecs

    plugins = make_plugins(hookspecs)
    load(plugins, "newer", module(api_version="99.0"))
    load(plugins, "acme", module(api_version=api.API_VERSION))
    assert "written for version 99.0" in plugins.disabled["newer"]
    assert plugins.slugs == ["acme"]


hookspec = pluggy.HookspecMarker("marketplace")


class Specs:
    """A house in which one hook is on its way out."""

    @hookspec(
        warn_on_impl=HookDeprecated(
            "marketplace_register_shops",
            instead="marketplace_register_suppliers",
            since="1.4",
            gone_in="2.0",
        )
    )
    def marketplace_register_shops(self) -> list[api.Supplier]:
        """The old name."""
        return []

    @hookspec
    def marketplace_register_suppliers(self) -> list[api.Supplier]:
        """The new name."""
        return []

    @hookspec
    def marketplace_register_settings(self) -> api.PluginSettings:
        """Every plugin is asked when it loads."""
        return api.PluginSettings()


def test_a_deprecated_hook_works_and_its_author_is_told_the_replacement(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @api.hookimpl
    def marketplace_register_shops() -> list[api.Supplier]:
        return [FakeShop("old")]

    @api.hookimpl
    def marketplace_register_suppliers() -> list[api.Supplier]:
        return [FakeShop("new")]

    plugins = make_plugins(Specs())
    with caplog.at_level(logging.WARNING):
        load(plugins, "old", module(marketplace_register_shops=marketplace_register_shops))
        load(plugins, "new", module(marketplace_register_suppliers=marketplace_register_suppliers))
    assert plugins.disabled == {}
    assert [slug for slug, _ in plugins.call_each("marketplace_register_shops")] == ["old"]
    assert plugins.warnings == {
        "old": [
            "marketplace_register_shops is deprecated since version 1.4 of the plugin API and goes "
            "away in 2.0; implement marketplace_register_suppliers instead"
        ]
    }
    assert "plugin old: marketplace_register_shops is deprecated" in caplog.text
