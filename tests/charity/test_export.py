"""Receipts, campaign totals and matches, recomputed from the text of the ledger's export alone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from charity import closing, firm_matching, giving
from charity.domain import MatchMode
from marketplace.ledger.journal import Format
from tests.charity.conftest import OPERATOR, Cause
from tests.charity.test_firm_matching import funded
from tests.charity.test_giving import refund
from tests.ledger.test_export import exported

ENTRY = re.compile(r"^\d{4}-\d\d-\d\d \* \"(?P<code>\w+)\"\n(?P<rest>(?:  .*\n)+)", re.MULTILINE)
FACT = re.compile(r'^  (\w+): "([^"]*)"$', re.MULTILINE)
POSTING = re.compile(r"^  ([\w:-]+)  (-?[\d.]+) ([A-Z]+)$", re.MULTILINE)


class Books:
    """What a stranger reads in the journal: points and money by burn, money of debts."""

    def __init__(self, text: str, charity: str) -> None:
        self.points: dict[str, int] = defaultdict(int)
        """Spent by a burn, without what was refunded."""
        self.money: dict[str, Decimal] = defaultdict(Decimal)
        """Owed to the charity for a burn."""
        self.debts = Decimal()
        """Owed to the charity by members, outside burns."""
        for code, facts, path, number, unit in _postings(text):
            burn = facts.get("burn", "")
            if unit == "POINTS" and code in ("capture", "refund") and ":Wallets:" in path:
                self.points[burn] += int(number) if code == "capture" else -abs(int(number))
            elif path.split(":")[-1] == charity and unit == "EUR":
                if "debt" in facts:
                    self.debts -= Decimal(number)
                else:
                    self.money[burn] -= Decimal(number)


def _postings(text: str) -> Iterator[tuple[str, dict[str, str], str, str, str]]:
    for entry in ENTRY.finditer(text):
        facts = dict(FACT.findall(entry["rest"]))
        for path, number, unit in POSTING.findall(entry["rest"]):
            yield entry["code"], facts, path, number, unit


async def last_receipts(cause: Cause) -> dict[str, dict[str, Any]]:
    """What the receipts say that count, by burn."""
    found: dict[str, dict[str, Any]] = {}
    for receipt in sorted(await cause.receipts(), key=lambda each: each.version):
        found[str(receipt.burn_id)] = receipt.facts
    return found


async def test_a_stranger_comes_to_the_same_figures(cause: Cause) -> None:
    await cause.match("alpha", cap=700, ratio_bps=5_000)
    await cause.match("beta", cap=400, mode=MatchMode.PREFUNDED)
    await funded(cause, 900)
    first = await cause.done(1_001)
    second = await cause.done(333, "bob")
    await cause.done(97)
    await refund(cause, first, 250, "r1")
    await refund(cause, second, None, "r2")
    await cause.follow()
    await cause.start("slow", grace_minutes=30)
    back = await cause.give(500, campaign="slow")
    ann = await cause.person("ann")
    async with cause.runtime.database.begin() as session:
        await giving.take_back(session, ann, back.burn_id)
    await cause.deliver(back)
    async with cause.runtime.database.begin() as session:
        await closing.close(session, OPERATOR, "wells", reason="The wells are dug.")
    await firm_matching.give_back(cause.runtime.database)

    books = Books(await exported(cause.runtime, Format.BEANCOUNT), "Aqua")
    receipts = await last_receipts(cause)
    assert {burn for burn, points in books.points.items() if points} == {
        burn for burn, facts in receipts.items() if facts["points"]
    }
    for burn, facts in receipts.items():
        assert facts["points"] == books.points[burn]
        assert Decimal(facts["money_micros"]) / 1_000_000 == books.money[burn]
    raised = await cause.raised()
    assert Decimal(raised.total_micros) / 1_000_000 == sum(books.money.values()) + books.debts
    matched = sum(each["points"] for facts in receipts.values() for each in facts["matchers"])
    assert matched == raised.matched_points
    of_the_firm = sum(
        facts["money_micros"] for facts in receipts.values() if facts["donor"] == "firm"
    )
    by_members = Decimal(raised.matched_micros - of_the_firm) / 1_000_000
    assert by_members == books.debts
    assert (await cause.raised("slow")).total_micros == 0
    assert await cause.findings() == []
