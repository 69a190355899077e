"""A member issues points: once each, all or nothing, to the micro where it pays at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from marketplace.clock import travel_to
from marketplace.coalition.domain import ContractRole, Funding
from marketplace.ids import uuid7
from marketplace.ledger.domain import Issuance, Issued, ObligationKind
from marketplace.ledger.errors import IssuancesRefused, IssueFault
from marketplace.ledger.issuing import issue
from marketplace.ledger.models import Lot, Obligation, SettlementWindow, Transfer, Wallet
from marketplace.money import MAX_POINTS
from tests.factories import PRICE_MICROS, Coalition

MAY = datetime(2024, 5, 1, 12, tzinfo=UTC)


def item(coalition: Coalition, who: str = "ann", reference: str = "R-1", **more: Any) -> Issuance:
    """An issuance of 500 points to a participant, unless said otherwise."""
    values: dict[str, Any] = {"points": 500, "wallet_id": coalition.wallets[who], **more}
    return Issuance(reference=reference, **values)


async def give(coalition: Coalition, *items: Issuance, issuer: str = "alpha") -> Issued:
    """Issue in one transaction."""
    async with coalition.runtime.database.begin() as session:
        return await issue(session, coalition.members[issuer], items)


async def refused(coalition: Coalition, *items: Issuance, issuer: str = "alpha") -> list[Any]:
    """Issue, expecting a refusal; (index, code) of each error."""
    with pytest.raises(IssuancesRefused) as caught:
        await give(coalition, *items, issuer=issuer)
    return [(error.index, error.code) for error in caught.value.errors]


async def rows(coalition: Coalition, statement: Any) -> list[Any]:
    """All rows of a query."""
    async with coalition.runtime.database.begin() as session:
        return list((await session.execute(statement)).scalars())


async def available(coalition: Coalition, who: str) -> tuple[int, int]:
    """Available points and version of a wallet."""
    async with coalition.runtime.database.begin() as session:
        wallet = await session.get_one(Wallet, coalition.wallets[who])
        return wallet.available, wallet.version


async def test_points_arrive_as_a_lot_and_a_transfer(coalition: Coalition) -> None:
    done = await give(
        coalition,
        item(coalition, effective_at=MAY),
        item(coalition, "bob", "R-2", points=7),
        item(coalition, reference="R-3", points=3),
    )
    assert done == Issued(issued=3, points=510, already=0)
    assert await available(coalition, "ann") == (503, 1)

    lot, *_ = await rows(coalition, sa.select(Lot).where(Lot.reference == "R-1"))
    assert (lot.issuer_id, lot.contract_id) == (
        coalition.members["alpha"],
        coalition.contracts["alpha"],
    )
    assert (lot.points, lot.remaining, lot.open) == (500, 500, True)
    assert (lot.price_micros, lot.currency, lot.funding) == (
        PRICE_MICROS,
        "EUR",
        Funding.REDEMPTION,
    )
    assert lot.effective_at == MAY

    (transfer,) = await rows(coalition, sa.select(Transfer).where(Transfer.lot_id == lot.id))
    assert (transfer.code, transfer.debit_account, transfer.credit_account) == (
        "issue",
        "issuer_issued",
        "wallet_available",
    )
    assert (transfer.debit_owner, transfer.credit_owner) == (lot.issuer_id, lot.wallet_id)
    assert (transfer.unit, transfer.amount, transfer.window_id) == ("POINTS", 500, None)
    assert await rows(coalition, sa.select(Obligation)) == []


async def test_lots_of_one_moment_keep_the_order_given(coalition: Coalition) -> None:
    names = [f"R-{number}" for number in (5, 3, 9, 1)]
    await give(coalition, *(item(coalition, reference=name, effective_at=MAY) for name in names))
    order = sa.select(Lot.reference).order_by(Lot.expires_at, Lot.effective_at, Lot.id)
    assert await rows(coalition, order) == names


async def test_expiry_comes_from_the_contract_unless_given(coalition: Coalition) -> None:
    await coalition.add_member("gamma", role=ContractRole.ISSUER, points_valid_days=30)
    soon = MAY + timedelta(days=2)
    await give(
        coalition,
        item(coalition, reference="default", effective_at=MAY),
        item(coalition, reference="given", effective_at=MAY, expires_at=soon),
        issuer="gamma",
    )
    await give(coalition, item(coalition, reference="never", effective_at=MAY))
    statement = sa.select(sa.cast(Lot.expires_at, sa.Text)).order_by(Lot.expires_at)
    assert await rows(coalition, statement) == [
        "2024-05-03 12:00:00+00",
        "2024-05-31 12:00:00+00",
        "infinity",
    ]


async def test_the_contract_in_force_then_sets_the_price(coalition: Coalition) -> None:
    change = datetime(2023, 1, 1, tzinfo=UTC)
    issuer = await coalition.add_member(
        "gamma", role=ContractRole.ISSUER, price_micros=5_000, valid_to=change
    )
    await coalition._add(_second_contract(issuer, change))
    await give(
        coalition,
        item(coalition, reference="old", effective_at=change - timedelta(seconds=1)),
        item(coalition, reference="new", effective_at=change),
        issuer="gamma",
    )
    prices = sa.select(Lot.price_micros).order_by(Lot.effective_at)
    assert await rows(coalition, prices) == [5_000, 6_000]


def _second_contract(issuer: UUID, valid_from: datetime) -> Any:
    from marketplace.coalition.domain import Breakage
    from marketplace.coalition.models import Contract

    return Contract(
        id=uuid7(),
        reference="C-gamma-2",
        member_id=issuer,
        role=ContractRole.ISSUER,
        funding=Funding.REDEMPTION,
        currency="EUR",
        price_micros=6_000,
        breakage=Breakage.OPERATOR,
        valid_from=valid_from,
    )


async def test_an_issuer_that_funds_at_issuance_owes_the_money_at_once(
    coalition: Coalition,
) -> None:
    payer = await coalition.add_member(
        "gamma", role=ContractRole.ISSUER, funding=Funding.ISSUANCE, price_micros=1_234_567
    )
    await give(
        coalition,
        item(coalition, reference="R-1", points=3, effective_at=MAY),
        item(coalition, "bob", "R-2", points=5, effective_at=MAY),
        issuer="gamma",
    )
    (window,) = await rows(coalition, sa.select(SettlementWindow.id))
    money = await rows(
        coalition, sa.select(Transfer).where(Transfer.unit == "EUR").order_by(Transfer.amount)
    )
    assert [each.amount for each in money] == [3 * 1_234_567, 5 * 1_234_567]
    for each in money:
        assert (each.debit_account, each.credit_account) == ("issuer_receivable", "issuer_pool")
        assert (each.debit_owner, each.credit_owner) == (payer, payer)
        assert (each.window_id, each.effective_at) == (window, MAY)
    owed = await rows(coalition, sa.select(Obligation).order_by(Obligation.points))
    assert [(each.points, each.funded_micros) for each in owed] == [
        (3, 3 * 1_234_567),
        (5, 5 * 1_234_567),
    ]
    assert {(o.kind, o.cost_micros, o.acceptor_id, o.burn_id, o.window_id) for o in owed} == {
        (ObligationKind.ISSUANCE, 0, None, None, window)
    }


async def test_the_same_reference_again_changes_nothing(coalition: Coalition) -> None:
    first = item(coalition, effective_at=MAY)
    await give(coalition, first)
    again = await give(coalition, first, item(coalition), item(coalition, reference="R-2"))
    assert again == Issued(issued=1, points=500, already=2)
    assert await available(coalition, "ann") == (1_000, 2)
    # Another issuer's references are its own.
    assert (await give(coalition, first, issuer="beta")).issued == 1


async def test_a_reference_is_not_used_for_something_else(coalition: Coalition) -> None:
    await give(coalition, item(coalition, effective_at=MAY))
    other = [
        item(coalition, points=501),
        item(coalition, "bob"),
        item(coalition, effective_at=MAY + timedelta(microseconds=1)),
        item(coalition, expires_at=MAY + timedelta(days=9)),
    ]
    for each in other:
        assert await refused(coalition, item(coalition, reference="R-9"), each) == [
            (1, IssueFault.REFERENCE_REUSED)
        ]
    assert await available(coalition, "ann") == (500, 1)


async def test_a_replay_stays_good_after_the_contract_has_ended(coalition: Coalition) -> None:
    ends = datetime.now(UTC) + timedelta(days=1)
    await coalition.add_member("gamma", role=ContractRole.ISSUER, valid_to=ends)
    await give(coalition, item(coalition), issuer="gamma")
    async with coalition.runtime.database.begin() as session:
        await travel_to(session, ends + timedelta(days=1), allowed=True)
    assert (await give(coalition, item(coalition), issuer="gamma")).already == 1
    assert await refused(coalition, item(coalition, reference="R-2"), issuer="gamma") == [
        (0, IssueFault.NO_ISSUING_CONTRACT)
    ]


async def test_repeats_within_one_call(coalition: Coalition) -> None:
    same = await give(coalition, item(coalition), item(coalition))
    assert same == Issued(issued=1, points=500, already=1)
    other = [item(coalition, reference="R-2"), item(coalition, reference="R-2", points=1)]
    assert await refused(coalition, *other) == [(1, IssueFault.REFERENCE_REUSED)]


async def test_every_wrong_item_is_named_and_nothing_is_written(coalition: Coalition) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    items = [
        item(coalition, reference="good"),
        item(coalition, reference="a", points=0),
        item(coalition, reference="b", points=-1),
        item(coalition, reference="c", points=MAX_POINTS + 1),
        item(coalition, reference="d", wallet_id=uuid7()),
        item(coalition, reference="e", effective_at=tomorrow),
        item(coalition, reference="f", effective_at=datetime(2019, 1, 1, tzinfo=UTC)),
        item(coalition, reference="g", effective_at=MAY, expires_at=MAY),
        item(coalition, reference=""),
        item(coalition, reference="nul\0"),
        item(coalition, reference="h", effective_at=datetime(1, 1, 1, tzinfo=UTC)),
        item(coalition, reference="i", expires_at=MAY.replace(tzinfo=None)),
    ]
    assert await refused(coalition, *items) == [
        (1, IssueFault.INVALID_POINTS),
        (2, IssueFault.INVALID_POINTS),
        (3, IssueFault.INVALID_POINTS),
        (4, IssueFault.UNKNOWN_WALLET),
        (5, IssueFault.EFFECTIVE_IN_FUTURE),
        (6, IssueFault.NO_ISSUING_CONTRACT),
        (7, IssueFault.INVALID_EXPIRY),
        (8, IssueFault.INVALID_REFERENCE),
        (9, IssueFault.INVALID_REFERENCE),
        (10, IssueFault.INVALID_TIME),
        (11, IssueFault.INVALID_TIME),
    ]
    assert await rows(coalition, sa.select(Lot)) == []
    assert await available(coalition, "ann") == (0, 0)


async def test_only_an_issuer_issues(coalition: Coalition) -> None:
    assert await refused(coalition, item(coalition), issuer="shop") == [
        (0, IssueFault.NO_ISSUING_CONTRACT)
    ]


async def test_the_largest_issuance_is_booked_and_a_larger_value_is_not(
    coalition: Coalition,
) -> None:
    assert (await give(coalition, item(coalition, points=MAX_POINTS))).points == MAX_POINTS
    await coalition.add_member("gamma", role=ContractRole.ISSUER, price_micros=10**12)
    dear = item(coalition, points=MAX_POINTS)
    assert await refused(coalition, dear, issuer="gamma") == [(0, IssueFault.VALUE_TOO_LARGE)]


async def test_one_reference_in_many_requests_at_once_is_one_lot(coalition: Coalition) -> None:
    together = [give(coalition, item(coalition), item(coalition, "bob", "R-2")) for _ in range(8)]
    done = await asyncio.gather(*together)
    assert sorted(each.issued for each in done) == [0] * 7 + [2]
    assert sum(each.already for each in done) == 14
    assert await available(coalition, "ann") == (500, 1)


async def test_two_calls_in_one_transaction(coalition: Coalition) -> None:
    async with coalition.runtime.database.begin() as session:
        for issuer in ("alpha", "beta"):
            done = await issue(session, coalition.members[issuer], [item(coalition)])
            assert done.issued == 1
        assert await issue(session, coalition.members["alpha"], []) == Issued(
            issued=0, points=0, already=0
        )
    assert await available(coalition, "ann") == (1_000, 2)
