"""Where scenarios are played: the plugin loaded against a real database, and ways to ask it.

Everything here runs in a child process. What the plugin raises is caught as a worker would, and
told in words for its author.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
from sqlalchemy.orm import Session

from marketplace import api
from marketplace.certify.domain import Target, Terms
from marketplace.certify.scenario import Excused, Failed
from marketplace.fulfilment.asking import TookTooLong, within
from marketplace.fulfilment.domain import judge
from marketplace.host import PluginHost
from marketplace.ids import uuid7
from marketplace.plugins import Plugins, load, others_than
from marketplace.schema import upgrade_all
from marketplace.secrets import Vault
from marketplace.settings import Settings
from marketplace.testing.laboratory import SECRET_KEY, Lab, loopback_allowed, member_id
from marketplace.testing.rehearsal import (
    LATE_S,
    FileRailRehearsal,
    Goods,
    NotifierRehearsal,
    NotShown,
    RailRehearsal,
    Rehearsal,
    Trouble,
)

T = TypeVar("T")
R = TypeVar("R")
Method = Literal["fulfil", "lookup"]
Outcomes = dict[str, api.Outcome]

OF_THE_DATABASE = (Trouble.LOST_ANSWER, Trouble.SLOW, Trouble.DOWN)
"""Troubles that the plugin's own transactions can be given."""
ACCEPTOR = "shop"
"""The member that is paid for what the simulator orders."""
NO_EXIT = "Raise an Exception, or answer Unknown; never SystemExit, KeyboardInterrupt or os._exit."


class TroubledHost(PluginHost):
    """A host whose database can be slow, away, or lose its answer."""

    trouble: Trouble | None = None
    hits = 0
    """Transactions that the present trouble met."""

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """As `Host.transaction`, with the present trouble."""
        trouble = self.trouble
        self.hits += trouble is not None
        if trouble is Trouble.DOWN:
            raise ConnectionError("the database is away (simulated)")
        with super().transaction() as session:
            yield session
            if trouble is Trouble.SLOW:
                time.sleep(LATE_S)
        if trouble is Trouble.LOST_ANSWER:
            raise ConnectionError("the connection broke after the commit (simulated)")


