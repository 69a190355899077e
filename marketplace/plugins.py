"""Builds the plugin manager: our own parts and a partner's plugins through the same door.

`load(settings)` is a function, never run at import. A plugin is a module named by an entry point of
group `marketplace`; the entry point's name is its slug. A plugin that fails to load or register, or
was written for a newer API, is disabled, its reason kept in `Plugins.disabled`, and harms nobody
else. One that implements a deprecated hook works, and `Plugins.warnings` names the replacement.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import cache, partial
from typing import Any

import pluggy

from marketplace import api, api_version, hookspecs
from marketplace.containment import rail_calls
from marketplace.containment.messages import FACTS, Finding
from marketplace.containment.probe import findings
from marketplace.installed import entries, slugs_installed
from marketplace.interrupt import interrupting
from marketplace.observers import Observer
from marketplace.registry import forms
from marketplace.settings import Settings

log = logging.getLogger(__name__)

BESIDE_THE_CORE = {
    "catalog": "catalog.hooks",
    "charity": "charity.hooks",
    "settlement": "settlement.hooks",
}
"""Our own rooms, loaded by name, then treated as any plugin. One without hooks is left out."""
SLUG = re.compile(r"[a-z][a-z0-9]{1,30}")
CHANNEL = re.compile(rf"{SLUG.pattern}\.[a-z][a-z0-9_]{{0,30}}")

HostMaker = Callable[[str], api.Host]
Lender = Callable[[str, Callable[[], api.PluginSettings]], api.Host]
"""Makes the Host of a plugin that asks for these settings."""


class Plugins:
    """The loaded plugins and what they registered."""

    def __init__(self, manager: pluggy.PluginManager, make_host: HostMaker) -> None:
        self.manager = manager
        self._make_host = make_host
        self.disabled: dict[str, str] = {}
        """Slug -> why it is disabled."""
        self.warnings: dict[str, list[str]] = {}
        """Slug -> what will stop working in a later version."""
        self.contained: dict[str, Finding] = {}
        """Slug -> what a plugin registers that this process leaves to the plugin's own."""
        self.start_s = 0.0
        """Longest that one hook may take while this process starts; 0: no limit."""
        self._observers: dict[str, Observer] = {}
        self.settings: dict[str, api.PluginSettings] = {}
        """Slug -> the settings it asks for; plugins that ask for none are left out."""

    @property
    def slugs(self) -> list[str]:
        """Slugs of the plugins in force, in order of their names."""
        return sorted({*self._loaded, *self.contained})

    @property
    def _loaded(self) -> list[str]:
        return sorted(name for name, _ in self.manager.list_name_plugin() if name)

    def disable(self, slug: str, reason: str) -> None:
        """Take a plugin out of this process."""
        log.error("plugin %s is disabled: %s", slug, reason)
        self.disabled[slug] = reason
        self.contained.pop(slug, None)
        if self.manager.has_plugin(slug):
            self.manager.unregister(name=slug)

    def settings_of(self, slug: str) -> api.PluginSettings:
        """The settings a plugin asks for."""
        return self.settings.get(slug, api.PluginSettings())

    def host(self, slug: str) -> api.Host:
        """What the core lends this plugin."""
        return self._make_host(slug)

    def take_settings(self, slug: str) -> None:
        """Ask what a plugin wants to be told; disables it where no form can ask for that."""
        for _, asked in self.call_each("marketplace_register_settings", only=slug):
            if not isinstance(asked, api.PluginSettings):
                self.disable(slug, f"{asked!r} is no PluginSettings")
                return
            try:
                for struct in (asked.house, asked.member):
                    if struct is not None:
                        forms.fields(struct)
            except forms.Unsupported as error:
                self.disable(slug, f"its settings: {error}")
                return
            self.settings[slug] = asked

    def call_each(
        self, hook: str, *, only: str | None = None, **arguments: Any
    ) -> Iterator[tuple[str, Any]]:
        """Call a registering hook of each plugin by itself; yields (slug, what it returned)."""
        for slug in self._loaded if only is None else [only]:
            plugin = self.manager.get_plugin(slug)
            others = [each for each in self.manager.get_plugins() if each is not plugin]
            caller = self.manager.subset_hook_caller(hook, remove_plugins=others)
            if not caller.get_hookimpls():
                continue
            given = dict(arguments)
            if "host" in (caller.spec.argnames if caller.spec else ()):
                given["host"] = self._make_host(slug)
            try:
                with interrupting(self.start_s) if self.start_s else nullcontext():
                    answers = caller(**given)
            except BaseException as error:  # a plugin may even raise SystemExit
                if isinstance(error, KeyboardInterrupt):
                    raise
                self.disable(slug, f"{hook} raised {type(error).__name__}: {error}")
                continue
            for answer in answers:
                yield slug, answer

    def tell(self, hook: str, fact: Any) -> None:
        """Tell the observers of this process a fact, after commit."""
        self.tell_all([(hook, fact)])

    def tell_all(self, facts: Sequence[tuple[str, Any]]) -> None:
        """Tell them facts (hook, fact), each observer all of its own at once.

        What they raise is logged and changes nothing, and none can hold up whoever tells.
        """
        observers = {hook: list(self.observers(hook)) for hook in {hook for hook, _ in facts}}
        told: dict[str, list[Callable[[], None]]] = {}
        for hook, fact in facts:
            for slug, observe in observers[hook]:
                told.setdefault(slug, []).append(partial(observe, fact))
        for slug, own in told.items():
            observer = self._observers.get(slug) or self._observers.setdefault(slug, Observer(slug))
            observer.tell(own)

    def tell_now(self, hook: str, fact: Any) -> None:
        """Tell them on this thread; for a process that is a plugin's own."""
        for _, observe in self.observers(hook):
            observe(fact)

    def observers(self, hook: str) -> Iterator[tuple[str, Callable[[Any], None]]]:
        """Each observer of a hook, to be called with facts; it gets its host if it asks."""
        for impl in getattr(self.manager.hook, hook).get_hookimpls():
            # Made on the thread that hears, and once for all it is told together.
            host = cache(partial(self._make_host, impl.plugin_name))
            yield impl.plugin_name, partial(self._observe, impl, host)

    @staticmethod
    def _observe(impl: pluggy.HookImpl, host: Callable[[], api.Host], fact: Any) -> None:
        given = {"fact": fact}
        if "host" in impl.argnames:
            given["host"] = host()
        impl.function(**{name: given[name] for name in impl.argnames})

    def observes(self, hook: str) -> bool:
        """Whether anything in this process observes `hook`."""
        return bool(getattr(self.manager.hook, hook).get_hookimpls())

    def suppliers(self) -> dict[str, api.Supplier]:
        """Suppliers by slug; one that is no Supplier, or not the plugin's, disables the plugin."""
        found: dict[str, api.Supplier] = {}
        for slug, answer in self.call_each("marketplace_register_suppliers"):
            for supplier in answer:
                if not isinstance(supplier, api.Supplier):
                    self.disable(slug, f"{supplier!r} is no Supplier (see docs/partners/hooks.md)")
                elif supplier.slug != slug:
                    self.disable(slug, f"its supplier calls itself {supplier.slug!r}, not {slug!r}")
                else:
                    found[slug] = supplier
        return {slug: supplier for slug, supplier in found.items() if slug not in self.disabled}

    def reward_kinds(self) -> dict[str, api.RewardKind]:
        """Reward kinds by slug; the first plugin to register a kind keeps it."""
        found: dict[str, api.RewardKind] = {}
        for slug, answer in self.call_each("marketplace_register_reward_kinds"):
            for kind in answer:
                if kind.slug in found:
                    self.disable(slug, f"reward kind {kind.slug!r} is another plugin's already")
                else:
                    found[kind.slug] = kind
        return found

    def eligibility_rules(self) -> dict[str, api.EligibilityRule]:
        """Eligibility rules by name."""
        found: dict[str, api.EligibilityRule] = {}
        for slug, answer in self.call_each("marketplace_register_eligibility_rules"):
            for rule in answer:
                if not rule.name.startswith(f"{slug}."):
                    self.disable(slug, f"rule {rule.name!r} does not begin with {slug + '.'!r}")
                else:
                    found[rule.name] = rule
        return {name: rule for name, rule in found.items() if slug_of(name) not in self.disabled}

    def offer_describers(self) -> dict[str, list[api.OfferDescriber]]:
        """Describers of offers by slug; one that is none disables the plugin."""
        found: dict[str, list[api.OfferDescriber]] = {}
        for slug, answer in self.call_each("marketplace_register_offer_describers"):
            for describer in answer:
                if isinstance(describer, api.OfferDescriber):
                    found.setdefault(slug, []).append(describer)
                else:
                    self.disable(slug, f"{describer!r} is no OfferDescriber")
        return {slug: each for slug, each in found.items() if slug not in self.disabled}

    def burn_tracers(self) -> dict[str, list[api.BurnTracer]]:
        """Tracers of burns by slug; one that is none disables the plugin."""
        found: dict[str, list[api.BurnTracer]] = {}
        for slug, answer in self.call_each("marketplace_register_burn_tracers"):
            for tracer in answer:
                if isinstance(tracer, api.BurnTracer):
                    found.setdefault(slug, []).append(tracer)
                else:
                    self.disable(slug, f"{tracer!r} is no BurnTracer")
        return {slug: each for slug, each in found.items() if slug not in self.disabled}

    def payout_tracers(self) -> dict[str, list[api.PayoutTracer]]:
        """Tracers of failed payments by slug; one that is none disables the plugin."""
        found: dict[str, list[api.PayoutTracer]] = {}
        for slug, answer in self.call_each("marketplace_register_payout_tracers"):
            for tracer in answer:
                if isinstance(tracer, api.PayoutTracer):
                    found.setdefault(slug, []).append(tracer)
                else:
                    self.disable(slug, f"{tracer!r} is no PayoutTracer")
        return {slug: each for slug, each in found.items() if slug not in self.disabled}

    def notifiers(self) -> dict[str, api.Notifier]:
        """Notifiers by channel; one that is none, or not the plugin's, disables the plugin."""
        found: dict[str, api.Notifier] = {}
        for slug, answer in self.call_each("marketplace_register_notifiers"):
            for notifier in answer:
                if not isinstance(notifier, api.Notifier):
                    self.disable(slug, f"{notifier!r} is no Notifier")
                elif not CHANNEL.fullmatch(notifier.channel) or slug_of(notifier.channel) != slug:
                    self.disable(slug, f"channel {notifier.channel!r} is no {slug + '.name'!r}")
                else:
                    found[notifier.channel] = notifier
        return {
            channel: each
            for channel, each in found.items()
            if slug_of(channel) not in self.disabled
        }

    def rails(self) -> dict[str, api.Rail | api.FileRail]:
        """Rails by slug; one that is none, or not the plugin's, disables the plugin."""
        found: dict[str, api.Rail | api.FileRail] = {}
        for slug, answer in self.call_each("marketplace_register_rails"):
            for rail in answer:
                if not isinstance(rail, api.Rail | api.FileRail):
                    self.disable(slug, f"{rail!r} is no Rail (see docs/partners/hooks.md)")
                elif rail.slug != slug:
                    self.disable(slug, f"its rail calls itself {rail.slug!r}, not {slug!r}")
                else:
                    found[slug] = rail
        return {slug: rail for slug, rail in found.items() if slug not in self.disabled}

    def periodic_tasks(self) -> dict[tuple[str, str], api.PeriodicTask]:
        """Periodic tasks by (slug, name); one that is none disables the plugin."""
        found: dict[tuple[str, str], api.PeriodicTask] = {}
        for slug, answer in self.call_each("marketplace_register_tasks"):
            for task in answer:
                if isinstance(task, api.PeriodicTask):
                    found[slug, task.name] = task
                else:
                    self.disable(slug, f"{task!r} is no PeriodicTask")
        return {key: task for key, task in found.items() if key[0] not in self.disabled}


