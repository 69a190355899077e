"""Asking for statements: over HTTP, on the command line, on paper; each its own and no other's."""

from __future__ import annotations

import asyncio
import io
import json
import os
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from marketplace.cli import main
from marketplace.db import Database
from marketplace.identity.domain import Role, Scope
from settlement.statements import paper
from settlement.statements.delivery import languages
from settlement.statements.verify.checker import verify
from tests.conftest import SECRET_KEY, Headers
from tests.factories import Coalition
from tests.settlement.closing import close_window, settle
from tests.settlement.statements.conftest import draw

Make = Callable[..., Awaitable[Headers]]


def at(window: UUID, file: str) -> str:
    return f"/v1/settlement/windows/{window}/statements/{file}"


async def test_finance_reads_every_statement_and_members_their_own(
    client: httpx.AsyncClient, month: UUID, sign_in: Make, api_key: Make
) -> None:
    finance = await sign_in(Role.FINANCE)
    answer = await client.get(at(month, "shop.json"), headers=finance)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert f'filename="statement-shop-{month}.json"' in answer.headers["content-disposition"]
    assert verify("x", io.BytesIO(answer.content)).faults == []
    own = await api_key("shop", Scope.SETTLEMENT_READ)
    for who in (own, await sign_in(Role.PARTNER)):
        again = await client.get(at(month, "shop.json"), headers=who)
        assert again.content == answer.content
        for other in ("alpha", "nobody"):
            refused = await client.get(at(month, f"{other}.json"), headers=who)
            assert refused.status_code == 404
            assert refused.json()["detail"] == (
                "There is no such statement, or it is not yours to see."
            )
    table = await client.get(at(month, "shop.csv"), headers=own)
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.content.startswith(b"\xef\xbb\xbfline,")
    refused = await client.get(
        at(month, "shop.json"), headers=await api_key("shop", Scope.BURNS_READ)
    )
    assert refused.status_code == 403
    assert (await client.get(at(month, "shop.xml"), headers=own)).status_code == 404
    assert (await client.get(at(month, "shop"), headers=own)).status_code == 404


async def test_an_open_window_is_refused_with_the_reason(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make
) -> None:
    async with coalition.runtime.database.begin() as session:
        window_id = await session.scalar(sa.text("select id from settlement_window"))
    answer = await client.get(at(window_id, "shop.pdf"), headers=await sign_in(Role.FINANCE))
    assert (answer.status_code, answer.json()["code"]) == (409, "statement_not_final")


async def test_statements_are_listed_with_their_chain_and_key(
    client: httpx.AsyncClient, month: UUID, owner: Database, api_key: Make, sign_in: Make
) -> None:
    own = await api_key("shop", Scope.SETTLEMENT_READ)
    assert (await client.get("/v1/settlement/statements", headers=own)).json() == {"statements": []}
    for window in (month, await close_window(owner)):
        await client.get(at(window, "shop.csv"), headers=own)
    listed = (await client.get("/v1/settlement/statements", headers=own)).json()["statements"]
    assert [each["number"] for each in listed] == [2, 1]
    assert listed[0]["prior_sha256"] == listed[1]["sha256"]
    key = (await client.get("/v1/settlement/statement-key", headers=own)).json()
    assert key == {"algorithm": "Ed25519", "public_key": listed[0]["public_key"]}
    finance = await sign_in(Role.FINANCE)
    asked = "/v1/settlement/statements?member="
    assert (await client.get(f"{asked}shop", headers=finance)).json()["statements"] == listed
    assert (await client.get(f"{asked}alpha", headers=own)).status_code == 404


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("en", "By counterparty"),
        ("ru", "По контрагентам"),
        ("pl", "Według kontrahentów"),
        ("it", "Per controparte"),
    ],
)
async def test_paper_speaks_the_readers_language(
    code: str, words: str, coalition: Coalition, month: UUID, owner: Database
) -> None:
    drawn, _, _ = await draw(coalition, "shop", window=month)
    (sums,) = drawn.reckoning.sums()
    await settle(owner, [month], {coalition.members["shop"]: sums.net_micros})
    async with coalition.runtime.database.begin() as session:
        paid = await paper.payments(session, drawn)
    language = languages()[code]
    told = paper.tell(drawn, paid, language)
    assert words in [each["title"] for each in told["sections"]]  # type: ignore[attr-defined]
    pdf = await paper.typeset(drawn, paid, language)
    assert pdf.startswith(b"%PDF")
    assert await paper.typeset(drawn, paid, language) == pdf


async def test_paper_tells_sums_fees_rounding_and_how_it_was_paid(
    coalition: Coalition, month: UUID, owner: Database
) -> None:
    drawn, _, _ = await draw(coalition, "shop", window=month)
    (sums,) = drawn.reckoning.sums()
    reference = await settle(owner, [month], {coalition.members["shop"]: sums.net_micros})
    async with coalition.runtime.database.begin() as session:
        paid = await paper.payments(session, drawn)
    told = paper.tell(drawn, paid, languages()["en"])
    sections = {each["title"]: each for each in told["sections"]}  # type: ignore[attr-defined]
    # 13,069,000 paid and 3,000,008 owed: 333 of 10,000 of what rewards brought, cut off.
    assert sections["Fees of the operator"]["rows"] == [
        ["shop, C-shop:1, as acceptor", "3.33%", "€13.069", "€0.435197"]
    ]
    assert sections["What it comes to"]["totals"] == [["You are paid (EUR)", "€9.633795"]]
    payment = sections["Payment"]
    assert payment["note"] == f"Settled by {reference}, of 1 window."
    assert payment["rows"] == [
        [f"{reference}-0", "paid, 2 Dec 2026, sepa, BANK-0", "01/12/2026", "€9.63", "€0.003795"]
    ]
    rows = sections["By counterparty"]["rows"]
    assert ["tickets: Owed outside rewards", "3", "0", "€12.500007", "€12.50"] in rows
    assert told["seal"][0].endswith(drawn.sealed.sha256)  # type: ignore[index]


