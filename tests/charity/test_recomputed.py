"""A stranger recomputes receipts and campaigns from the beancount export, with beancount alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from beancount import loader
from beancount.core.data import Custom, Transaction
from click.testing import CliRunner

from charity import giving, receipts
from charity.domain import MatchMode, Surplus
from charity.journal import NOTES
from marketplace import clock
from marketplace.cli import main
from marketplace.identity.domain import Role
from marketplace.ledger.journal import Format
from settlement.disputes.notes import NOTES as OF_DISPUTES
from tests.charity.conftest import RATE_MICROS, Cause
from tests.charity.test_firm_matching import funded
from tests.charity.test_giving import refund
from tests.charity.test_surplus import GOAL_MICROS, close, seen, tidy
from tests.conftest import SECRET_KEY
from tests.ledger.checkers import bean_check
from tests.ledger.test_export import exported

CHARITY = "Liabilities:Payable:Aqua"
OWED_BY_MEMBERS = "Liabilities:Clearing:Aqua"
MICROS = 1_000_000


class Recomputed(msgspec.Struct):
    """What the journal says, and nothing else."""

    points: Counter[str] = msgspec.field(default_factory=Counter)
    """By burn, without what went back."""
    micros: Counter[str] = msgspec.field(default_factory=Counter)
    """By burn: what it brings the charity."""
    matched: Counter[str] = msgspec.field(default_factory=Counter)
    """Micros by burn that members add gift by gift."""
    offers: dict[str, str] = msgspec.field(default_factory=dict)
    """By burn: what it was burnt on."""
    added: Counter[str] = msgspec.field(default_factory=Counter)
    """Micros by burn that all matches add, those paid ahead too."""
    by_match: Counter[str] = msgspec.field(default_factory=Counter)
    """Points by match."""
    notes: dict[str, list[dict[str, str]]] = msgspec.field(default_factory=dict)
    """What else the journal says, by kind."""

    def of(self, slug: str, sums: Counter[str]) -> int:
        """The sum of a campaign."""
        return sum(sums[burn] for burn, offer in self.offers.items() if offer == f"charity/{slug}")


def recompute(journal: str) -> Recomputed:
    """Read a journal with beancount's loader."""
    entries, errors, _ = loader.load_string(journal)
    assert errors == []
    found = Recomputed()
    for entry in entries:
        if isinstance(entry, Custom):
            found.notes.setdefault(entry.type, []).append(entry.meta)
    undoing = {each["debt"]: each for each in found.notes.get("settlement.adjustment", [])}
    for entry in entries:
        if not isinstance(entry, Transaction):
            continue
        burn, debt = entry.meta.get("burn"), entry.meta.get("reference", "")
        undone = undoing.get(debt, {})
        debt = undone.get("undoes", debt)
        for posting in entry.postings:
            assert posting.units is not None
            assert posting.units.number is not None
            number: Decimal = posting.units.number
            if burn and posting.account.startswith("Income:Points:Redeemed:"):
                found.points[burn] -= int(number)
            if burn and posting.account == CHARITY:
                found.micros[burn] -= int(number * MICROS)
            if "burn" in undone and posting.account == OWED_BY_MEMBERS:
                found.micros[undone["burn"]] -= int(number * MICROS)
            if debt.startswith("charity/share:") and posting.account == OWED_BY_MEMBERS:
                found.matched[debt.split(":")[1]] -= int(number * MICROS)
        if burn:
            found.offers[burn] = entry.meta["offer"]
    for share in found.notes.get("charity.share", []):
        found.added[share["burn"]] += int(share["micros"])
        found.by_match[share["match"]] += int(share["points"])
    return found


async def journal(cause: Cause) -> str:
    """The export as the command writes it, with what charity adds."""
    notes = {f"charity.{each.name}": each.sql for each in NOTES}
    notes |= {f"settlement.{each.name}": each.sql for each in OF_DISPUTES}
    return await exported(cause.runtime, Format.BEANCOUNT, notes)


