"""Why this figure: from a line back to who issued the points, and on to the bank."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from uuid import UUID

import httpx
import pytest

from marketplace.db import Database
from marketplace.errors import NotFound
from marketplace.identity.domain import Role, Scope
from settlement.statements import service
from settlement.statements.domain import LineKind
from settlement.statements.tracing import trace
from tests.conftest import Headers
from tests.factories import Coalition
from tests.settlement.closing import settle
from tests.settlement.statements.test_asking import run_settlement

Make = Callable[..., Awaitable[Headers]]


async def lines_of(coalition: Coalition, member: str, window: UUID) -> list[service.Line]:
    async with coalition.runtime.database.begin() as session:
        found = service.lines(session, [window], coalition.members[member])
        return [line async for line in found]


async def test_a_line_leads_to_its_burn_lot_and_issuance_and_to_the_bank(
    coalition: Coalition, month: UUID, owner: Database
) -> None:
    line = next(
        each for each in await lines_of(coalition, "alpha", month) if each.kind is LineKind.CAPTURE
    )
    members = coalition.members
    reference = await settle(owner, [month], {members["alpha"]: -800_000, members["shop"]: 700_000})
    async with coalition.runtime.database.begin() as session:
        (found,) = (await trace(session, line.line)).lines
        whole = await trace(session, str(line.burn))
    assert found in whole.lines
    # Drawn from two lots, and refunded twice.
    assert {each.kind for each in whole.lines} == {LineKind.CAPTURE, LineKind.REFUND}
    assert found.burn is not None
    assert found.lot is not None
    assert (found.burn.id, found.burn.offer) == (line.burn, "card")
    assert found.burn.supplier_reference == f"order-{line.burn}"
    assert (found.lot.issuer, found.lot.issuance, found.lot.contract) == (
        "alpha",
        "A1",
        "C-alpha:1",
    )
    assert (found.funded_micros, found.cost_micros) == (line.funded_micros, 700_000)
    assert found.acceptor_contract == "C-shop:1"
    settlement = found.settlement
    assert settlement is not None
    assert settlement.reference == reference
    assert [(leg.member, leg.status, len(leg.bank_entries)) for leg in settlement.legs] == [
        ("alpha", "booked", 1),
        ("shop", "booked", 1),
    ]


async def test_a_member_traces_its_own_side_only(
    client: httpx.AsyncClient,
    coalition: Coalition,
    month: UUID,
    owner: Database,
    api_key: Make,
    sign_in: Make,
) -> None:
    members = coalition.members
    await settle(owner, [month], {members["alpha"]: -800_000, members["shop"]: 700_000})
    line = next(
        each for each in await lines_of(coalition, "alpha", month) if each.kind is LineKind.CAPTURE
    )
    path = f"/v1/settlement/trace/{line.line}"
    shop = await api_key("shop", Scope.SETTLEMENT_READ)
    (told,) = (await client.get(path, headers=shop)).json()["lines"]
    assert (told["cost_micros"], told["funded_micros"], told["lot"]) == (700_000, None, None)
    assert told["contract"] is None
    assert [leg["member"] for leg in told["settlement"]["legs"]] == ["shop"]
    tickets = await api_key("tickets", Scope.SETTLEMENT_READ)
    assert (await client.get(path, headers=tickets)).status_code == 404
    finance = await sign_in(Role.FINANCE)
    (told,) = (await client.get(path, headers=finance)).json()["lines"]
    assert told["funded_micros"] == line.funded_micros


async def test_a_debt_is_traced_too(coalition: Coalition, month: UUID, database_url: str) -> None:
    debt = next(each for each in await lines_of(coalition, "shop", month) if each.reference == "T3")
    async with coalition.runtime.database.begin() as session:
        (found,) = (await trace(session, debt.line)).lines
    assert (found.kind, found.amount_micros, found.undoes) == (LineKind.DEBT, -12_500_000, "T1")
    assert (found.window_status, found.settlement) == ("closed", None)
    code, said = await asyncio.to_thread(
        run_settlement, database_url, "settlement", "trace", debt.line
    )
    assert code == 0, said
    assert "in no settlement yet" in said
    code, said = await asyncio.to_thread(
        run_settlement, database_url, "settlement", "trace", debt.line, "--json"
    )
    assert json.loads(said)["lines"][0]["line"] == debt.line


@pytest.mark.parametrize(
    "line", ["", "x", "debt:x", "debt:1", "1:1", "debt:99999999999999999999", f"{UUID(int=1)}:1"]
)
async def test_what_is_not_there_is_not_found(line: str, coalition: Coalition) -> None:
    async with coalition.runtime.database.begin() as session:
        with pytest.raises(NotFound):
            await trace(session, line)
