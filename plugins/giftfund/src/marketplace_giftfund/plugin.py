"""What the gift fund registers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from marketplace.api import (
    Command,
    Host,
    Pages,
    PeriodicTask,
    PluginTables,
    RewardKind,
    Routes,
    Supplier,
    hookimpl,
)
from marketplace_giftfund import service
from marketplace_giftfund.commands import make_commands
from marketplace_giftfund.models import metadata
from marketplace_giftfund.pages import make_pages
from marketplace_giftfund.routes import make_routes
from marketplace_giftfund.supplier import GiftFund

ALIGN_EVERY_S = 300

api_version = "1.0"
"""The version of the plugin API that this was written for."""


@hookimpl
def marketplace_register_suppliers(host: Host) -> Sequence[Supplier]:
    """The supplier of codes."""
    return [GiftFund(host)]


@hookimpl
def marketplace_register_reward_kinds() -> Sequence[RewardKind]:
    """Gifts: what a code can buy."""
    return [
        RewardKind(
            slug="gift",
            name="Gift fund",
            description="Online certificates and promo codes, delivered at once.",
        )
    ]


@hookimpl
def marketplace_register_routes(host: Host) -> Routes:
    """Pools and uploads."""
    return make_routes(host)


@hookimpl
def marketplace_register_pages(host: Host) -> Pages:
    """Pools in the partner console."""
    return make_pages(host)


@hookimpl
def marketplace_register_commands(host: Host) -> Sequence[Command]:
    """Pools and uploads on the command line."""
    return make_commands(host)


@hookimpl
def marketplace_register_tasks(host: Host) -> Sequence[PeriodicTask]:
    """Keeps stock and pools agreed, as codes expire."""
    return [PeriodicTask(name="align", every_s=ALIGN_EVERY_S, run=partial(service.align_all, host))]


@hookimpl
def marketplace_register_tables() -> PluginTables:
    """Pools, codes and orders."""
    return PluginTables(metadata=metadata, migrations=Path(__file__).parent / "migrations")
