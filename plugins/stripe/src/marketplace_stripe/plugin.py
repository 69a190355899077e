"""What the plugin registers.

The stripe package's HTTP library tries whether there is IPv6 by opening a port when it is imported.
So whatever imports it is imported by a hook, never by this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from marketplace.api import (
    Command,
    Host,
    Pages,
    PeriodicTask,
    PluginSettings,
    PluginTables,
    Rail,
    Routes,
    hookimpl,
)
from marketplace_stripe.models import metadata
from marketplace_stripe.settings import House

api_version = "1.3"
"""The version of the plugin API that this was written for."""


@hookimpl
def marketplace_register_settings() -> PluginSettings:
    """The platform's account."""
    return PluginSettings(house=House)


@hookimpl
def marketplace_register_rails(host: Host) -> Sequence[Rail]:
    """The rail; members choose it by the slug."""
    from marketplace_stripe.rail import Stripe

    return [Stripe(host)]


@hookimpl
def marketplace_register_routes(host: Host) -> Routes:
    """Where Stripe sends events."""
    from marketplace_stripe.routes import make_routes

    return make_routes(host)


@hookimpl
def marketplace_register_pages(host: Host) -> Pages:
    """What finance sees of Stripe."""
    from marketplace_stripe.pages import make_pages

    return make_pages(host)


@hookimpl
def marketplace_register_commands(host: Host) -> Sequence[Command]:
    """Members at Stripe, the balance, statements of it."""
    from marketplace_stripe.commands import make_commands

    return make_commands(host)


@hookimpl
def marketplace_register_tasks(host: Host) -> Sequence[PeriodicTask]:
    """Connected accounts are looked at where something was told; the balance is swept daily."""
    from marketplace_stripe.tasks import make_tasks

    return make_tasks(host)


@hookimpl
def marketplace_register_tables() -> PluginTables:
    """Payments, events, connected accounts, the balance."""
    return PluginTables(metadata=metadata, migrations=Path(__file__).parent / "migrations")
