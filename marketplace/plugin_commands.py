"""Commands that plugins bring, added to the command line when somebody looks one up.

Nothing is opened for it: a plugin's host reaches the database (and, embedded, starts it) only when
a command uses it, so `marketplace --help` is quick and needs neither.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator, Mapping
from functools import cache, partial
from types import MappingProxyType
from typing import Any

import click

from marketplace import api
from marketplace.commands import Group
from marketplace.db import open_database
from marketplace.errors import UsageError
from marketplace.host import PluginHost
from marketplace.outbound import open_outbound
from marketplace.plugins import load as load_plugins
from marketplace.secrets import open_vault
from marketplace.settings import Settings, load

log = logging.getLogger(__name__)

NONE_LATER: Mapping[str, str] = MappingProxyType({})


class PluginGroup(Group):
    """The main group: the core's commands, and those of plugins once a command is looked up."""

    _complete = False

    def __init__(self, *args: Any, later: Mapping[str, str] = NONE_LATER, **more: Any) -> None:
        """`later`: commands, by name, that are imported (`module:name`) when they are looked up."""
        super().__init__(*args, **more)
        self._later = dict(later)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        for name in list(self._later):
            self._import(name)
        self._add_plugin_commands()
        return super().list_commands(ctx)

    def _import(self, name: str) -> None:
        module, _, attribute = self._later.pop(name).partition(":")
        self.add_command(getattr(importlib.import_module(module), attribute))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of these arguments. One that the core has itself needs no plugin loaded."""
        known = self.commands.get(args[0])
        if isinstance(known, click.Group) and args[1:] and args[1] in known.commands:
            return args[0], known, args[1:]
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name; its group holds what plugins added."""
        if cmd_name in self._later:
            self._import(cmd_name)
        # Processes load plugins in their own way, and `plugins` looks at ones that may not even
        # bear being loaded; other single commands are whole already.
        known = self.commands.get(cmd_name)
        if cmd_name != "plugins" and (known is None or isinstance(known, click.Group)):
            self._add_plugin_commands()
        return super().get_command(ctx, cmd_name)

    def _add_plugin_commands(self) -> None:
        if self._complete:
            return
        self._complete = True
        try:
            for slug, command in plugin_commands(load()):
                self._add(slug, command)
        except UsageError as error:
            # A wrong setting must not hide the help; commands that need it will say so again.
            log.warning("commands of plugins are left out: %s", error.detail)

    def _add(self, slug: str, command: api.Command) -> None:
        group = self.commands.get(command.group)
        if group is None and command.group == slug:
            group = Group(slug, help=f"Commands of the plugin {slug}.")
            self.add_command(group)
        name = f"{command.group} {command.command.name}"
        if not isinstance(group, click.Group):
            log.warning("plugin %s: there is no group of commands for %r", slug, name)
        elif command.command.name in group.commands:
            log.warning("plugin %s: there is another command %r", slug, name)
        else:
            group.add_command(command.command)


def plugin_commands(settings: Settings) -> Iterator[tuple[str, api.Command]]:
    """Every plugin's commands with its slug; a plugin that raises is left out with a warning."""
    database, vault = cache(partial(open_database, settings)), cache(partial(open_vault, settings))
    outbound = partial(open_outbound, settings)
    plugins = load_plugins(
        settings,
        lambda slug: PluginHost(
            slug,
            database,
            vault,
            asked=lambda: plugins.settings_of(slug),
            outbound=outbound,
            grace_days=settings.refund_grace_days,
        ),
    )
    for slug, commands in plugins.call_each("marketplace_register_commands"):
        try:
            found = [(slug, _checked(command)) for command in commands]
        except TypeError as error:
            plugins.disable(slug, f"marketplace_register_commands: {error}")
            continue
        yield from found


def _checked(command: object) -> api.Command:
    if not isinstance(command, api.Command) or not isinstance(command.command, click.Command):
        raise TypeError(f"{command!r} is no api.Command of a click.Command")
    return command
