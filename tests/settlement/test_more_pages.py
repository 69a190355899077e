"""Pages that answer: what is outstanding, where a figure comes from, disputes, accounts, files."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
import sqlalchemy as sa

from marketplace.identity.domain import Role
from marketplace.ledger.domain import WindowStatus
from marketplace.ledger.models import Obligation
from settlement.bank.domain import Action, BreakKind
from settlement.disputes import service as disputes
from settlement.disputes.domain import LineId
from settlement.pages.breaks import actions
from settlement.pages.outlook import Act, Waiting, Window, tasks
from tests.exchange.browsing import Browser
from tests.factories import Coalition
from tests.settlement.clearing.fakes import FakeFileRail
from tests.settlement.test_pages import WINDOW, Make, found, spend

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def test_the_outlook_orders_what_waits() -> None:
    window = Window("w", WindowStatus.CLOSED, NOW, False)
    waiting = Waiting(breaks=2, suggestions=1, disputes=3, accounts=4)
    todo = tasks([], [window], waiting, reader="person:1", now=NOW)
    assert [(each.act, each.count) for each in todo] == [
        (Act.BREAKS, 2),
        (Act.DISPUTES, 3),
        (Act.ACCOUNTS, 4),
        (Act.SUGGESTIONS, 1),
        (Act.NET, 1),
    ]
    assert not tasks([], [], Waiting(), reader="person:1", now=NOW)


@pytest.mark.parametrize(
    ("kind", "able"),
    [
        (BreakKind.RETURNED, (Action.REPAY,)),
        (BreakKind.LATE, (Action.NOTE,)),
        (
            BreakKind.DUPLICATE,
            (Action.PREFUND, Action.FEES, Action.ROUNDING, Action.WRITE_OFF),
        ),
    ],
)
def test_what_can_be_done_about_a_break(kind: BreakKind, able: tuple[Action, ...]) -> None:
    assert actions(kind, has_legs=False, has_other=False) == able


async def test_liability_and_run_off(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    finance = Browser(client, await sign_in(Role.FINANCE))
    assert "No points are outstanding" in await finance.open("/settlement/liability")
    await spend(client, coalition, sign_in)
    finance = Browser(client, await sign_in(Role.FINANCE))
    said = await finance.open("/settlement/liability")
    assert "€8.00" in said
    assert "Points burnt in each window" in said
    said = await finance.open("/settlement/liability/alpha")
    assert "What covers them" in said
    assert "up to 30 days" in said
    await finance.open("/settlement/liability/nobody", status=404)


async def closed(finance: Browser) -> str:
    """Close the window; its address."""
    await finance.open("/settlement")
    window = found(WINDOW, finance)
    await finance.open(f"{window}/close")
    await finance.send(f"{window}/close")
    return window


async def test_traces_and_files(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    await spend(client, coalition, sign_in)
    finance = Browser(client, await sign_in(Role.FINANCE))
    window = await closed(finance)
    for address in (
        f"/v1{window}/statements/alpha.pdf?locale=en",
        f"/v1{window}/statements/alpha.csv?locale=en",
        f"/v1{window}/statements/shop.json?locale=en",
    ):
        assert f'"{address}"' in finance.html
        assert (await client.get(address, headers=finance.who)).status_code == 200
    for form in ("beancount", "hledger", "csv"):
        answer = await client.get(f"{window}/journal/{form}", headers=finance.who)
        assert answer.status_code == 200
        assert "attachment" in answer.headers["content-disposition"]
        assert answer.content
    await finance.open(f"{window}/journal/xls", status=404)
    assert "owes and is owed" in await finance.open(f"{window}/lines?member=shop&kind=capture")
    assert "nothing between" in await finance.open(f"{window}/lines?member=shop&kind=expiry")
    await finance.open(f"{window}/lines")
    said = await finance.open(found(r"/settlement/trace/[0-9a-f-]{36}:\d+", finance))
    for words in ("Lot", "Burn", "€8.00", "alpha", "Its window"):
        assert words in said
    await finance.open("/settlement/trace/debt:5", status=404)
    await finance.open("/settlement/windows")
    await finance.send("/settlement/windows/net", mode="multilateral")
    here = finance.address
    # The amounts of the matrix lead to their lines.
    assert "Trace it" in await finance.open(found(rf"{window}/lines\?debtor=[a-z&=;]+", finance))
    await finance.open(here)
    said = await finance.send(f"{here}/record")
    assert "Statement of" in said
    answer = await client.get(f"{here}/journal/csv", headers=finance.who)
    assert answer.status_code == 200


async def test_finance_decides_a_dispute(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    await spend(client, coalition, sign_in)
    finance = Browser(client, await sign_in(Role.FINANCE))
    assert "No disputes" in await finance.open("/settlement/disputes")
    await closed(finance)
    async with coalition.runtime.database.begin() as session:
        row = (await session.scalars(sa.select(Obligation))).one()
        asked = disputes.NewDispute(row.issuer_id, [LineId(row.wallet_id, row.id)], "Not ours")
        made = await disputes.open_dispute(session, asked, actor="person:x")
    assert "1 dispute is to be decided" in await finance.open("/settlement")
    assert "Not ours" in await finance.open("/settlement/disputes")
    here = f"/settlement/disputes/{made.id}"
    assert "Without a decision by" in await finance.open(here)
    assert (await finance.post(f"{here}/decide", outcome="upheld")).status_code == 400
    assert (await finance.post(f"{here}/decide", outcome="x", note="y")).status_code == 400
    await finance.open(here)
    said = await finance.send(f"{here}/decide", outcome="upheld", note="True")
    assert "Adjustments are in the window that is open" in said
    assert "Undoes the line" in said


async def test_an_account_is_proposed_and_approved_by_a_second_person(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    vars(coalition.runtime)["rails"] = {}
    one = Browser(client, await sign_in(Role.FINANCE))
    assert "No rail moves money" in await one.open("/settlement/accounts")
    vars(coalition.runtime)["rails"] = {"paper": FakeFileRail()}
    await one.open("/settlement/accounts")
    await one.open("/settlement/accounts/new?rail=paper")
    assert (await one.post("/settlement/accounts/new", rail="none")).status_code == 409
    said = await one.send("/settlement/accounts/new", 422, member="alpha", currency="EUR")
    assert "It is needed." in said
    given = {"member": "alpha", "currency": "EUR", "set:number": "PL-7"}
    said = await one.send("/settlement/accounts/new", **given)
    assert "somebody else approves it" in said
    two = Browser(client, await sign_in(Role.FINANCE))
    assert "1 account of a member is to be approved" in await two.open("/settlement")
    await two.open("/settlement/accounts")
    approve = found(r"/settlement/accounts/[0-9a-f-]{36}/approve", two)
    assert (await one.post(approve)).status_code == 403
    assert "In use" in await two.send(approve)


async def test_these_pages_are_for_finance(client: httpx.AsyncClient, sign_in: Make) -> None:
    partner = Browser(client, await sign_in(Role.PARTNER))
    statement = "bank/statements/01a215c5-7806-77b2-8e71-2829db0201d9"
    finance = Browser(client, await sign_in(Role.FINANCE))
    await finance.open(f"/settlement/{statement}", status=404)
    for name in (
        "bank",
        statement,
        "bank/reconcile",
        "breaks",
        "daily",
        "liability",
        "disputes",
        "accounts",
    ):
        await partner.open(f"/settlement/{name}", status=403)
