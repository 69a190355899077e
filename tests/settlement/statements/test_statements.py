"""What a member is told of a window: lines as it may see them, sums that agree with netting."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from decimal import Decimal
from uuid import UUID

import pytest
import sqlalchemy as sa

from marketplace.coalition.domain import ContractRole, Funding
from marketplace.coalition.models import Contract
from marketplace.db import Database
from marketplace.errors import NotFound
from marketplace.ledger.totals import totals
from settlement.clearing import netting
from settlement.statements import service
from settlement.statements.domain import LineKind, Side, bases
from settlement.statements.errors import StatementChanged, StatementNotFinal
from settlement.statements.reckoning import fee_of
from settlement.statements.verify.checker import verify
from tests.factories import Coalition
from tests.ledger.driver import Driver
from tests.settlement.closing import close_window, settle
from tests.settlement.statements.conftest import draw

EVERYBODY = ("operator", "alpha", "beta", "gamma", "shop", "tickets")


def read(signed: bytes) -> list[dict[str, object]]:
    return json.loads(signed)  # type: ignore[no-any-return]


@pytest.mark.parametrize("member", EVERYBODY)
async def test_a_statement_is_found_right_by_the_verifier(
    member: str, coalition: Coalition, month: UUID
) -> None:
    drawn, signed, _ = await draw(coalition, member, window=month)
    found = verify(member, io.BytesIO(signed), [drawn.sealed.public_key])
    assert found.faults == []
    assert found.lines == drawn.reckoning.lines > 0
    assert found.nets == {each.currency: each.net_micros for each in drawn.reckoning.sums()}
    assert found.digest == drawn.sealed.sha256


async def test_what_statements_come_to_is_what_netting_says(
    coalition: Coalition, month: UUID
) -> None:
    async with coalition.runtime.database.begin() as session:
        found = await totals(session, [month])
        rates = await session.execute(sa.select(Contract.id, Contract.fee_bps))
        fee_bps = {row.id: row.fee_bps for row in rates}
    operator = coalition.members["operator"]
    flows = netting.flows(found, fee_bps, operator)
    positions = {each.party: each for each in netting.positions(flows, found, operator)}
    for member in EVERYBODY:
        drawn, _, _ = await draw(coalition, member, window=month)
        (sums,) = drawn.reckoning.sums()
        own = positions[netting.member(coalition.members[member])]
        # The operator's fee to itself is none, by netting; by its statement it pays and earns it.
        fee = 0 if member == "operator" else sums.fee_micros
        assert own.fee_micros == fee
        assert own.net_micros == sums.net_micros + sums.fee_micros - fee
        pool = positions.get(netting.pool(coalition.members[member]))
        assert sums.pool_micros == (pool.net_micros if pool else 0)
        if member == "operator":
            margin = positions[netting.margin(operator)].net_micros
            assert sums.margin_micros - sums.fee_micros == margin > 0


async def test_a_fee_is_cut_off_at_the_micro_once_per_side(
    coalition: Coalition, month: UUID
) -> None:
    drawn, _, table = await draw(coalition, "alpha", window=month)
    (fee,) = drawn.reckoning.fees()
    # Captures less refunds of ann's 900 points of alpha's, at EUR 0.008.
    assert (fee.contract, fee.side, fee.fee_bps) == ("C-alpha:1", Side.ISSUER, 125)
    assert fee.fee_micros == fee.base_micros * 125 // 10_000
    exact = sum(Decimal(row["fee"]) for row in rows_of(table))
    assert int(exact * 1_000_000) == fee.fee_micros


@pytest.mark.parametrize(("base", "fee"), [(79, 0), (80, 1), (-80, -1), (-79, 0), (0, 0)])
def test_a_refund_gives_back_the_fee_it_was_charged(base: int, fee: int) -> None:
    assert fee_of(base, 125) == fee


async def test_nobody_is_told_what_others_are_paid(coalition: Coalition, month: UUID) -> None:
    for line in read((await draw(coalition, "shop", window=month))[1]):
        if line["record"] == "line" and line["side"] == "acceptor":
            assert "funded_micros" not in line
            assert "contract" not in line
            assert "issuance" not in line
    issued = [
        line
        for line in read((await draw(coalition, "alpha", window=month))[1])
        if line["record"] == "line" and line["side"] == "issuer"
    ]
    assert issued
    assert not any("cost_micros" in line for line in issued)
    contracts = [
        each["member"]
        for each in read((await draw(coalition, "shop", window=month))[1])
        if each["record"] == "contract"
    ]
    assert contracts == ["shop"]


async def test_the_same_again_is_the_same_to_the_byte(coalition: Coalition, month: UUID) -> None:
    first = (await draw(coalition, "shop", window=month))[1:]
    await draw(coalition, "alpha", window=month)
    assert (await draw(coalition, "shop", window=month))[1:] == first


async def test_a_name_that_changes_later_changes_no_statement(
    coalition: Coalition, month: UUID, owner: Database
) -> None:
    first = (await draw(coalition, "shop", window=month))[1]
    async with owner.begin() as session:
        await session.execute(sa.text("update member set name = 'Another' where slug = 'shop'"))
        await session.execute(sa.text("update contract set fee_bps = 1 where reference = 'C-shop'"))
    assert (await draw(coalition, "shop", window=month))[1] == first


async def test_rows_changed_behind_the_programs_back_are_noticed(
    coalition: Coalition, month: UUID, owner: Database
) -> None:
    await draw(coalition, "shop", window=month)
    async with owner.begin() as session:
        await session.execute(sa.text("alter table obligation disable trigger insert_only"))
        await session.execute(
            sa.text("update obligation set cost_micros = cost_micros + 1 where cost_micros > 0")
        )
        await session.execute(sa.text("alter table obligation enable trigger insert_only"))
    with pytest.raises(StatementChanged):
        await draw(coalition, "shop", window=month)


async def test_an_open_window_has_no_statements(coalition: Coalition) -> None:
    async with coalition.runtime.database.begin() as session:
        window_id = await session.scalar(sa.text("select id from settlement_window"))
        with pytest.raises(StatementNotFinal):
            await service.of_window(session, window_id)
        with pytest.raises(NotFound):
            await service.of_window(session, coalition.members["alpha"])
        with pytest.raises(NotFound):
            await service.of_settlement(session, "S-2026-0001")


async def test_lines_are_what_pages_drill_through(coalition: Coalition, month: UUID) -> None:
    async with coalition.runtime.database.begin() as session:
        found = [line async for line in service.lines(session, [month], coalition.members["shop"])]
    kinds: dict[LineKind, int] = defaultdict(int)
    for line in found:
        kinds[line.kind] += line.member_micros
    assert kinds[LineKind.DEBT] == -3_000_001 - 7
    assert kinds[LineKind.CAPTURE] > 0 > kinds[LineKind.REFUND]
    async with coalition.runtime.database.begin() as session:
        frozen = frozenset({found[0].line})
        again = service.lines(session, [month], coalition.members["shop"], left_out=frozen)
        assert [line.line async for line in again if line.frozen] == [found[0].line]


def rows_of(table: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline="")))


async def test_the_table_holds_every_line_in_exact_decimals(
    coalition: Coalition, month: UUID
) -> None:
    drawn, _, table = await draw(coalition, "shop", window=month)
    assert table.startswith(b"\xef\xbb\xbfline,kind,window,")
    assert b"\r\n" in table
    rows = rows_of(table)
    assert len(rows) == drawn.reckoning.lines
    (sums,) = drawn.reckoning.sums()
    owed = sum(Decimal(row["owed"]) for row in rows)
    owes = sum(Decimal(row["owes"]) for row in rows)
    assert owed * 1_000_000 == sums.owed_micros
    assert owes * 1_000_000 == sums.owes_micros
    debt = next(row for row in rows if row["reference"] == "T3")
    assert (debt["undoes"], debt["owed"], debt["plugin"]) == ("T1", "12.50", "till")


async def test_no_cell_is_a_formula(coalition: Coalition, owner: Database, month: UUID) -> None:
    async with owner.begin() as session:
        await session.execute(sa.text("alter table member_debt disable trigger insert_only"))
        await session.execute(sa.text("""update member_debt set reason = '=HYPERLINK("x")'"""))
        await session.execute(sa.text("alter table member_debt enable trigger insert_only"))
    _, _, table = await draw(coalition, "shop", window=month)
    reasons = {row["reason"] for row in rows_of(table) if row["kind"] == "debt"}
    assert reasons == {'\'=HYPERLINK("x")'}


async def test_a_settlement_tells_its_legs_and_leaves_frozen_lines_out(
    coalition: Coalition,
    month: UUID,
    owner: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn, _, _ = await draw(coalition, "shop", window=month)
    async with coalition.runtime.database.begin() as session:
        lines = [line async for line in service.lines(session, [month], coalition.members["shop"])]
    disputed = next(line for line in lines if line.kind is LineKind.CAPTURE)
    rest = [line for line in lines if line != disputed]
    base = sum(amount for line in rest for _, _, amount in bases(line))
    due = sum(line.member_micros for line in rest) - fee_of(base, 333)

    async def left_out(*_: object) -> frozenset[str]:
        return frozenset({disputed.line})

    monkeypatch.setattr("settlement.statements.frozen.left_out", left_out)
    reference = await settle(owner, [month], {coalition.members["shop"]: due})
    told, signed, table = await draw(coalition, "shop", settlement=reference)
    found = verify("x", io.BytesIO(signed))
    assert found.faults == []
    assert found.nets == {"EUR": due}
    assert due != drawn.reckoning.sums()[0].net_micros
    assert [row["line"] for row in rows_of(table) if row["frozen"]] == [disputed.line]
    (leg,) = [each for each in read(signed) if each["record"] == "leg"]
    assert leg["net_micros"] == due
    assert told.issue.number == 2


async def test_points_of_a_mixed_contract_are_on_two_lines_and_counted_once(
    coalition: Coalition, owner: Database
) -> None:
    await coalition.add_member(
        "delta", role=ContractRole.BOTH, funding=Funding.MIXED, pooled_bps=3_333, fee_bps=77
    )
    await coalition.issue("ann", 1_500, issuer="delta")
    async with Driver.start(coalition) as drive:
        burn = await drive.burn("ann", "card")
        await drive.capture("ann", burn)
        await drive.refund("ann", burn, 333)
    window = await close_window(owner)
    for member in ("delta", "shop", "operator"):
        signed = (await draw(coalition, member, window=window))[1]
        assert verify(member, io.BytesIO(signed)).faults == []
        kinds: dict[str, int] = defaultdict(int)
        for line in read(signed):
            if line["record"] == "line" and not line["shared"]:
                kinds[str(line["kind"])] += int(str(line["points"]))
        issued = {} if member == "shop" else {"issuance": 1_500}
        assert kinds == {**issued, "capture": 1_000, "refund": -333}
    records = json.loads((await draw(coalition, "delta", window=window))[1])
    contract = next(each for each in records if each["record"] == "contract")
    assert (contract["funding"], contract["pooled_bps"]) == ("mixed", 3_333)
    (sums,) = [each for each in records if each["record"] == "sum"]
    # 2,666 of 8,000 micros a point were paid at issuance, the rest of 667 points now.
    assert sums["owes_micros"] - sums["owed_micros"] == 1_500 * 2_666 + 667 * 5_334
    assert sums["pool_micros"] == (1_500 - 667) * 2_666


async def test_a_settlement_takes_in_lines_that_an_earlier_one_left_out(
    coalition: Coalition, month: UUID, owner: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = coalition.members["shop"]
    async with coalition.runtime.database.begin() as session:
        lines = [line async for line in service.lines(session, [month], shop)]
    await coalition.issue("ann", 1_000)
    async with Driver.start(coalition) as drive:
        await drive.capture("ann", await drive.burn("ann", "card"))
    later = await close_window(owner)
    taken = [
        next(line for line in lines if line.kind is kind)
        for kind in (LineKind.DEBT, LineKind.CAPTURE)
    ]

    async def taken_in(*_: object) -> frozenset[str]:
        return frozenset(line.line for line in taken)

    monkeypatch.setattr("settlement.statements.frozen.taken_in", taken_in)
    capture = taken[1].member_micros
    # Fees are by window: that of the line which comes late is reckoned by itself.
    due = taken[0].member_micros + capture - fee_of(capture, 333) + 7_000_000
    due -= fee_of(7_000_000, 333)
    reference = await settle(owner, [later], {shop: due})
    drawn, signed, _ = await draw(coalition, "shop", settlement=reference)
    found = verify("x", io.BytesIO(signed))
    assert found.faults == []
    assert found.nets == {"EUR": due}
    assert {line.line for line in taken} < {
        str(each["line"]) for each in read(signed) if each["record"] == "line"
    }
    assert [each.window for each in drawn.head.windows] == [month, later]
    assert (await draw(coalition, "shop", settlement=reference))[1] == signed
