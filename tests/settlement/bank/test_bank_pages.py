"""The person who reconciles, page by page: files, suggestions, breaks, undo, the daily close."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import sqlalchemy as sa

from marketplace.identity.domain import Role
from settlement.bank import lines
from settlement.bank.models import Match
from tests.exchange.browsing import Browser, words_of
from tests.settlement.bank.paper import IBAN, Desk, Teller
from tests.settlement.bank.test_matching import submitted
from tests.settlement.clearing.house import House
from tests.settlement.test_pages import Make


async def upload(who: Browser, path: Path | None, status: int = 303) -> str:
    """Send a file of the bank by the form of the page."""
    body = path.read_bytes() if path else b""  # noqa: ASYNC240
    files = {"file": (path.name if path else "", body)}
    answer = await who.client.post("/settlement/bank/import", files=files, headers=who.who)
    assert answer.status_code == status, (answer.status_code, words_of(answer))
    if status == 303:
        return await who.open(answer.headers["location"])
    return words_of(answer)


async def test_a_file_is_taken_whole_or_refused_in_words(
    client: httpx.AsyncClient, house: House, desk: Desk, teller: Teller, sign_in: Make
) -> None:
    finance = Browser(client, await sign_in(Role.FINANCE))
    assert "No account is known yet" in await finance.open("/settlement/bank")
    said = await finance.send(
        "/settlement/bank/accounts", 422, name="Main", identifier=f"{IBAN[:-1]}9", rail="paper"
    )
    assert "check digits are wrong" in said
    await finance.open("/settlement/bank")
    said = await finance.send(
        "/settlement/bank/accounts", name="Main", identifier=IBAN, rail="paper"
    )
    assert IBAN in said
    assert "Choose a file first." in await upload(finance, None, 422)
    wrong = teller.file(teller.statement(teller.entry("5"), closing=1), name="wrong.txt")
    said = await upload(finance, wrong, 422)
    assert "The statement does not add up" in said
    assert "Nothing of the file was taken." in said
    assert "No statement yet" in said
    teller.balance = 1_000_000_000
    good = teller.file(teller.statement(teller.entry("5", counterparty_name="Nobody")))
    said = await upload(finance, good)
    assert "Statements: 1." in said
    assert "€1,005.00" in said
    assert "This file was imported before: nothing changed." in await upload(finance, good)

    assert "1 break waits" in await finance.open("/settlement")
    assert "Nobody" in await finance.open("/settlement/bank/reconcile")
    await finance.open("/settlement/breaks")
    here = found(r"/settlement/breaks/[0-9a-f-]{36}", finance)
    assert "A charge or interest of the bank" in await finance.open(here)
    assert (await finance.post(f"{here}/resolve", how="fees", note=" ")).status_code == 400
    assert (await finance.post(f"{here}/resolve", how="eat", note="x")).status_code == 400
    await finance.open(here)
    said = await finance.send(f"{here}/resolve", how="write_off", note="too small")
    assert "You have proposed it yourself." in said
    assert (await finance.post(f"{here}/write-off/confirm")).status_code == 403
    other = Browser(client, await sign_in(Role.FINANCE))
    assert "proposes it: too small" in await other.open(here)
    assert "Resolved" in await other.send(f"{here}/write-off/confirm")
    assert "No breaks" in await other.open("/settlement/breaks")
    assert "Resolved" in await other.open("/settlement/breaks?all=yes&kind=unknown_payer")
    assert "€5.00" in await other.open("/settlement/daily?day=2026-01-05")
    assert "all five sides agree" in await other.open("/settlement/daily?day=2026-01-04")
    await other.open("/settlement/daily?day=monday", status=400)


async def test_matches_are_suggested_taken_and_undone(
    client: httpx.AsyncClient, house: House, desk: Desk, teller: Teller, sign_in: Make
) -> None:
    _, legs = await submitted(house)
    await desk.account()
    finance = Browser(client, await sign_in(Role.FINANCE))
    entry = teller.entry(lines.expected(legs[0]), end_to_end_id=legs[0].reference)
    await desk.take(teller.file(teller.statement(entry)))
    said = await finance.open("/settlement/bank/reconcile")
    assert "It carries the reference of the payment" in said
    assert legs[1].reference in said
    async with house.runtime.database.begin() as session:
        match_id = await session.scalar(sa.select(Match.id))
    undo = f"/settlement/bank/matches/{match_id}/undo"
    assert (await finance.post(undo, note="")).status_code == 400
    await finance.open("/settlement/bank/reconcile")
    said = await finance.send(undo, note="another month")
    assert "Nothing is matched yet" in said
    assert "Explain it" in said


def found(pattern: str, browser: Browser) -> str:
    """The first of that form on the page."""
    match = re.search(pattern, browser.html)
    assert match is not None, pattern
    return match[0]