async def a_busy_year(cause: Cause) -> None:
    """Gifts of every kind, and everything that can become of them."""
    await cause.match("beta", cap=700)
    await cause.match("alpha", cap=900, ratio_bps=3_333)
    for number in range(12):
        await cause.done(101 + number, "ann", anonymous=number % 2 == 0)
        await cause.done(57 + number, "bob", dedication='For "Zoë" \\ & <b>')
    back = await cause.done(300)
    await refund(cause, back, 100, "part")
    await refund(cause, back, 50, "more")
    whole = await cause.done(200, "bob")
    await refund(cause, whole, None, "whole")
    await cause.start("slow", grace_minutes=60)
    taken = await cause.give(40, campaign="slow")
    async with cause.runtime.database.begin() as session:
        await giving.take_back(session, await cause.person("ann"), taken.burn_id)
    await cause.deliver(taken)
    await funded(cause, 1_000)
    await cause.done(90)
    await cause.person("acme", Role.FIRM_MANAGER)
    await cause.done(60, "acme")
    await cause.start("roofs", goal_micros=GOAL_MICROS, surplus=Surplus.NEXT_CAMPAIGN)
    await cause.start("pumps")
    await cause.done(1_500, campaign="roofs")
    await close(cause, "roofs")
    await cause.follow()
    await tidy(cause)


async def last_facts(cause: Cause) -> dict[str, Any]:
    """What the receipt that counts says, by burn."""
    ordered = sorted(await cause.receipts(), key=lambda each: each.version)
    return {str(each.burn_id): receipts.facts_of(each) for each in ordered}


async def test_the_command_writes_what_charity_adds(
    cause: Cause, database_url: str, tmp_path: Path
) -> None:
    await cause.match("alpha", cap=700, mode=MatchMode.PREFUNDED)
    given = await cause.done(1_000)
    path = tmp_path / "ledger.beancount"
    environment = {
        "MARKETPLACE_DATABASE_URL": database_url,
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
    }
    arguments = ["ledger", "export", "--output", str(path)]
    done = await asyncio.to_thread(CliRunner(env=environment).invoke, main, arguments)
    assert done.exit_code == 0, done.output
    assert await bean_check(path) == ""
    found = recompute(path.read_text())
    assert found.added[str(given.burn_id)] == 700 * RATE_MICROS
    (wells,) = found.notes["charity.campaign"]
    assert (wells["campaign"], wells["rate_micros"]) == ("wells", str(RATE_MICROS))
    (receipt,) = found.notes["charity.receipt"]
    assert (receipt["burn"], receipt["points"]) == (str(given.burn_id), "1000")
    assert (receipt["matched_points"], "corrects" in receipt) == ("700", False)


async def check_journal(cause: Cause, *slugs: str) -> Recomputed:
    """Receipts and campaigns are what the journal says."""
    found = recompute(await journal(cause))
    facts = await last_facts(cause)
    async with cause.runtime.database.begin() as session:
        now = await clock.now(session)
    captured = {burn for burn, micros in found.micros.items() if burn in facts or micros}
    assert captured <= set(facts)
    ahead = {match["match"] for match in found.notes["charity.match"] if match["mode"] != "billed"}
    for burn, told in facts.items():
        given = told.points + told.taken_back_points
        assert (found.points[burn], found.micros[burn]) == (given, told.money_micros)
        paid_ahead = sum(
            int(share["micros"])
            for share in found.notes.get("charity.share", [])
            if share["burn"] == burn and share["match"] in ahead
        )
        assert found.matched[burn] + paid_ahead == told.matched_micros
        assert found.added[burn] == told.matched_micros
    for match in found.notes["charity.match"]:
        used = found.by_match[match["match"]] + int(match["taken_back_points"])
        assert used == int(match["used_points"]) <= int(match["cap_points"])
        if "fund" in match:
            added = found.by_match[match["match"]] * RATE_MICROS
            assert added <= found.micros[match["fund"]]
    numbered = [each["receipt"] for each in found.notes["charity.receipt"]]
    assert numbered == [f"aqua/{now.year}/{place + 1:06d}" for place in range(len(numbered))]
    for slug in slugs or ("wells",):
        raised = await cause.raised(slug)
        # A firm gave all of its match; that counts as far as it has matched.
        funds = [each["fund"] for each in found.notes["charity.match"] if "fund" in each]
        here = f"charity/{slug}"
        given = sum(found.micros[each] for each in funds if found.offers[each] == here)
        own, matched = found.of(slug, found.micros) - given, found.of(slug, found.added)
        assert (own, matched) == (raised.money_micros, raised.matched_micros), slug
    return found


async def test_receipts_and_campaigns_are_what_the_journal_says(cause: Cause) -> None:
    await a_busy_year(cause)
    found = await check_journal(cause, "wells", "roofs", "pumps", "slow")
    roofs = await seen(cause, "roofs")
    assert found.of("roofs", found.micros) - roofs.flow.went_micros == GOAL_MICROS
    (passed,) = found.notes["charity.surplus"]
    assert (passed["campaign"], passed["goes_to"]) == ("roofs", "pumps")
    assert int(passed["micros"]) == roofs.flow.went_micros
    assert await cause.findings() == []
