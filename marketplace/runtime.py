"""What one process works with: settings, database, vault and plugins, opened together."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any

from marketplace import api
from marketplace.containment import rail_calls
from marketplace.containment.keeper import Keeper
from marketplace.containment.probe import terms_of
from marketplace.containment.proxies import (
    ProcessDescriber,
    ProcessNotifier,
    ProcessRule,
    ProcessSupplier,
    tasks_of,
    told,
)
from marketplace.containment.rails import AnyHeldRail, held, held_here, through_process
from marketplace.containment.routes import PluginRoutes
from marketplace.containment.rules import WatchedRule
from marketplace.containment.starting import template
from marketplace.db import Database, open_database
from marketplace.faces import Faces
from marketplace.fulfilment.tracing import BurnTraces
from marketplace.host import PluginHost
from marketplace.metrics.tally import Tally
from marketplace.outbound import Outbound, open_outbound
from marketplace.plugins import Plugins, installed, load
from marketplace.secrets import Vault, open_vault, secret_keys
from marketplace.settings import Settings


class Runtime:
    """One per process. Plugins load when first asked for.

    With `contained` installed plugins are not loaded here: each works in a process of its own, and
    what it registers is stood in for (`marketplace.containment.proxies`).
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        vault: Vault,
        *,
        contained: bool = False,
        probed: bool = True,
        keeper: Keeper | None = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.vault = vault
        self.contained = contained and sys.platform != "win32"
        self._probed = probed
        self.tally = Tally()
        self._lent = keeper
        self.plugin_routes: dict[str, PluginRoutes] = {}
        """By slug: the limits of plugins whose routes and pages this process serves."""

    @cached_property
    def keeper(self) -> Keeper:
        """The processes of plugins, perhaps another runtime's; none runs before it is called."""
        if self._lent is not None:
            return self._lent
        url = self.database.url.render_as_string(hide_password=False)
        keys = ",".join(secret_keys(self.settings))
        return Keeper(
            self.settings,
            lambda slug: terms_of(self.settings, slug, database_url=url, secret_keys=keys),
            self.tally.note_process,
        )

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
                outbound=lambda: self.outbound,
                tell=self.tell,
                rails=lambda: self.rails,
                payout_tracers=lambda: self.payout_tracers,
                grace_days=self.settings.refund_grace_days,
            ),
            contained=self.contained,
            probed=self._probed,
        )

    @cached_property
    def outbound(self) -> Outbound:
        """Calls to addresses that partners typed in. UsageError where its setting is wrong."""
        return open_outbound(self.settings)

    @cached_property
    def suppliers(self) -> dict[str, api.Supplier]:
        """Suppliers by slug."""
        timeout_s = self.settings.supplier_timeout_s
        return self.plugins.suppliers() | {
            slug: ProcessSupplier(slug, self.keeper, timeout_s)
            for slug, finding in self.plugins.contained.items()
            if finding.supplier
        }

    @cached_property
    def eligibility_rules(self) -> dict[str, api.EligibilityRule]:
        """Eligibility rules by name, watched where they run in this process."""
        found: dict[str, api.EligibilityRule] = {
            name: WatchedRule(rule, self.tally.note_trouble)
            for name, rule in self.plugins.eligibility_rules().items()
        }
        for slug, finding in self.plugins.contained.items():
            found |= {name: ProcessRule(slug, name, self.keeper) for name in finding.rules}
        return found

    @cached_property
    def rails(self) -> dict[str, AnyHeldRail]:
        """Rails by slug, each asked in its plugin's process, also where the plugin is loaded here:
        files and large statements are no work for an API process.
        """
        timeout_s = self.settings.supplier_timeout_s
        rails: dict[str, AnyHeldRail] = {}
        for slug, rail in self.plugins.rails().items():
            if installed(slug) and sys.platform != "win32":
                carry = through_process(slug, self.keeper)
                rails[slug] = held(slug, rail_calls.found(rail), carry, timeout_s, rail)
            else:
                rails[slug] = held_here(rail)
        for slug, finding in self.plugins.contained.items():
            if finding.rail is not None:
                carry = through_process(slug, self.keeper)
                rails[slug] = held(slug, finding.rail, carry, timeout_s)
        return rails

    @cached_property
    def reward_kinds(self) -> dict[str, api.RewardKind]:
        """Kinds of reward by slug."""
        return self.plugins.reward_kinds()

    @cached_property
    def faces(self) -> Faces:
        """Offers as their describers know them."""
        found: dict[str, list[api.OfferDescriber]] = dict(self.plugins.offer_describers())
        for slug, finding in self.plugins.contained.items():
            own = [ProcessDescriber(slug, self.keeper, n) for n in range(finding.describers)]
            found |= {slug: [*own]} if own else {}
        return Faces(found)

    @cached_property
    def burn_tracers(self) -> BurnTraces:
        """Where the money of burns went, as plugins that are loaded here know it."""
        return BurnTraces(self.plugins.burn_tracers())

    @cached_property
    def payout_tracers(self) -> dict[str, list[api.PayoutTracer]]:
        """What knows which payments failed, by the plugin that is loaded here."""
        return self.plugins.payout_tracers()

    @cached_property
    def notifiers(self) -> dict[str, api.Notifier]:
        """Notifiers of the plugins that are loaded here, by channel: they look at addresses."""
        return self.plugins.notifiers()

    @cached_property
    def carriers(self) -> dict[str, api.Notifier | ProcessNotifier]:
        """What sends notices, by channel."""
        found: dict[str, api.Notifier | ProcessNotifier] = {**self.notifiers}
        for slug, finding in self.plugins.contained.items():
            own = {name: ProcessNotifier(name, slug, self.keeper) for name in finding.channels}
            found |= own
        return found

    @cached_property
    def periodic_tasks(self) -> dict[tuple[str, str], api.PeriodicTask]:
        """Periodic tasks of plugins by (slug, name)."""
        found = dict(self.plugins.periodic_tasks())
        for slug, finding in self.plugins.contained.items():
            tasks = tasks_of(slug, finding, self.keeper)
            found |= {(slug, name): task for name, task in tasks.items()}
        return found

    def tell(self, facts: Sequence[tuple[str, Any]]) -> None:
        """Tell observers (hook, fact), after commit; none of them can hold the caller up."""
        self.plugins.tell_all(facts)
        for slug, finding in self.plugins.contained.items():
            own = [told(hook, fact) for hook, fact in facts if hook in finding.observes]
            if own:
                self.keeper.tell(slug, own)

    def close_plugins(self) -> None:
        """End the processes of plugins, but for those of another runtime."""
        if self._lent is None and "keeper" in self.__dict__:
            self.keeper.close()


@asynccontextmanager
async def open_runtime(
    settings: Settings, *, contained: bool = False, keeper: Keeper | None = None
) -> AsyncIterator[Runtime]:
    """Open a runtime for the length of the block; with the plugin processes of `keeper`, if any.

    `contained`: in a worker, where each plugin has a process of its own.
    """
    database, vault = open_database(settings, working=contained), open_vault(settings)
    runtime = Runtime(settings, database, vault, contained=contained, keeper=keeper)
    with template.kept():
        try:
            yield runtime
        finally:
            runtime.close_plugins()
            await runtime.database.close()
