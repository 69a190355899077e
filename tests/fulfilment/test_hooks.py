"""Every hook is exercised by a plugin here; tests/partners holds their pages to the code."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import click
import msgspec
import pytest
from litestar import get
from litestar.di import NamedDependency

from marketplace import api, hookspecs
from marketplace.app import plugin_pages, plugin_routers
from marketplace.fulfilment.schedule import entries
from marketplace.plugins import Plugins
from marketplace.runtime import Runtime
from marketplace.schema import plugin_tables
from marketplace.worker import queue_of
from tests.factories import LONG_AGO
from tests.fulfilment.shop import FakeShop
from tests.partners.test_notifier_scenarios import Radio
from tests.partners.test_rail_scenarios import Courier

HOOKS = {
    name: function
    for name, function in inspect.getmembers(hookspecs, inspect.isfunction)
    if name.startswith("marketplace_")
}


class House(msgspec.Struct):
    """Settings."""

    tools: int = 3


class OnlyTrained:
    """An eligibility rule."""

    name = "acme.trained"

    def refusal(self, who: api.Who, offer_reference: str) -> str | None:
        return "Take the training first."


class Painter:
    """Describes every offer alike."""

    def describe(self, offer_ids: Sequence[UUID], language: str) -> Mapping[UUID, api.OfferFace]:
        face = api.OfferFace(
            title="A tool",
            language=language,
            value_micros=1,
            currency="EUR",
            value_from="face",
        )
        return dict.fromkeys(offer_ids, face)


class Surveyor:
    """Knows the way of every burn."""

    def trace(
        self, burn_ids: Sequence[UUID], payee_id: UUID
    ) -> Mapping[UUID, Sequence[api.BurnStep]]:
        step = api.BurnStep(stage="window", reference="w", status="open")
        return {each: [step] for each in burn_ids}


class Postman:
    """Knows of one payment that failed."""

    def failed(self, payee_ids: Sequence[UUID]) -> Sequence[api.FailedPayout]:
        return [api.FailedPayout(reference="p", payee_id=each) for each in payee_ids]

    def burns(self, reference: str, after: UUID | None) -> Sequence[UUID]:
        return []

    def undone(self, payee_ids: Sequence[UUID], after: UUID | None) -> Sequence[api.UndoneLine]:
        return []

    def undone_debts(self, plugin: str, after: int | None) -> Sequence[api.UndoneDebt]:
        return []


class Acme:
    """A plugin that implements every hook and writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.hosts: list[str] = []

    @api.hookimpl
    def marketplace_register_suppliers(self, host: api.Host) -> list[api.Supplier]:
        self.hosts.append(host.slug)
        return [FakeShop("acme")]

    @api.hookimpl
    def marketplace_register_settings(self) -> api.PluginSettings:
        return api.PluginSettings(house=House)

    @api.hookimpl
    def marketplace_register_reward_kinds(self) -> list[api.RewardKind]:
        return [api.RewardKind(slug="tool", name="Tools", description="Loans of tools.")]

    @api.hookimpl
    def marketplace_register_notifiers(self, host: api.Host) -> list[api.Notifier]:
        return [Radio()]

    @api.hookimpl
    def marketplace_register_rails(self, host: api.Host) -> list[api.Rail]:
        return [Courier()]

    @api.hookimpl
    def marketplace_register_eligibility_rules(self) -> list[api.EligibilityRule]:
        return [OnlyTrained()]

    @api.hookimpl
    def marketplace_register_routes(self, host: api.Host) -> api.Routes:
        @get("/tools", opt=api.access(public=True), sync_to_thread=False)
        def tools() -> list[str]:
            return []

        return [tools]

    @api.hookimpl
    def marketplace_register_pages(self, host: api.Host) -> api.Pages:
        @get("/shelf", opt=api.access(public=True, page=True), sync_to_thread=False)
        def shelf(page: NamedDependency[api.Page]) -> api.Html:
            return page.render("web/nothing_yet.html")

        entry = api.NavEntry(key="acme", label=api.lazy("Tools"), path="/acme/shelf")
        return api.Pages(routes=[shelf], nav=[entry])

    @api.hookimpl
    def marketplace_register_offer_describers(self, host: api.Host) -> list[api.OfferDescriber]:
        return [Painter()]

    @api.hookimpl
    def marketplace_register_burn_tracers(self, host: api.Host) -> list[api.BurnTracer]:
        return [Surveyor()]

    @api.hookimpl
    def marketplace_register_payout_tracers(self, host: api.Host) -> list[api.PayoutTracer]:
        return [Postman()]

    @api.hookimpl
    def marketplace_register_commands(self, host: api.Host) -> list[api.Command]:
        return [api.Command(group="acme", command=click.Command("tools"))]

    @api.hookimpl
    def marketplace_register_tasks(self, host: api.Host) -> list[api.PeriodicTask]:
        return [api.PeriodicTask(name="count", every_s=60, run=lambda: None)]

    @api.hookimpl
    def marketplace_register_tables(self) -> api.PluginTables:
        return api.PluginTables(metadata=api.plugin_metadata(), migrations=Path("nowhere"))

    @api.hookimpl
    def marketplace_register_checks(self) -> list[api.Check]:
        return [api.Check("acme_tools", "Acme has tools.", "select 'a', 'b', 'c' where false")]

    @api.hookimpl
    def marketplace_register_journal_notes(self) -> list[api.JournalNotes]:
        return [api.JournalNotes("tool", "select current_date as day, 'saw' as tool")]

    @api.hookimpl
    def marketplace_after_burn_fulfilled(self, fact: api.BurnFact) -> None:
        self.told.append(("fulfilled", fact))

    @api.hookimpl
    def marketplace_after_burn_voided(self, fact: api.BurnFact) -> None:
        self.told.append(("voided", fact))

    @api.hookimpl
    def marketplace_after_burn_refunded(self, fact: api.RefundFact, host: api.Host) -> None:
        assert host.slug == "acme"
        self.told.append(("refunded", fact))

    @api.hookimpl
    def marketplace_after_points_issued(self, fact: api.IssueFact) -> None:
        self.told.append(("issued", fact))

    @api.hookimpl
    def marketplace_after_window_closed(self, fact: api.WindowFact) -> None:
        self.told.append(("closed", fact))


