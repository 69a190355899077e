"""Plugins bring commands; one that fails leaves its own out, and `--help` opens nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

import click
import pluggy
import pytest
from click.testing import CliRunner

from marketplace import api, hookspecs, plugin_commands
from marketplace.plugin_commands import PluginGroup
from marketplace.plugins import HostMaker, Plugins
from marketplace.settings import Settings


def plugin(register: Callable[[], Any]) -> ModuleType:
    """A plugin that registers commands."""
    module = ModuleType("a_plugin")
    # A function of its own each time: the marker is an attribute of the function.
    module.marketplace_register_commands = api.hookimpl(lambda: register())  # type: ignore[attr-defined]
    return module


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch) -> Callable[..., click.Group]:
    """`command_line(acme=plugin(...))`: a main group with these plugins installed."""

    def make(**plugins: ModuleType) -> click.Group:
        def load_plugins(_: Settings, make_host: HostMaker) -> Plugins:
            manager = pluggy.PluginManager("marketplace")
            manager.add_hookspecs(hookspecs)
            for slug, module in plugins.items():
                manager.register(module, name=slug)
            return Plugins(manager, make_host)

        def nothing(*_: object) -> None:
            raise AssertionError("the command line opened something for its help")

        monkeypatch.setattr(plugin_commands, "load_plugins", load_plugins)
        monkeypatch.setattr(plugin_commands, "open_database", nothing)
        monkeypatch.setattr(plugin_commands, "open_vault", nothing)
        main = PluginGroup("marketplace")
        main.add_command(click.Group("ledger", commands=[click.Command("verify")]))
        return main

    return make


def command(group: str, name: str) -> api.Command:
    return api.Command(
        group=group,
        command=click.Command(name, callback=lambda: click.echo(f"{name} ran"), help="Help."),
    )


def test_a_plugin_adds_to_a_group_and_has_one_of_its_own(
    command_line: Callable[..., click.Group],
) -> None:
    main = command_line(acme=plugin(lambda: [command("ledger", "weigh"), command("acme", "sync")]))
    runner = CliRunner()
    assert "weigh" in runner.invoke(main, ["ledger", "--help"]).output
    assert "Commands of the plugin acme." in runner.invoke(main, ["--help"]).output
    assert runner.invoke(main, ["ledger", "weigh"]).output == "weigh ran\n"
    assert runner.invoke(main, ["acme", "sync"]).output == "sync ran\n"


def test_a_command_of_the_core_is_run_without_loading_a_plugin(
    command_line: Callable[..., click.Group], monkeypatch: pytest.MonkeyPatch
) -> None:
    main = command_line()
    monkeypatch.setattr(plugin_commands, "load_plugins", explode)
    done = CliRunner().invoke(main, ["ledger", "verify", "--help"])
    assert (done.exit_code, "verify" in done.output) == (0, True)


def explode() -> list[api.Command]:
    raise SystemExit("no licence")


@pytest.mark.parametrize(
    ("register", "warning"),
    [
        (explode, "SystemExit: no licence"),
        (lambda: ["verify"], "is no api.Command"),
        (lambda: 3, "not iterable"),
        (lambda: [command("ledger", "verify")], "another command 'ledger verify'"),
        (lambda: [command("finance", "steal")], "no group of commands for 'finance steal'"),
    ],
)
def test_a_plugin_that_misbehaves_is_left_out_with_a_warning(
    register: Callable[[], Any],
    warning: str,
    command_line: Callable[..., click.Group],
    caplog: pytest.LogCaptureFixture,
) -> None:
    main = command_line(acme=plugin(register), good=plugin(lambda: [command("ledger", "weigh")]))
    with caplog.at_level(logging.WARNING):
        done = CliRunner().invoke(main, ["ledger", "weigh"])
    assert (done.exit_code, done.output) == (0, "weigh ran\n")
    assert warning in caplog.text


def test_a_wrong_setting_does_not_hide_the_help(
    command_line: Callable[..., click.Group],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("MARKETPLACE_PORT", "many")
    done = CliRunner().invoke(command_line(), ["--help"])
    assert (done.exit_code, "ledger" in done.output) == (0, True)
    assert "commands of plugins are left out" in caplog.text