def installed(slug: str) -> bool:
    """Whether a distribution has a plugin of this name."""
    return bool(entries(slug))


def slug_of(name: str) -> str:
    """The slug that a name of a plugin's begins with (`acme.sms`)."""
    return name.split(".")[0]


def load(
    settings: Settings, make_host: HostMaker, *, contained: bool = False, probed: bool = True
) -> Plugins:
    """Build the manager, register our own rooms and every installed plugin that bears it.

    Plugins are probed first, in a process of their own. With `contained` none of them is loaded:
    `Plugins.contained` says what each registers. `probed` False is for a process that may die of
    them itself.
    """
    plugins = _manager(make_host)
    off = {slug.strip() for slug in settings.plugins_off.split(",")}
    for slug, module in BESIDE_THE_CORE.items():
        if slug not in off and importlib.util.find_spec(module) is not None:
            _register(plugins, slug, partial(importlib.import_module, module))
    found = findings(settings, off) if probed else {}
    plugins.start_s = settings.plugin_start_s
    for point in entries():
        if point.name in off:
            continue
        finding = found.get(point.name, Finding())
        if finding.refusal:
            plugins.disable(point.name, finding.refusal)
        elif contained:
            plugins.contained[point.name] = finding
            plugins.warnings |= {point.name: finding.warnings} if finding.warnings else {}
        else:
            _register(plugins, point.name, point.load)
    return plugins


