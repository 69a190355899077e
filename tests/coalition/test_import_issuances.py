"""A member's points come in a file: every line, or none."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace import api
from marketplace.coalition.domain import ContractRole, Funding
from marketplace.coalition.imports import import_file
from marketplace.coalition.imports.issuances import by_column, plain_columns
from marketplace.coalition.imports.reading import Reader
from marketplace.coalition.imports.report import Faults
from marketplace.coalition.imports.rows import IssuanceRow
from marketplace.ledger.domain import Issuance
from marketplace.ledger.issuing import issue
from marketplace.ledger.models import Lot, Obligation, Transfer, Wallet
from tests.coalition.files import csv_file, faults, load
from tests.factories import Coalition

GOOD = (
    "A1,alpha,P-ann,500,2024-05-01T12:00:00Z,",
    "B1,beta,P-ann,70,2024-05-02,2030-01-01",
    "A2,alpha,P-bob,1,,",
)


async def fetch(coalition: Coalition, statement: Any) -> list[Any]:
    """All rows of a query."""
    async with coalition.runtime.database.begin() as session:
        return [tuple(row) for row in await session.execute(statement)]


async def balances(coalition: Coalition) -> dict[str, tuple[int, int]]:
    """(available, version) by participant."""
    rows = await fetch(coalition, sa.select(Wallet.id, Wallet.available, Wallet.version))
    by_id = {wallet_id: (available, version) for wallet_id, available, version in rows}
    return {name: by_id[wallet_id] for name, wallet_id in coalition.wallets.items()}


async def test_a_file_of_several_issuers(coalition: Coalition) -> None:
    report = await load(coalition.runtime, "issuances", *GOOD)
    assert report.lines() == ["issuances: 3 new, 0 unchanged"]
    assert await balances(coalition) == {"ann": (570, 1), "bob": (1, 1)}
    lots = await fetch(
        coalition,
        sa.select(Lot.reference, Lot.issuer_id, Lot.effective_at, sa.cast(Lot.expires_at, sa.Text))
        .where(Lot.effective_at < datetime(2025, 1, 1, tzinfo=UTC))
        .order_by(Lot.effective_at),
    )
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert lots == [
        ("A1", coalition.members["alpha"], noon, "infinity"),
        (
            "B1",
            coalition.members["beta"],
            datetime(2024, 5, 2, tzinfo=UTC),
            "2030-01-01 00:00:00+00",
        ),
    ]
    assert len(await fetch(coalition, sa.select(Transfer.id))) == 3


async def test_the_same_file_again_changes_nothing(coalition: Coalition) -> None:
    await load(coalition.runtime, "issuances", *GOOD)
    again = await load(coalition.runtime, "issuances", *GOOD, "A3,alpha,P-bob,9,,")
    assert again.lines() == ["issuances: 1 new, 3 unchanged"]
    assert await balances(coalition) == {"ann": (570, 1), "bob": (10, 2)}


async def test_a_dry_run_writes_nothing(coalition: Coalition) -> None:
    report = await load(coalition.runtime, "issuances", *GOOD, dry_run=True)
    assert report.lines() == ["issuances: 3 new, 0 unchanged (dry run: nothing was written)"]
    assert await balances(coalition) == {"ann": (0, 0), "bob": (0, 0)}


async def test_every_bad_line_is_named(coalition: Coalition) -> None:
    await load(coalition.runtime, "issuances", *GOOD)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    report = await load(
        coalition.runtime,
        "issuances",
        "A1,alpha,P-bob,500,2024-05-01T12:00:00Z,",
        "N1,alpha,P-ann,0,,",
        "N2,nobody,P-ann,1,,",
        "N3,alpha,P-nobody,1,,",
        "N4,shop,P-ann,1,,",
        f"N5,alpha,P-ann,1,{tomorrow},",
        "N6,alpha,P-ann,1,2024-01-02,2024-01-02",
        "N7,alpha,P-ann,1,2019-12-31,",
        "N8,alpha,P-ann,1,,",
        "N8,alpha,P-ann,1,,",
        "N9,alpha,P-ann,1.5,01.02.2024,",
    )
    assert faults(report) == [
        (2, "reference 'A1' was used before with other content"),
        (3, "points '0' is not a whole number from 1 to 1,000,000,000,000"),
        (4, "there is no member 'nobody'"),
        (5, "there is no participant 'P-nobody'"),
        (6, "no contract in force at that time lets this member issue"),
        (7, "effective_at is in the future"),
        (8, "expires_at is not after effective_at"),
        (9, "no contract in force at that time lets this member issue"),
        (11, "reference 'N8' is on an earlier line already"),
        (12, "effective_at '01.02.2024' is not a date or time such as 2026-01-31 or "
             "2026-01-31T12:00:00Z, from 1970 to 9000"),
        (12, "points '1.5' is not a whole number from 1 to 1,000,000,000,000"),
    ]  # fmt: skip
    assert await balances(coalition) == {"ann": (570, 1), "bob": (1, 1)}


async def test_points_paid_at_issuance_are_owed_at_once(coalition: Coalition) -> None:
    await coalition.add_member("gamma", role=ContractRole.ISSUER, funding=Funding.ISSUANCE)
    await load(coalition.runtime, "issuances", "G1,gamma,P-ann,10,,", "G2,gamma,P-ann,5,,", *GOOD)
    owed = await fetch(
        coalition, sa.select(Obligation.points, Obligation.funded_micros).order_by(sa.text("1"))
    )
    assert owed == [(5, 40_000), (10, 80_000)]


async def test_ties_are_drawn_in_file_order_across_chunks(coalition: Coalition) -> None:
    names = [f"R{number * 7919 % 12_000}" for number in range(12_000)]
    lines = [f"{name},alpha,P-ann,1,2024-05-01," for name in names]
    assert (await load(coalition.runtime, "issuances", *lines)).new == 12_000
    order = sa.select(Lot.reference).order_by(Lot.expires_at, Lot.effective_at, Lot.id)
    assert [reference for (reference,) in await fetch(coalition, order)] == names


async def test_two_imports_of_a_file_at_once_and_a_request_besides(coalition: Coalition) -> None:
    async def request() -> int:
        item = Issuance(reference="A2", wallet_id=coalition.wallets["bob"], points=1)
        async with coalition.runtime.database.begin() as session:
            return (await issue(session, coalition.members["alpha"], [item])).issued

    first, second, issued = await asyncio.gather(
        load(coalition.runtime, "issuances", *GOOD),
        load(coalition.runtime, "issuances", *GOOD),
        request(),
    )
    assert first.ok
    assert second.ok
    assert first.new + second.new + issued == 3
    assert await balances(coalition) == {"ann": (570, 1), "bob": (1, 1)}


async def test_several_files_in_one_transaction(coalition: Coalition) -> None:
    async with coalition.runtime.database.begin() as session:
        assert not (await load(session, "issuances", "X,alpha,P-nobody,1,,")).ok
        assert (await load(session, "issuances", *GOOD)).new == 3
        assert (await load(session, "issuances", *GOOD)).unchanged == 3
    assert await balances(coalition) == {"ann": (570, 1), "bob": (1, 1)}


async def test_observers_are_told_once_per_issuer(coalition: Coalition, tmp_path: Path) -> None:
    told: list[api.IssueFact] = []

    class Listener:
        @api.hookimpl
        def marketplace_after_points_issued(self, fact: api.IssueFact) -> None:
            told.append(fact)

    coalition.runtime.plugins.manager.register(Listener(), name="listener")
    path = tmp_path / "points.csv"
    path.write_bytes(csv_file("issuances", *GOOD).getvalue())
    for dry_run in (True, False, False):
        await import_file(coalition.runtime, "issuances", path, dry_run=dry_run)
    facts = {(fact.issuer_id, fact.issuances, fact.points) for fact in told}
    assert facts == {(coalition.members["alpha"], 2, 501), (coalition.members["beta"], 1, 70)}
    assert len(told) == 2


CELLS = st.lists(
    st.tuples(
        st.sampled_from(["R1", "a b", " R", "x\ty", "", "r" * 201]),
        st.sampled_from(["1", "007", "0", "1000000000000", "1000000000001", "1.0", "٣", ""]),
        st.sampled_from(["", "2024-05-01", "2024-05-01T10:00:00", "2024-05-01T10:00:00+02:00",
                         "20240501", "1960-01-01", "9999-12-31T23:59:59-14:00"]),
    ),
    min_size=1,
    max_size=3,
)  # fmt: skip


@settings(deadline=None)
@given(CELLS)
def test_reading_by_column_gives_what_reading_by_row_gives(
    cells: list[tuple[str, str, str]],
) -> None:
    header = ["reference", "points", "effective_at", "issuer", "participant"]
    records = [[reference, points, at, "alpha", "P-ann"] for reference, points, at in cells]
    lines = range(2, 2 + len(records))
    plain = plain_columns(header, lines, records)
    if plain is None:
        return
    faulty = Faults()
    reader = Reader(csv_file("issuances"), IssuanceRow, faulty)
    reader.header = header
    by_row = by_column(reader.decode(lines, records))
    assert faulty.total == 0
    for name in plain.__struct_fields__:
        assert list(getattr(plain, name)) == list(getattr(by_row, name))


def test_a_plain_chunk_is_read_by_column() -> None:
    header = ["reference", "issuer", "participant", "points", "effective_at"]
    for moment in ("", "2024-05-01T10:00:00+02:00", "2024-05-01"):
        records = [["R1", "alpha", "P-ann", "12", moment]] * 2
        assert plain_columns(header, [2, 3], records) is not None
    assert plain_columns(header, [2], [["R1", "alpha", "P-ann", "1.5", ""]]) is None


@pytest.mark.parametrize("missing", ["reference", "issuer", "participant", "points"])
async def test_a_missing_value_is_named(coalition: Coalition, missing: str) -> None:
    cells = {"reference": "R", "issuer": "alpha", "participant": "P-ann", "points": "1"}
    line = ",".join("" if name == missing else cell for name, cell in cells.items()) + ",,"
    assert faults(await load(coalition.runtime, "issuances", line)) == [(2, f"{missing} is empty")]