@pytest.fixture
def acme(runtime: Runtime) -> Acme:
    """Acme, installed."""
    plugin = Acme()
    runtime.plugins.manager.register(plugin, name="acme")
    return plugin


def of_acme(found: list[tuple[str, Any]]) -> list[Any]:
    """What Acme answered."""
    return [answer for slug, answer in found if slug == "acme"]


def test_acme_implements_every_hook() -> None:
    assert {name for name in vars(Acme) if name.startswith("marketplace_")} == set(HOOKS)


async def test_registering_hooks_are_asked_and_their_answers_used(
    runtime: Runtime, acme: Acme
) -> None:
    plugins: Plugins = runtime.plugins
    plugins.take_settings("acme")
    assert plugins.settings_of("acme").house is House
    assert runtime.suppliers["acme"].slug == "acme"
    assert acme.hosts == ["acme"]
    assert "tool" in plugins.reward_kinds()
    assert isinstance(runtime.notifiers["acme.radio"], Radio)
    assert isinstance(plugins.rails()["acme"], Courier)
    assert runtime.eligibility_rules["acme.trained"].name == "acme.trained"
    assert "/v1/acme" in [router.path for router in plugin_routers(runtime).values()]
    assert [entry.path for entry in plugin_pages(runtime)["acme"].pages.nav] == ["/acme/shelf"]
    offer_id = uuid4()
    face = await runtime.faces.one(offer_id, "en")
    assert face is not None
    assert face.title == "A tool"
    steps = await runtime.burn_tracers.of([offer_id], uuid4())
    assert [each.reference for each in steps[offer_id]] == ["w"]
    (postman,) = runtime.payout_tracers["acme"]
    assert [each.reference for each in postman.failed([offer_id])] == ["p"]
    ((command,),) = of_acme(list(plugins.call_each("marketplace_register_commands")))
    assert command.command.name == "tools"
    assert [
        (each.queue, each.every_s, each.args)
        for each in entries(runtime, queue_of)
        if "acme" in each.args
    ] == [("fulfil.acme", 60, ("acme", "count"))]
    assert plugin_tables(plugins)["acme"].migrations == Path("nowhere")
    ((check,),) = of_acme(list(plugins.call_each("marketplace_register_checks")))
    assert check.name == "acme_tools"
    ((notes,),) = of_acme(list(plugins.call_each("marketplace_register_journal_notes")))
    assert notes.name == "tool"
    assert plugins.disabled == {}


async def test_observing_hooks_are_told(runtime: Runtime, acme: Acme) -> None:
    burn = api.BurnFact(
        burn_id=uuid4(),
        wallet_id=uuid4(),
        offer_id=uuid4(),
        acceptor_id=uuid4(),
        plugin="acme",
        quantity=1,
        points=10,
        cost_micros=70_000,
        currency="EUR",
        reason="",
        effective_at=LONG_AGO,
    )
    refund = api.RefundFact(
        refund_id=uuid4(),
        burn_id=burn.burn_id,
        wallet_id=burn.wallet_id,
        points=10,
        reason="broken",
        effective_at=LONG_AGO,
    )
    issue = api.IssueFact(issuer_id=uuid4(), issuances=1, points=10)
    window = api.WindowFact(
        window_id=uuid4(), opened_at=LONG_AGO, closed_at=LONG_AGO, obligations=3
    )
    tell = runtime.plugins.tell
    tell("marketplace_after_burn_fulfilled", burn)
    tell("marketplace_after_burn_voided", burn)
    tell("marketplace_after_burn_refunded", refund)
    tell("marketplace_after_points_issued", issue)
    tell("marketplace_after_window_closed", window)
    assert acme.told == [
        ("fulfilled", burn),
        ("voided", burn),
        ("refunded", refund),
        ("issued", issue),
        ("closed", window),
    ]


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(1)])
async def test_a_plugin_that_fails_while_it_registers_harms_nobody_else(
    error: BaseException, runtime: Runtime, acme: Acme
) -> None:
    @api.hookimpl
    def marketplace_register_suppliers(host: api.Host) -> list[api.Supplier]:
        raise error

    broken = ModuleType("broken")
    broken.marketplace_register_suppliers = marketplace_register_suppliers  # type: ignore[attr-defined]
    runtime.plugins.manager.register(broken, name="broken")
    assert "acme" in runtime.suppliers
    assert type(error).__name__ in runtime.plugins.disabled["broken"]


async def test_an_observer_that_fails_does_not_keep_others_from_hearing(
    runtime: Runtime, acme: Acme
) -> None:
    @api.hookimpl
    def marketplace_after_points_issued(fact: api.IssueFact) -> None:
        raise SystemExit(1)

    loud = ModuleType("loud")
    loud.marketplace_after_points_issued = marketplace_after_points_issued  # type: ignore[attr-defined]
    runtime.plugins.manager.register(loud, name="loud")
    runtime.plugins.tell(
        "marketplace_after_points_issued", api.IssueFact(issuer_id=uuid4(), issuances=1, points=1)
    )
    assert [kind for kind, _ in acme.told] == ["issued"]
