"""What one process works with: settings, database, vault and plugins, opened together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property

from marketplace import api
from marketplace.db import Database, open_database
from marketplace.faces import Faces
from marketplace.host import PluginHost
from marketplace.plugins import Plugins, load
from marketplace.secrets import Vault, open_vault
from marketplace.settings import Settings


class Runtime:
    """One per process. Plugins load when first asked for."""

    def __init__(self, settings: Settings, database: Database, vault: Vault) -> None:
        self.settings = settings
        self.database = database
        self.vault = vault

    @cached_property
    def plugins(self) -> Plugins:
        """The plugin manager, with our own rooms and every installed plugin."""
        return load(
            self.settings,
            lambda slug: PluginHost(
                slug,
                lambda: self.database,
                lambda: self.vault,
                lambda: self.eligibility_rules,
                lambda: self.plugins.settings_of(slug),
            ),
        )

    @cached_property
    def suppliers(self) -> dict[str, api.Supplier]:
        """Suppliers by slug."""
        return self.plugins.suppliers()

    @cached_property
    def eligibility_rules(self) -> dict[str, api.EligibilityRule]:
        """Eligibility rules by name."""
        return self.plugins.eligibility_rules()

    @cached_property
    def reward_kinds(self) -> dict[str, api.RewardKind]:
        """Kinds of reward by slug."""
        return self.plugins.reward_kinds()

    @cached_property
    def faces(self) -> Faces:
        """Offers as their describers know them."""
        return Faces(self.plugins.offer_describers())

    @cached_property
    def periodic_tasks(self) -> dict[tuple[str, str], api.PeriodicTask]:
        """Periodic tasks of plugins by (slug, name)."""
        return self.plugins.periodic_tasks()


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Open a runtime for the length of the block."""
    runtime = Runtime(settings, open_database(settings), open_vault(settings))
    try:
        yield runtime
    finally:
        await runtime.database.close()
