"""Past windows under proposed contracts: another path to the same figures, and to others."""

from __future__ import annotations

import io
import json
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner

from marketplace.cli import main
from marketplace.coalition.domain import Breakage, ContractRole, Funding
from marketplace.coalition.imports.report import BadLines
from marketplace.errors import InvalidRequest
from marketplace.ledger.totals import totals
from marketplace.runtime import Runtime
from settlement.domain import DebtFlow, Flow, by_name, net
from settlement.replay import repository, service
from settlement.replay.service import Replay
from tests.conftest import SECRET_KEY
from tests.factories import Coalition
from tests.ledger.busy import make_busy
from tests.settlement.disputes.stage import close_window

HEADER = (
    "reference,member,role,funding,pooled_bps,currency,price_per_point,fee_bps,breakage,"
    "valid_from\n"
)


async def replay(runtime: Runtime, *lines: str, windows: list[UUID] | None = None) -> Replay:
    file = io.BytesIO((HEADER + "\n".join(lines)).encode())
    async with runtime.database.begin() as session:
        return await service.replay(session, file, windows)


@pytest.fixture
async def busy(runtime: Runtime, coalition: Coalition) -> UUID:
    """A closed window in which everything has happened, with a mixed issuer too."""
    await coalition.add_member(
        "delta",
        role=ContractRole.BOTH,
        funding=Funding.MIXED,
        pooled_bps=2_500,
        price_micros=7_919,
        breakage=Breakage.SHARED,
    )
    await coalition.issue("ann", 333, issuer="delta")
    await make_busy(coalition)
    return await close_window(runtime)


async def booked(runtime: Runtime, window_id: UUID) -> dict[str, int]:
    """Nets in EUR by name, from what was booked."""
    async with runtime.database.begin() as session:
        slugs = await repository.slugs_by_id(session)
        flows: list[Flow | DebtFlow] = []
        for each in await totals(session, [window_id]):
            payee = None if each.acceptor_id is None else slugs[each.acceptor_id]
            issuer = slugs[each.issuer_id]
            if each.funding is None:
                flows.append(DebtFlow("", each.currency, issuer, str(payee), each.funded_micros))
            else:
                flows.append(
                    Flow(
                        "",
                        each.currency,
                        each.kind,  # type: ignore[arg-type]
                        each.funding,
                        issuer,
                        payee,
                        each.funded_micros,
                        each.cost_micros,
                    )
                )
    return by_name(net(flows)["", "EUR"])


async def test_the_terms_that_were_in_force_come_to_what_was_booked(
    runtime: Runtime, busy: UUID
) -> None:
    found = await replay(
        runtime,
        "D,delta,both,mixed,2500,EUR,0.007919,0,shared,2099-01-01",
        "G,gamma,both,issuance,,EUR,0.008,0,shared,2099-01-01",
        "A,alpha,both,redemption,,EUR,0.008,0,operator,2099-01-01",
    )
    assert found.windows == [busy]
    assert all(each.difference_micros == 0 for each in found.outcomes)
    actual: dict[str, int] = {}
    for each in found.outcomes:
        actual[each.party] = actual.get(each.party, 0) + each.actual_micros
    assert actual == await booked(runtime, busy)
    assert sum(actual.values()) == 0


async def test_other_terms_change_who_owes_what_and_sum_to_zero(
    runtime: Runtime, busy: UUID
) -> None:
    found = await replay(
        runtime,
        "G,gamma,both,redemption,,EUR,0.009,100,operator,2099-01-01",
        "A,alpha,both,mixed,5000,EUR,0.008,0,operator,2099-01-01",
    )
    change = {(each.party): each.difference_micros for each in found.outcomes}
    assert sum(each.proposed_micros for each in found.outcomes) == 0
    assert change["pool:alpha"] > 0  # half the price of what alpha issued, less what was burnt
    proposed = {each.party: each.proposed_micros for each in found.outcomes}
    assert proposed.get("pool:gamma", 0) == 0  # nothing is pooled where all is paid when burnt


async def test_a_fee_moves_money_from_the_member_to_the_margin(
    runtime: Runtime, coalition: Coalition, busy: UUID
) -> None:
    found = await replay(runtime, "S,shop,acceptor,redemption,,EUR,0.008,1000,,2099-01-01")
    (fee,) = [-each.difference_micros for each in found.outcomes if each.party == "shop"]
    assert fee > 0
    assert sum(each.difference_micros for each in found.outcomes) == 0


BAD = [
    ("X,nobody,both,redemption,,EUR,0.008,0,,2099-01-01", BadLines, "no member 'nobody'"),
    ("X,alpha,both,mixed,,EUR,0.008,0,,2099-01-01", BadLines, "needs it"),
    ("X,alpha,both,redemption,,USD,0.008,0,,2099-01-01", InvalidRequest, "not USD"),
    ("", InvalidRequest, "proposes nothing"),
]


@pytest.mark.parametrize(("line", "error", "said"), BAD)
async def test_a_bad_proposal_is_refused(
    runtime: Runtime, busy: UUID, line: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        await replay(runtime, line)


def test_the_command_prints_what_would_change(
    database_url: str, busy: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETPLACE_DATABASE_URL", database_url)
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)
    file = tmp_path / "proposal.csv"
    file.write_text(HEADER + "G,gamma,both,issuance,,EUR,0.016,0,shared,2099-01-01\n")
    words = ["settlement", "replay", "--contract", str(file), "--window", str(busy)]
    text = CliRunner().invoke(main, words)
    assert "1 windows, with other terms for gamma" in text.output
    told = CliRunner().invoke(main, [*words, "--json"])
    assert told.exit_code == 0, told.output
    as_json = json.loads(told.output)
    gamma = next(each for each in as_json["outcomes"] if each["party"] == "gamma")
    assert gamma["difference_micros"] < 0