def _manager(make_host: HostMaker) -> Plugins:
    manager = pluggy.PluginManager("marketplace")
    manager.add_hookspecs(hookspecs)
    return Plugins(manager, make_host)


def load_one(slug: str, lend: Lender) -> Plugins:
    """One installed plugin alone, in a process of its own."""
    plugins = _manager(lambda slug: lend(slug, lambda: plugins.settings_of(slug)))
    for point in entries(slug):
        _register(plugins, slug, point.load)
    return plugins


def probe_one(slug: str, lend: Lender) -> Finding:
    """Load one plugin and call its registering hooks, to see what comes of it."""
    plugins = load_one(slug, lend)
    rail = plugins.rails().get(slug)
    registered = Finding(
        supplier=slug in plugins.suppliers(),
        tasks=[(name, int(task.every_s)) for (_, name), task in plugins.periodic_tasks().items()],
        observes=[hook for hook in FACTS if plugins.observes(hook)],
        describers=len(plugins.offer_describers().get(slug, [])),
        rules=sorted(plugins.eligibility_rules()),
        channels=sorted(plugins.notifiers()),
        rail=None if rail is None else rail_calls.found(rail),
        warnings=plugins.warnings.get(slug, []),
    )
    plugins.reward_kinds()
    plugins.burn_tracers()
    plugins.payout_tracers()
    for hook in ("routes", "pages", "commands", "tables", "checks", "journal_notes"):
        list(plugins.call_each(f"marketplace_register_{hook}"))
    refusal = plugins.disabled.get(slug)
    return registered if refusal is None else Finding(refusal=refusal)


