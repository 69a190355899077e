"""What members owe each other: pure netting, and the command that prints it."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from datetime import UTC, datetime
from random import Random

from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from marketplace.cli import main
from marketplace.clock import travel_to
from marketplace.coalition.domain import Funding
from marketplace.ledger.domain import ObligationKind
from settlement.domain import MARGIN, Flow, Party, PartyKind, by_name, net
from tests.conftest import SECRET_KEY
from tests.factories import Coalition
from tests.ledger.busy import make_busy
from tests.ledger.driver import Driver

NAMES = st.sampled_from(["alpha", "beta", "gamma", "operator"])
MICROS = st.integers(-(10**15), 10**15)


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """Any flow the ledger can hold: where nobody accepts, nothing is paid."""
    acceptor = draw(st.none() | NAMES)
    return Flow(
        draw(st.sampled_from(["2026-01", "2026-02"])),
        draw(st.sampled_from(["EUR", "USD"])),
        draw(st.sampled_from(ObligationKind)),
        draw(st.sampled_from(Funding)),
        draw(NAMES),
        acceptor,
        draw(MICROS),
        0 if acceptor is None else draw(MICROS),
    )


@given(st.lists(flows(), max_size=30))
def test_positions_sum_to_zero_in_every_period_and_currency(given_flows: list[Flow]) -> None:
    for positions in net(given_flows).values():
        assert sum(positions.values()) == 0
        assert sum(by_name(positions).values()) == 0


@given(st.lists(flows(), max_size=20), st.randoms())
def test_the_order_of_flows_does_not_matter(given_flows: list[Flow], random: Random) -> None:
    shuffled = sorted(given_flows, key=lambda _: random.random())
    assert net(shuffled) == net(given_flows)


def capture(issuer: str, acceptor: str, funded: int, cost: int) -> Flow:
    return Flow(
        "2026-01",
        "EUR",
        ObligationKind.CAPTURE,
        Funding.REDEMPTION,
        issuer,
        acceptor,
        funded,
        cost,
    )


@given(st.lists(st.tuples(NAMES, NAMES, st.integers(0, 10**9)), max_size=20))
def test_netting_agrees_with_a_naive_oracle(edges: list[tuple[str, str, int]]) -> None:
    owed: dict[str, int] = defaultdict(int)
    for issuer, acceptor, micros in edges:
        owed[issuer] -= micros
        owed[acceptor] += micros
    found = net(capture(issuer, acceptor, micros, micros) for issuer, acceptor, micros in edges)
    positions = by_name(found.get(("2026-01", "EUR"), {}))
    assert positions == {name: micros for name, micros in owed.items() if micros}


@given(st.integers(1, 10**12))
def test_a_three_way_cycle_nets_to_nothing(micros: int) -> None:
    cycle = [("alpha", "beta"), ("beta", "gamma"), ("gamma", "alpha")]
    found = net(capture(issuer, acceptor, micros, micros) for issuer, acceptor in cycle)
    assert by_name(found["2026-01", "EUR"]) == {}
    assert len(found["2026-01", "EUR"]) == 4


def test_the_margin_is_the_operators_not_that_of_a_member_of_its_name() -> None:
    found = net([capture("operator", "alpha", 100, 70)])["2026-01", "EUR"]
    assert found == {
        Party(PartyKind.MEMBER, "alpha"): 70,
        Party(PartyKind.MEMBER, "operator"): -100,
        MARGIN: 30,
    }
    assert by_name(found) == {"alpha": 70, "operator": -70}


def run_positions(database_url: str, *options: str) -> tuple[int, str]:
    environment = {
        "MARKETPLACE_DATABASE_URL": database_url,
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
    }
    done = CliRunner(env=environment).invoke(main, ["ledger", "positions", *options])
    return done.exit_code, done.output


async def test_finance_reads_the_positions_of_a_month(
    coalition: Coalition, database_url: str
) -> None:
    async def at(moment: datetime) -> None:
        async with coalition.runtime.database.begin() as session:
            await travel_to(session, moment, allowed=True)

    await coalition.issue("ann", 3_000, effective_at=datetime(2026, 1, 1, tzinfo=UTC))
    async with Driver.start(coalition) as drive:
        await at(datetime(2026, 1, 31, 23, 59, tzinfo=UTC))
        first = await drive.burn("ann", "card")
        await drive.capture("ann", first)
        await at(datetime(2026, 2, 1, 0, 1, tzinfo=UTC))
        second = await drive.burn("ann", "card")
        await drive.capture("ann", second)
        await drive.refund("ann", second, 250)
    exit_code, output = await asyncio.to_thread(run_positions, database_url, "--json")
    assert exit_code == 0, output
    assert json.loads(output) == [
        {
            "period": "2026-01",
            "currency": "EUR",
            "net_micros": {"alpha": -8_000_000, "shop": 7_000_000, "operator": 1_000_000},
            "sum_micros": 0,
        },
        {
            "period": "2026-02",
            "currency": "EUR",
            "net_micros": {"alpha": -6_000_000, "shop": 5_250_000, "operator": 750_000},
            "sum_micros": 0,
        },
    ]
    exit_code, output = await asyncio.to_thread(run_positions, database_url)
    assert exit_code == 0
    assert "2026-01  EUR  (+ is owed, - owes)" in output
    assert "-8.00" in output
    assert "+5.25" in output
    assert output.count("right") == 2


async def test_pools_and_breakage_have_their_place(coalition: Coalition, database_url: str) -> None:
    await make_busy(coalition)
    exit_code, output = await asyncio.to_thread(
        run_positions, database_url, "--json", "--by", "window"
    )
    assert exit_code == 0, output
    (window,) = json.loads(output)
    positions = window["net_micros"]
    # 3,401 points were funded at issue; half the money of the 700 that expired came back.
    assert positions["gamma"] == -3_401 * 8_000 + 700 * 4_000
    # What the pool still holds is what gamma's points outstanding are worth: 33 held, 300 refunded
    # and the 501 nobody touched.
    assert positions["pool:gamma"] == (33 + 300 + 501) * 8_000
    assert window["sum_micros"] == 0


def test_nobody_owes_anything_at_first(database_url: str) -> None:
    assert run_positions(database_url) == (0, "Nobody owes anybody anything yet.\n")