class Stage:
    """One plugin, loaded as production loads it; parts are made when first asked for."""

    def __init__(self, target: Target, terms: Terms, settings: Settings) -> None:
        self.target = target
        self.terms = terms
        self.slug = target.slug
        self.settings = msgspec.structs.replace(
            settings, plugins_off=",".join(others_than(target.slug))
        )

    @cached_property
    def lab(self) -> Lab:
        """The database, migrated with the plugin's own tables."""
        asyncio.run(upgrade_all(self.settings, probed=False))
        return Lab(self.settings)

    @cached_property
    def host(self) -> TroubledHost:
        """What the core lends the plugin."""
        vault = Vault([SECRET_KEY])
        return TroubledHost(
            self.slug,
            lambda: self.lab.database,
            lambda: vault,
            asked=lambda: self.plugins.settings_of(self.slug),
            outbound=loopback_allowed,
        )

    @cached_property
    def plugins(self) -> Plugins:
        """The plugin, and no other; Failed where it does not load."""
        found = load(self.settings, lambda _: self.host, probed=False)
        self.refuse_disabled(found)
        return found

    def refuse_disabled(self, plugins: Plugins) -> None:
        """Failed where the plugin has been disabled."""
        if self.slug in plugins.disabled:
            raise Failed(
                f"The plugin is disabled: {plugins.disabled[self.slug]}",
                advice="Mend this first; docs/partners/hooks.md says what each hook must return.",
            )
        if self.slug not in plugins.slugs:
            raise Failed(
                f"No entry point of group `marketplace` named {self.slug!r} was found.",
                advice="Name it in pyproject.toml under [project.entry-points.marketplace].",
            )

    @cached_property
    def supplier(self) -> api.Supplier | None:
        """The plugin's supplier; None where it has none."""
        found = self.plugins.suppliers().get(self.slug)
        self.refuse_disabled(self.plugins)
        return found

    @cached_property
    def rules(self) -> list[api.EligibilityRule]:
        """The plugin's eligibility rules."""
        found = self.plugins.eligibility_rules()
        self.refuse_disabled(self.plugins)
        return list(found.values())

    @cached_property
    def rehearsal(self) -> Rehearsal:
        """The plugin's rehearsal, or one that shows nothing but the skus of the terms."""
        assert self.supplier is not None  # noqa: S101 - scenarios about suppliers only
        host = self.lab.host(self.slug)
        self.lab.enable(self.slug, ACCEPTOR)
        if self.target.rehearsal is None:
            return _Bare(self.terms, self.lab, host, self.supplier)
        cls = _load(self.target.rehearsal, Rehearsal)
        self._configure(cls.settings)
        self.lab.enable(self.slug, ACCEPTOR, cls.member_settings, sandbox=cls.sandbox_settings)
        return cls(self.lab, host, self.supplier)

    @cached_property
    def notifiers(self) -> list[Played]:
        """The plugin's notifiers, each with its rehearsal."""
        found = self.plugins.notifiers()
        self.refuse_disabled(self.plugins)
        host = self.lab.host(self.slug)
        rehearsals = self.target.part_rehearsals
        kinds = {
            channel: _load(rehearsals[channel], NotifierRehearsal)
            if channel in rehearsals
            else NotifierRehearsal
            for channel in found
        }
        for each in kinds.values():
            self._configure(each.settings)
        return [
            Played(each, kinds[channel](self.lab, host, each)) for channel, each in found.items()
        ]

    @cached_property
    def rails(self) -> list[PlayedRail]:
        """The plugin's rail with its rehearsal; none where it has none."""
        found = self.plugins.rails().get(self.slug)
        self.refuse_disabled(self.plugins)
        if not isinstance(found, api.Rail):
            return []
        kind = self._rail_rehearsal(RailRehearsal)
        return [PlayedRail(found, kind(self.lab, self.lab.host(self.slug), found))]

    @cached_property
    def file_rails(self) -> list[PlayedFileRail]:
        """The plugin's rail, where it moves money by files."""
        found = self.plugins.rails().get(self.slug)
        self.refuse_disabled(self.plugins)
        if not isinstance(found, api.FileRail):
            return []
        kind = self._rail_rehearsal(FileRailRehearsal)
        return [PlayedFileRail(found, kind(self.lab, self.lab.host(self.slug), found))]

    def _rail_rehearsal(self, kind: type[R]) -> type[R]:
        """The rehearsal of the rail, or one that shows nothing; the rail has its settings."""
        place = self.target.part_rehearsals.get(f"{self.slug}.rail")
        found = kind if place is None else _load(place, kind)
        self._configure(getattr(found, "settings", None))
        return found

    def _configure(self, settings: msgspec.Struct | None) -> None:
        """Give the plugin the house settings of a rehearsal, where it states any."""
        if settings is not None:
            self.lab.configure(self.slug, settings)

    def goods(self, units: int) -> Goods:
        """Something to order, `units` of it, and something that is never there."""
        return self.rehearsal.goods(units)

    def order(self, sku: str, *, quantity: int = 1, cost_micros: int | None = None) -> api.Order:
        """A new order, as a worker hands it over."""
        return api.Order(
            reference=str(uuid7()),
            offer_reference=f"offer-{sku}",
            sku=sku,
            quantity=quantity,
            points=1_000 * quantity,
            cost_micros=7_000_000 * quantity if cost_micros is None else cost_micros,
            currency="EUR",
            attempt=1,
            acceptor_id=member_id(ACCEPTOR),
        )

    def guarded(self, what: str, work: Callable[[], T], limit_s: float | None = None) -> T:
        """What `work` returns; what only a hostile plugin does is Failed, Exceptions pass."""
        limit_s = limit_s or self.terms.call_limit_s
        try:
            return within(work, limit_s, threading.Event())
        except TookTooLong:
            raise Failed(
                f"{what} did not answer within {limit_s:g} s.",
                advice="Give every call to the outside a time limit, and answer Unknown after it.",
            ) from None
        except MemoryError:
            raise Failed(
                f"{what} ran out of memory ({self.terms.memory_limit_mb} MB).",
                advice="Keep no more than one batch in memory; a batch is 200 orders at most.",
            ) from None
        except Failed:
            raise
        except BaseException as error:
            if isinstance(error, Exception):
                raise
            raise Failed(
                f"{what} raised {type(error).__name__}: it tried to end the process.",
                advice=NO_EXIT,
            ) from None

    def _answers(self, method: Method, orders: Sequence[api.Order]) -> list[Any]:
        call = getattr(self.supplier, method)
        most = 2 * len(orders) + 1
        return self.guarded(method, lambda: list(islice(call(list(orders)), most)))

    def ask(self, method: Method, orders: Sequence[api.Order]) -> Outcomes:
        """One well-formed outcome per order, by reference; Failed for anything else."""
        try:
            answers = self._answers(method, orders)
        except Exception as error:
            if isinstance(error, Failed):
                raise
            raise Failed(
                f"{method} raised {type(error).__name__}: {error}",
                advice="Answer one outcome per order, whatever the order; a raise makes every "
                "order of the batch unknown.",
            ) from error
        return self._judged(method, orders, answers)

    def ask_in_trouble(self, method: Method, orders: Sequence[api.Order]) -> Outcomes:
        """As `ask`, where a raise is allowed too: it makes every order unknown."""
        try:
            answers = self._answers(method, orders)
        except Exception as error:
            if isinstance(error, Failed):
                raise
            words = f"{type(error).__name__}: {error}"
            return {o.reference: api.Unknown(reference=o.reference, reason=words) for o in orders}
        return self._judged(method, orders, answers)

    def _judged(self, method: Method, orders: Sequence[api.Order], answers: list[Any]) -> Outcomes:
        outcomes, faults = judge(orders, answers, lookup=method == "lookup")
        if faults:
            raise Failed(
                f"{method} was asked about {len(orders)} orders and its answer is not well "
                f"formed: {'; '.join(faults[:3])}.",
                advice="Answer each order exactly once, with the outcomes of marketplace.api and "
                "fields of the types they state; one artefact per unit, or none.",
            )
        return outcomes

    def deliver(self, orders: Sequence[api.Order]) -> Outcomes:
        """Order what there is; every order must be fulfilled, at once or within a few look-ups."""
        outcomes = self.ask("fulfil", orders)
        for _ in range(20):
            late = [o for o in orders if isinstance(outcomes[o.reference], api.Pending)]
            if not late:
                break
            time.sleep(0.2)
            outcomes |= self.ask("lookup", late)
        for each in orders:
            found = outcomes[each.reference]
            if not isinstance(found, api.Fulfilled):
                raise Failed(
                    f"An ordinary order of {each.quantity} x {each.sku!r} was not fulfilled but "
                    f"{type(found).__name__}{_reason(found)}.",
                    advice="Let Rehearsal.goods() fill the stock, or name a sku it has by --sku.",
                )
        return outcomes

    @contextmanager
    def outside(self, trouble: Trouble) -> Iterator[None]:
        """The outside world has this trouble; NotShown where nothing in the block met it."""
        excuse = self.rehearsal.without.get(trouble)
        why = ""
        try:
            playing = None if excuse else self.rehearsal.trouble(trouble)
        except NotShown as error:
            playing, why = None, str(error)
        if playing is not None:
            with playing:
                yield
            return
        self.host.hits = 0
        self.host.trouble = trouble if trouble in OF_THE_DATABASE else None
        try:
            yield
        finally:
            self.host.trouble = None
        if not self.host.hits:
            raise Excused(excuse) if excuse else NotShown(why)