def others_than(slug: str) -> list[str]:
    """Slugs of everything installed but one, for a house that holds that plugin alone."""
    return sorted((slugs_installed() | set(BESIDE_THE_CORE)) - {slug})


def _register(plugins: Plugins, slug: str, load_module: Callable[[], Any]) -> None:
    if plugins.manager.has_plugin(slug) or slug in plugins.disabled:
        log.error("a second plugin named %s is installed; it is not loaded", slug)
        return
    if not SLUG.fullmatch(slug):
        plugins.disable(slug, "a slug is 2 to 31 lower case letters and digits")
        return
    try:
        with interrupting(plugins.start_s) if plugins.start_s else nullcontext():
            module = load_module()
        refusal = api_version.refusal(module)
        if refusal:
            plugins.disable(slug, refusal)
            return
        _hook_in(plugins, slug, module)
        plugins.take_settings(slug)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        plugins.disable(slug, f"it does not load: {type(error).__name__}: {error}")


def _hook_in(plugins: Plugins, slug: str, module: Any) -> None:
    """Register a plugin's hooks; deprecated ones are noted, whatever warnings Python shows."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        plugins.manager.register(module, name=slug)
        plugins.manager.check_pending()
    for each in caught:
        if issubclass(each.category, DeprecationWarning):
            log.warning("plugin %s: %s", slug, each.message)
            plugins.warnings.setdefault(slug, []).append(str(each.message))
