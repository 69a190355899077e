"""What the plugin registers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from marketplace.api import (
    Command,
    Host,
    PeriodicTask,
    PluginSettings,
    PluginTables,
    Routes,
    Supplier,
    hookimpl,
)
from marketplace_remote import callbacks
from marketplace_remote.commands import make_commands
from marketplace_remote.models import metadata
from marketplace_remote.routes import make_routes
from marketplace_remote.settings import RemoteSettings
from marketplace_remote.supplier import RemoteSupplier

FORGET_EVERY_S = 600

api_version = "1.0"
"""The version of the plugin API that this was written for."""


@hookimpl
def marketplace_register_settings() -> PluginSettings:
    """Address and keys of each member's service."""
    return PluginSettings(member=RemoteSettings)


@hookimpl
def marketplace_register_suppliers(host: Host) -> Sequence[Supplier]:
    """The supplier that asks partners' services."""
    return [RemoteSupplier(host)]


@hookimpl
def marketplace_register_routes(host: Host) -> Routes:
    """Callbacks, and the document to implement."""
    return make_routes(host)


@hookimpl
def marketplace_register_commands(host: Host) -> Sequence[Command]:
    """The document to implement, and keys."""
    return make_commands()


@hookimpl
def marketplace_register_tasks(host: Host) -> Sequence[PeriodicTask]:
    """Old callbacks are forgotten."""
    run = partial(callbacks.forget, host)
    return [PeriodicTask(name="forget", every_s=FORGET_EVERY_S, run=run)]


@hookimpl
def marketplace_register_tables() -> PluginTables:
    """Callbacks that were acted on."""
    return PluginTables(metadata=metadata, migrations=Path(__file__).parent / "migrations")
