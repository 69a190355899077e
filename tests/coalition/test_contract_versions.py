"""Contracts change by dated versions: the past and the present stay as they were."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from marketplace.cli import main
from marketplace.coalition.contracts import contract_views
from marketplace.coalition.models import Contract
from marketplace.coalition.service import get_contract
from marketplace.ledger.models import Lot
from marketplace.ledger.verify import verify
from tests.coalition.files import faults, load
from tests.conftest import SECRET_KEY
from tests.factories import Coalition

FIRST = "C-alpha,alpha,both,redemption,EUR,0.008,,,,,2020-01-01,"
SECOND = "C-alpha,alpha,both,redemption,EUR,0.009,50,,,,2099-01-01,"


async def versions(coalition: Coalition) -> list[tuple[int, int, datetime, datetime | None]]:
    async with coalition.runtime.database.begin() as session:
        rows = await session.scalars(
            sa.select(Contract).where(Contract.reference == "C-alpha").order_by(Contract.version)
        )
        return [(row.version, row.price_micros, row.valid_from, row.valid_to) for row in rows]


async def test_changed_terms_from_a_later_day_are_the_next_version(coalition: Coalition) -> None:
    await coalition.issue("ann", 10)
    report = await load(coalition.runtime, "contracts", SECOND)
    assert (report.new, report.changed, report.unchanged) == (1, 1, 0)
    change = datetime(2099, 1, 1, tzinfo=UTC)
    assert await versions(coalition) == [
        (1, 8_000, datetime(2020, 1, 1, tzinfo=UTC), change),
        (2, 9_000, change, None),
    ]
    async with coalition.runtime.database.begin() as session:
        member = coalition.members["alpha"]
        assert (await get_contract(session, member)).version == 1
        assert (await get_contract(session, member, change)).version == 2
        assert await session.scalar(sa.select(Lot.contract_id)) == coalition.contracts["alpha"]
    async with coalition.runtime.database.begin() as session:
        assert await verify(session) == []
    # The old file, the new one, and both together say nothing new.
    for lines in ([FIRST], [SECOND], [FIRST, SECOND], [SECOND, FIRST]):
        again = await load(coalition.runtime, "contracts", *lines)
        assert (again.ok, again.new, again.changed) == (True, 0, 0), again.lines()


async def test_a_history_is_imported_at_once(coalition: Coalition) -> None:
    lines = [
        "H,tickets2,acceptor,redemption,EUR,0.008,100,,,,2020-01-01,",
        "H,tickets2,acceptor,redemption,EUR,0.008,120,,,,2021-01-01,",
        "H,tickets2,acceptor,redemption,EUR,0.008,140,,,,2022-01-01,",
    ]
    assert (await load(coalition.runtime, "members", "tickets2,Tickets,DE,")).ok
    report = await load(coalition.runtime, "contracts", *lines)
    assert (report.new, report.changed) == (3, 0), report.lines()
    async with coalition.runtime.database.begin() as session:
        found = await contract_views(session, "tickets2")
    assert [(each.version, each.fee_bps, each.in_force) for each in found] == [
        (1, 100, False),
        (2, 120, False),
        (3, 140, True),
    ]
    assert [each.valid_to for each in found[:2]] == [each.valid_from for each in found[1:]]


REFUSED = [
    (
        "C-alpha,alpha,both,redemption,EUR,0.009,,,,,2021-01-01,",
        "valid_from 2021-01-01 is past: terms that were in force stay; "
        "changed terms need a valid_from to come",
    ),
    (
        "C-alpha,alpha,both,redemption,EUR,0.009,,,,,2019-01-01,",
        "reference 'C-alpha' has a later version, from 2020-01-01, already",
    ),
    (
        "C-alpha,beta,both,redemption,EUR,0.009,,,,,2099-01-01,",
        "reference 'C-alpha' is a contract of another member",
    ),
    (
        "C-alpha,alpha,both,redemption,EUR,0.008,,,,,2020-01-01,2021-01-01",
        "valid_to 2021-01-01 is past: what was in force stays",
    ),
    (
        "C-other,alpha,both,redemption,EUR,0.009,,,,,2099-01-01,",
        "alpha would have two contracts in force: this one and 'C-alpha'",
    ),
    (
        "C-alpha,alpha,both,redemption,USD,0.009,,,100,,2099-01-01,",
        "alpha has a contract in EUR, 'C-alpha': an exposure_cap counts in one currency, so a "
        "member that has or had one keeps its currency",
    ),
]


@pytest.mark.parametrize(("line", "reason"), REFUSED)
async def test_what_was_in_force_does_not_change(
    coalition: Coalition, line: str, reason: str
) -> None:
    before = await versions(coalition)
    assert faults(await load(coalition.runtime, "contracts", line)) == [(2, reason)]
    assert await versions(coalition) == before


async def test_a_contract_can_be_given_an_end_to_come(coalition: Coalition) -> None:
    report = await load(coalition.runtime, "contracts", FIRST + "2099-06-01")
    assert (report.new, report.changed, report.unchanged) == (0, 1, 0)
    assert (await versions(coalition))[0][3] == datetime(2099, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("price", "funding", "pooled", "reason"),
    [
        ("0.008", "mixed", "", "pooled_bps is for funding `mixed`, and that needs it"),
        ("0.008", "redemption", "10", "pooled_bps is for funding `mixed`, and that needs it"),
        ("0.008", "mixed", "10000", "pooled_bps '10000' is not basis points, a whole number"),
        ("0.000001", "mixed", "9999", "pooled_bps of price_per_point is less than a millionth"),
    ],
)
async def test_mixed_funding_needs_its_share(
    coalition: Coalition, price: str, funding: str, pooled: str, reason: str
) -> None:
    header = "reference,member,role,funding,pooled_bps,currency,price_per_point,valid_from,valid_to"
    line = f"M,alpha,both,{funding},{pooled},EUR,{price},2000-01-01,2000-02-01"
    report = await load(coalition.runtime, "contracts", line, header=header)
    ((number, told),) = faults(report)
    assert number == 2
    assert told.startswith(reason)


def test_versions_are_printed(
    database_url: str, coalition: Coalition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETPLACE_DATABASE_URL", database_url)
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)
    told = CliRunner().invoke(main, ["coalition", "contracts", "--member", "alpha"])
    assert told.output == (
        "* alpha                C-alpha v1  2020-01-01 to open  both, redemption, "
        "EUR 0.008 a point, fee 0 bps, breakage operator\n"
    )
    as_json = CliRunner().invoke(main, ["coalition", "contracts", "--json"])
    assert {each["member"] for each in msgspec.json.decode(as_json.output)} >= {"alpha", "shop"}


async def test_a_capped_member_keeps_its_currency(coalition: Coalition) -> None:
    assert (await load(coalition.runtime, "members", "nova,Nova,DE,")).ok
    lines = [
        "N,nova,both,redemption,EUR,0.008,,,50,,2020-01-01,2030-01-01",
        "N,nova,both,redemption,EUR,0.008,,,,,2030-01-01,2040-01-01",
    ]
    assert (await load(coalition.runtime, "contracts", *lines)).ok
    keeps = "an exposure_cap counts in one currency, so a member that has or had one keeps its"
    # What was held under the cap counts on, so without a new cap too.
    for cap in ("70", ""):
        line = f"N,nova,both,redemption,USD,0.009,,,{cap},,2040-01-01,"
        ((number, reason),) = faults(await load(coalition.runtime, "contracts", line))
        assert (number, keeps in reason) == (2, True)
    # One that never had a cap may change it, and gets none from then on.
    free = "C-beta,beta,both,redemption,USD,0.009,,,,,2099-01-01,"
    assert (await load(coalition.runtime, "contracts", free)).ok
    late = "C-beta,beta,both,redemption,USD,0.009,,,10,,2100-01-01,"
    ((_, reason),) = faults(await load(coalition.runtime, "contracts", late))
    assert keeps in reason