def _load(place: str, kind: type[R]) -> type[R]:
    """The class at `module:Class`; Failed where it is none of this kind."""
    module, _, name = place.partition(":")
    cls = getattr(importlib.import_module(module), name, None)
    if not (isinstance(cls, type) and issubclass(cls, kind)):
        raise Failed(
            f"The rehearsal {place} is no marketplace.testing.{kind.__name__}.",
            advice=f"Subclass {kind.__name__} and name the class in the entry point.",
        )
    return cls


class Played(NamedTuple):
    """A notifier and what makes its outside world stumble."""

    notifier: api.Notifier
    rehearsal: NotifierRehearsal


class PlayedRail(NamedTuple):
    """A rail and what makes its outside world stumble."""

    rail: api.Rail
    rehearsal: RailRehearsal


class PlayedFileRail(NamedTuple):
    """A rail that makes files, and what the simulator knows of its bank."""

    rail: api.FileRail
    rehearsal: FileRailRehearsal


class _Bare(Rehearsal):
    """Stands in where a plugin has no rehearsal."""

    def __init__(self, terms: Terms, lab: Lab, host: api.Host, supplier: api.Supplier) -> None:
        super().__init__(lab, host, supplier)
        self._terms = terms

    def goods(self, units: int) -> Goods:
        """The skus that were named on the command line."""
        if not self._terms.sku:
            raise NotShown("nothing is known that it can deliver: add a rehearsal, or name --sku")
        return Goods(sku=self._terms.sku, empty_sku=self._terms.empty_sku or "")

    def trouble(self, trouble: Trouble) -> Any:
        """None."""
        raise NotShown(
            f"nothing can give its outside world the trouble {trouble.value!r}: add a rehearsal"
        )


def _reason(outcome: api.Outcome) -> str:
    words = getattr(outcome, "reason", "")
    return f" ({words})" if words else ""
