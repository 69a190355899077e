"""Each scenario passes a supplier that does it right, and fails one that does it wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pluggy
import pytest
import sqlalchemy as sa

from marketplace import api, hookspecs
from marketplace.certify.child import play
from marketplace.certify.domain import Result, Status, Target, Terms
from marketplace.certify.scenario import About
from marketplace.certify.scenarios import SCENARIOS
from marketplace.certify.stage import Stage
from marketplace.plugins import Plugins
from marketplace.testing import Goods, Lab, Rehearsal, Trouble
from tests.conftest import FreshDatabase, make_settings
from tests.partners.good import EMPTY, SKU, Good, GoodRehearsal
from tests.partners.hostile import HOSTILE

FOR_SUPPLIERS = [each.name for each in SCENARIOS.values() if each.about is About.SUPPLIER]
CALL_LIMIT_S = 2.5

Played = Callable[..., Result]


@pytest.fixture(scope="module")
def lab(fresh_database: FreshDatabase) -> Iterator[Lab]:
    """A marketplace for all plugins of this file; they keep nothing in it."""
    with fresh_database() as url:
        made = Lab(make_settings(url))
        yield made
        made.close()


def make_stage(lab: Lab, plugin: Any, **parts: Any) -> Stage:
    """A stage with `plugin` as it is, instead of one found by its entry point."""
    here = Path(__file__).parent
    target = Target(
        slug="acme",
        distribution="marketplace-acme",
        version="1",
        module="acme",
        rehearsal=None,
        root=here,
        packages=(),
        source=None,
    )
    stage = Stage(target, Terms(call_limit_s=CALL_LIMIT_S), lab.settings)
    manager = pluggy.PluginManager("marketplace")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, name="acme")
    vars(stage).update(lab=lab, plugins=Plugins(manager, lab.host), **parts)
    return stage


@pytest.fixture
def played(lab: Lab) -> Played:
    """`played("health", SlowHealth())`: the result of a scenario with a supplier."""

    def run(scenario: str, supplier: Good) -> Result:
        rehearsal = GoodRehearsal(lab, lab.host("acme"), supplier)
        stage = make_stage(lab, supplier, supplier=supplier, rehearsal=rehearsal)
        result = play(stage, SCENARIOS[scenario])
        assert result is not None
        return result

    return run


@pytest.mark.parametrize("scenario", FOR_SUPPLIERS)
def test_a_good_supplier_passes(scenario: str, played: Played) -> None:
    result = played(scenario, Good())
    assert result.status is Status.PASSED, result.found


@pytest.mark.parametrize(
    ("scenario", "hostile"),
    [(scenario, each) for scenario, several in HOSTILE.items() for each in several],
)
def test_a_hostile_supplier_is_found_and_told_what_to_do(
    scenario: str, hostile: type[Good], played: Played
) -> None:
    result = played(scenario, hostile())
    assert result.status is Status.FAILED
    assert result.found
    assert result.advice


def test_each_scenario_about_suppliers_has_a_hostile_one() -> None:
    assert set(FOR_SUPPLIERS) == set(HOSTILE)


# -- what cannot be shown -------------------------------------------------------------------------


def test_without_a_rehearsal_nothing_about_the_outside_passes(lab: Lab) -> None:
    stage = make_stage(lab, Good(), supplier=Good())
    stage.terms = Terms(sku="HELLO", empty_sku="NOTHING")
    ends = {name: play(stage, SCENARIOS[name]) for name in FOR_SUPPLIERS}
    not_shown = {name for name, end in ends.items() if end and end.status is Status.NOT_SHOWN}
    assert not_shown == {
        "timeout-after-success",
        "late-answer",
        "outage",
        "late-outcome",
        "price-drift",
        "malformed-reply",
        "partial-reply",
    }
    end = ends["price-drift"]
    assert end is not None
    assert "add a rehearsal" in end.found


def test_without_a_sku_nothing_is_ordered(lab: Lab) -> None:
    end = play(make_stage(lab, Good(), supplier=Good()), SCENARIOS["delivers"])
    assert end is not None
    assert end.status is Status.NOT_SHOWN
    assert "--sku" in end.found


def test_a_trouble_the_world_cannot_have_is_excused_in_the_plugins_words(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    supplier = Good()
    rehearsal = GoodRehearsal(lab, lab.host("acme"), supplier)
    monkeypatch.setattr(rehearsal, "without", {Trouble.PRICE: "there is no price"})
    stage = make_stage(lab, supplier, supplier=supplier, rehearsal=rehearsal)
    end = play(stage, SCENARIOS["price-drift"])
    assert end is not None
    assert (end.status, end.found) == (Status.EXCUSED, "there is no price")


class InTheDatabase(Good):
    """Its only outside world is its own database."""

    def __init__(self, host: api.Host) -> None:
        super().__init__()
        self.host = host

    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        with self.host.transaction():
            return super().fulfil(orders)

    def lookup(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        with self.host.transaction():
            return super().lookup(orders)


class SeesRefusalsInErrors(InTheDatabase):
    """Takes a broken commit for a refusal, and an outage for proof."""

    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        try:
            return super().fulfil(orders)
        except ConnectionError:
            return [api.Rejected(reference=each.reference, reason="failed") for each in orders]


class NoTroubles(Rehearsal):
    """Knows what can be ordered, and plays nothing."""

    def goods(self, units: int) -> Goods:
        return Goods(sku=SKU, empty_sku=EMPTY)


@pytest.mark.parametrize(
    ("make", "status"),
    [(InTheDatabase, Status.PASSED), (SeesRefusalsInErrors, Status.FAILED)],
)
@pytest.mark.parametrize("scenario", ["timeout-after-success", "outage"])
def test_without_an_outside_world_the_plugins_own_transactions_break(
    scenario: str, make: type[InTheDatabase], status: Status, lab: Lab
) -> None:
    stage = make_stage(lab, Good())
    supplier = make(stage.host)
    rehearsal = NoTroubles(lab, lab.host("acme"), supplier)
    vars(stage).update(supplier=supplier, rehearsal=rehearsal)
    end = play(stage, SCENARIOS[scenario])
    assert end is not None
    assert end.status is status, end.found
    for trouble in ("price-drift", "partial-reply"):
        not_played = play(stage, SCENARIOS[trouble])
        assert not_played is not None
        assert not_played.status is Status.NOT_SHOWN


# -- plugins as files -----------------------------------------------------------------------------


def files_stage(lab: Lab, folder: Path, name: str, text: str) -> Stage:
    """A stage for a module `name` that holds `text`."""
    (folder / f"{name}.py").write_text(text)
    stage = make_stage(lab, Good())
    stage.target = Target(
        slug="acme",
        distribution="marketplace-acme",
        version="1",
        module=name,
        rehearsal=None,
        root=folder,
        packages=(folder / f"{name}.py",),
        source=folder,
    )
    return stage


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("from marketplace.exchange.models import Burn", "marketplace.exchange.models"),
        ("import marketplace.db", "marketplace.db"),
        ("from marketplace import settings", "marketplace.settings"),
        ("import catalog.service", "catalog.service"),
        ("__import__('marketplace.secrets')", "marketplace.secrets"),
        ("def f(host): return host._database()", "host._database"),
        ("def broken(:", "no Python"),
    ],
)
def test_reaching_inside_is_named_with_its_line(
    line: str, named: str, lab: Lab, tmp_path: Path
) -> None:
    stage = files_stage(lab, tmp_path, "reaching", f"import json\n{line}\n")
    result = play(stage, SCENARIOS["imports"])
    assert result is not None
    assert result.status is Status.FAILED
    assert named in result.found
    assert "reaching.py" in result.found


def test_the_plugin_api_may_be_imported(lab: Lab, tmp_path: Path) -> None:
    text = "from marketplace import api\nfrom marketplace.testing import Lab\nimport sqlalchemy\n"
    result = play(files_stage(lab, tmp_path, "polite", text), SCENARIOS["imports"])
    assert result is not None
    assert result.status is Status.PASSED


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("hostile_writes", "open('/tmp/hostile', 'w').close()", "writes hostile"),
        ("hostile_env", "import os; os.environ['HOSTILE'] = '1'", "changes the environment"),
        ("hostile_runs", "import subprocess; subprocess.run(['true'])", "starts a program"),
        (
            "hostile_calls",
            "import socket\ntry: socket.create_connection(('127.0.0.1', 9), 1)\n"
            "except OSError: pass",
            "connects to a server",
        ),
        (
            "hostile_thread",
            "import threading, time\n"
            "threading.Thread(target=time.sleep, args=(2,), daemon=True).start()",
            "starts one",
        ),
        ("hostile_exit", "raise SystemExit(0)", "SystemExit"),
        ("hostile_missing", "import no_such_library", "no_such_library"),
    ],
)
def test_importing_it_must_do_nothing(
    name: str,
    text: str,
    named: str,
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOSTILE", "")
    monkeypatch.syspath_prepend(tmp_path)
    result = play(files_stage(lab, tmp_path, name, text), SCENARIOS["import-effects"])
    assert result is not None
    assert result.status is Status.FAILED
    assert named in result.found


# -- starting -------------------------------------------------------------------------------------


class Silent:
    """A plugin that says nothing."""


class Old:
    """States its version and has no hook."""

    api_version = "1.0"


class Raises(Old):
    """Raises in a hook."""

    @api.hookimpl
    def marketplace_register_reward_kinds(self) -> list[api.RewardKind]:
        raise RuntimeError("not today")


class Unmigrated(Old):
    """Has a table that no migration makes."""

    @api.hookimpl
    def marketplace_register_tables(self) -> api.PluginTables:
        metadata = api.plugin_metadata()
        sa.Table("acme_thing", metadata, sa.Column("id", sa.Integer, primary_key=True))
        return api.PluginTables(metadata=metadata, migrations=Path(__file__).parent)


@pytest.mark.parametrize(
    ("scenario", "plugin", "named"),
    [
        ("starts", Silent(), "api_version"),
        ("starts", Old(), "no hook"),
        ("starts", Raises(), "not today"),
        ("tables", Unmigrated(), "acme_thing"),
    ],
)
def test_a_plugin_that_does_not_start_well_is_told_why(
    scenario: str, plugin: object, named: str, lab: Lab
) -> None:
    result = play(make_stage(lab, plugin, supplier=None, rules=[]), SCENARIOS[scenario])
    assert result is not None
    assert result.status is Status.FAILED
    assert named in f"{result.found} {result.advice}"


# -- rules ----------------------------------------------------------------------------------------


class Rule:
    """Allows buyers."""

    name = "acme.buyers"

    def refusal(self, who: api.Who, offer_reference: str) -> str | None:
        return None if who.role == "buyer" else "Only for buyers."


class RaisesForPools(Rule):
    def refusal(self, who: api.Who, offer_reference: str) -> str | None:
        return None if who.role.startswith("b") else "Only for buyers."  # type: ignore[union-attr]


class SaysFalse(Rule):
    def refusal(self, who: api.Who, offer_reference: str) -> Any:
        return who.role == "buyer"


class Fickle(Rule):
    asked = 0

    def refusal(self, who: api.Who, offer_reference: str) -> str | None:
        self.asked += 1
        return "Not now." if self.asked % 2 else None


class ReadsAFile(Rule):
    def refusal(self, who: api.Who, offer_reference: str) -> str | None:
        return "No." if Path(__file__).read_text() == who.role else None


class ThinksLong(Rule):
    def refusal(self, who: api.Who, offer_reference: str) -> str | None:
        return "No." if sum(range(20_000)) == 0 else None


@pytest.mark.parametrize(
    ("scenario", "rule", "status"),
    [
        ("rule-answers", Rule(), Status.PASSED),
        ("rule-speed", Rule(), Status.PASSED),
        ("rule-answers", RaisesForPools(), Status.FAILED),
        ("rule-answers", SaysFalse(), Status.FAILED),
        ("rule-answers", Fickle(), Status.FAILED),
        ("rule-speed", ReadsAFile(), Status.FAILED),
        ("rule-speed", ThinksLong(), Status.FAILED),
    ],
)
def test_a_rule_is_quick_pure_and_bears_everybody(
    scenario: str, rule: api.EligibilityRule, status: Status, lab: Lab
) -> None:
    result = play(make_stage(lab, Old(), rules=[rule]), SCENARIOS[scenario])
    assert result is not None
    assert result.status is status, result.found