async def test_a_name_is_shown_never_read_as_markup(
    coalition: Coalition, month: UUID, owner: Database
) -> None:
    async with owner.begin() as session:
        await session.execute(
            sa.text("update member set name = '#panic()[*x*] $1$' where slug = 'shop'")
        )
    drawn, _, _ = await draw(coalition, "shop", window=month)
    assert await paper.typeset(drawn, paper.Payments(), languages()["en"])


def run_settlement(database_url: str, *arguments: str) -> tuple[int, str]:
    environment = {
        "MARKETPLACE_DATABASE_URL": database_url,
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
    }
    done = CliRunner(env=environment).invoke(main, arguments)
    return done.exit_code, done.output


async def test_the_command_writes_all_members_and_the_verifier_takes_the_folder(
    month: UUID, database_url: str, tmp_path: Path
) -> None:
    window, folder = ["--window", str(month)], tmp_path / "all"
    statement = ["settlement", "statement"]
    code, said = await asyncio.to_thread(
        run_settlement,
        database_url,
        *[*statement, "--all", *window, "--to-folder", str(folder), "--language", "pl"],
    )
    assert code == 0, said
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 6 * 3
    assert f"statement-operator-{month}.json" in names
    key = tmp_path / "key"
    key.write_text((await asyncio.to_thread(run_settlement, database_url, "statement", "key"))[1])
    files = [str(path) for path in folder.glob("*.json")]
    code, said = await asyncio.to_thread(
        run_settlement, database_url, "statement", "verify", *files, "--key", str(key)
    )
    assert (code, said.count("right  ")) == (0, 6), said
    one = tmp_path / "one.csv"
    code, said = await asyncio.to_thread(
        run_settlement,
        database_url,
        *[*statement, "shop", *window, "--format", "csv", "--to", str(one)],
    )
    assert code == 0, said
    assert one.read_bytes() == (folder / f"statement-shop-{month}.csv").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shop", "--to", "x", "--format", "csv"], "Name a window"),
        (["--all", "shop", "--settlement", "S-1", "--to-folder", "x"], "Name a member, or say"),
        (["--all", "--settlement", "S-1", "--to", "x"], "One file holds one"),
        (["shop", "--settlement", "S-1"], "Say where to"),
        (["shop", "--settlement", "S-1", "--to-folder", "x"], "There is no settlement"),
    ],
)
async def test_a_command_that_makes_no_sense_says_so_and_leaves_nothing(
    arguments: list[str], said: str, coalition: Coalition, database_url: str, tmp_path: Path
) -> None:
    given = [str(tmp_path / "x") if each == "x" else each for each in arguments]
    code, told = await asyncio.to_thread(
        run_settlement, database_url, "settlement", "statement", *given
    )
    assert code == 2
    assert said in told
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
async def test_many_lines_take_little_memory(
    coalition: Coalition, owner: Database, tmp_path: Path
) -> None:
    await coalition.issue("ann", 1_000_000)
    async with owner.begin() as session:
        window_id = await session.scalar(sa.text("select id from settlement_window"))
        await session.execute(
            sa.text(
                """
                insert into obligation (wallet_id, id, window_id, kind, funding, issuer_id,
                    acceptor_id, contract_id, acceptor_contract_id, burn_id, lot_id, points,
                    currency, funded_micros, cost_micros, effective_at)
                select l.wallet_id, n, :window, 'capture', 'redemption', l.issuer_id, :shop,
                    l.contract_id, :terms, gen_random_uuid(), l.id, 3, 'EUR', 24000, 21000, now()
                from lot l, generate_series(1, 100000) n
                """
            ),
            {
                "window": window_id,
                "shop": coalition.members["shop"],
                "terms": coalition.contracts["shop"],
            },
        )
    await close_window(owner)
    await draw(coalition, "beta", window=window_id)
    tracemalloc.start()
    try:
        path = tmp_path / "statement.json"
        await _write(coalition, window_id, path)
        with path.open("rb") as file:
            found = verify("x", file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (found.faults, found.lines) == ([], 100_000)
    assert path.stat().st_size > 50_000_000
    assert peak < 30_000_000


async def _write(coalition: Coalition, window_id: UUID, path: Path) -> None:
    from settlement.statements import service

    with path.open("wb") as signed, path.with_suffix(".csv").open("wb") as table:
        async with coalition.runtime.database.begin() as session:
            await service.draw_up(
                session,
                coalition.runtime.settings,
                await service.of_window(session, window_id),
                await service.reader_of(session, "shop"),
                actor="test",
                signed=signed,
                table=table,
            )


async def test_the_signed_form_is_one_json_document(coalition: Coalition, month: UUID) -> None:
    _, signed, _ = await draw(coalition, "alpha", window=month)
    records = json.loads(signed)
    assert [records[0]["record"], records[-1]["record"]] == ["statement", "signature"]
