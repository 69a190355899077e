"""What members pay ahead, what they may owe, whom they pay directly, and when they do not pay."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from marketplace.coalition.domain import ContractRole
from marketplace.coalition.exposure import change_exposures
from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Role
from marketplace.ids import uuid7
from marketplace.ledger.models import Exposure, MemberDebt
from marketplace.notices.models import Notice
from settlement.clearing import accounts, caps, defaulting, legs, prefunding, service
from settlement.clearing.defaulting import Cover, apportion
from settlement.clearing.domain import AccountKind, LegStatus, Mode
from settlement.clearing.errors import NotUnpaid, PrefundTooSmall
from settlement.clearing.models import Settlement
from settlement.errors import SamePerson, StatusChanged
from tests.factories import Coalition, make_person
from tests.ledger.busy import make_busy
from tests.ledger.driver import Driver
from tests.settlement.clearing.house import ANNA, BANK, BORIS, House

CAP_MICROS = 20_000_000


async def pay_ahead(house: House, name: str, micros: int, currency: str = "EUR") -> None:
    """The bank shows money that a member paid ahead (below zero: that went back)."""
    async with house.runtime.database.begin() as session:
        await prefunding.prefund(
            session,
            house.coalition.members[name],
            currency,
            micros,
            entry_id=uuid7(),
            bank_account_id=BANK,
            actor=ANNA,
        )


async def capped(coalition: Coalition) -> None:
    """Member capped may owe EUR 20; ann has 5,000 of its points (EUR 8 a thousand)."""
    await coalition.add_member("capped", role=ContractRole.BOTH, exposure_cap_micros=CAP_MICROS)
    async with coalition.runtime.database.begin() as session:
        session.add(Exposure(member_id=coalition.members["capped"], used_micros=0))
    await coalition.issue("ann", 5_000, issuer="capped")


async def test_money_paid_ahead_is_room_and_pays_the_leg(house: House) -> None:
    await capped(house.coalition)
    async with Driver.start(house.coalition) as drive:
        for _ in range(2):
            await drive.capture("ann", await drive.burn("ann", "card"))
        refused = await drive.ask("ann", "card")
        assert refused.error is not None
        assert refused.error.code == "exposure_cap"
        await pay_ahead(house, "capped", 25_000_000)
        assert await house.exposure("capped") == (16_000_000, 25_000_000)
        for _ in range(2):
            await drive.capture("ann", await drive.burn("ann", "card"))
        assert not await house.findings()
        await house.close_window()
        await house.accounts("paper")
        made = await house.approved()
        # EUR 32 is more than was paid ahead: one leg is one payment, so none of it is used.
        await house.submit(made)
        assert (await house.legs(made))["capped"].status is LegStatus.PLANNED
        await pay_ahead(house, "capped", 8_000_000)
        await house.drive()
        assert (await house.legs(made))["capped"].status is LegStatus.BOOKED
        assert await house.exposure("capped") == (32_000_000, 1_000_000)
        await house.drive()
        await house.book_all(made)
        assert await house.status(made) == "settled"
        assert await house.exposure("capped") == (0, 1_000_000)
        assert not await house.findings()
        with pytest.raises(PrefundTooSmall):
            await pay_ahead(house, "capped", -1_000_001)
        await pay_ahead(house, "capped", -1_000_000)
        assert await house.exposure("capped") == (0, 0)
        held = await house.balances()
        assert set(held) <= {AccountKind.ROUNDING}


async def test_money_paid_ahead_is_left_alone_where_finance_says_so(house: House) -> None:
    await capped(house.coalition)
    async with Driver.start(house.coalition) as drive:
        await drive.capture("ann", await drive.burn("ann", "card"))
    await pay_ahead(house, "capped", 25_000_000)
    await house.close_window()
    await house.accounts("paper")
    made = await house.approved()
    await house.submit(made, keep_prefund=True)
    await house.drive()
    assert (await house.legs(made))["capped"].status is LegStatus.SUBMITTED


async def test_exposures_that_change_in_two_ways_are_locked_in_one_order(house: House) -> None:
    low, high = sorted((house.coalition.members[name] for name in ("alpha", "shop")), key=str)
    database = house.runtime.database
    async with database.begin() as session:
        session.add_all([Exposure(member_id=each, used_micros=9) for each in (low, high)])

    async def settle() -> None:
        async with database.begin() as session:
            await change_exposures(session, {high: 4}, also=[low])

    row = sa.select(Exposure.member_id).with_for_update(nowait=True)
    async with database.begin() as burning:
        await burning.execute(row.where(Exposure.member_id == low))
        settling = asyncio.create_task(settle())
        waiting = sa.text("select count(*) from pg_locks where not granted")
        for _ in range(1_000):
            if settling.done() or await burning.scalar(waiting):
                break
            await asyncio.sleep(0.01)
        assert not settling.done()
        await burning.execute(row.where(Exposure.member_id == high))
    await settling
    async with database.begin() as session:
        left = sa.select(Exposure.used_micros).where(Exposure.member_id == high)
        assert await session.scalar(left) == 5


async def test_paying_back_twice_at_once_pays_once(house: House) -> None:
    await pay_ahead(house, "alpha", 5_000_000)
    answers = await asyncio.gather(
        *(pay_ahead(house, "alpha", -5_000_000) for _ in range(3)), return_exceptions=True
    )
    assert sum(each is None for each in answers) == 1
    with pytest.raises(InvalidRequest):
        await pay_ahead(house, "alpha", 0)


async def test_a_cap_nearly_used_is_told_once(house: House) -> None:
    await capped(house.coalition)
    finance = await make_person(house.coalition, Role.FINANCE)
    partner = await make_person(house.coalition, Role.PARTNER, "capped")
    await make_person(house.coalition, Role.PARTNER, "shop")

    async def watch() -> int:
        async with house.runtime.database.begin() as session:
            return await caps.watch(session)

    async with Driver.start(house.coalition) as drive:
        burns = [await drive.burn("ann", "card")]
        assert await watch() == 0
        burns.append(await drive.burn("ann", "card"))
        assert await watch() == 1
        assert await watch() == 0
        async with house.runtime.database.begin() as session:
            told = set(
                await session.scalars(sa.select(Notice.person_id).where(Notice.kind == "cap_alert"))
            )
        assert told == {finance.id, partner.id}
        await drive.void("ann", burns.pop())
        assert await watch() == 0
        await drive.burn("ann", "card")
        assert await watch() == 1


async def test_accounts_need_two_people_and_a_rail_that_takes_them(house: House) -> None:
    shop = house.coalition.members["shop"]
    with pytest.raises(InvalidRequest, match="last digit"):
        await accounts.check(house.rails, rail="paper", currency="EUR", account={"number": "1"})
    with pytest.raises(InvalidRequest, match="not USD"):
        await accounts.check(house.rails, rail="paper", currency="USD", account={"number": "7"})
    with pytest.raises(InvalidRequest, match="does not fit"):
        await accounts.check(house.rails, rail="paper", currency="EUR", account={"name": "7"})
    await accounts.check(house.rails, rail="paper", currency="EUR", account={"number": "7"})
    made = []
    async with house.runtime.database.begin() as session:
        for number in ("17", "27"):
            made.append(
                await accounts.propose(
                    session,
                    member_id=shop,
                    currency="EUR",
                    rail="paper",
                    account={"number": number},
                    actor=ANNA,
                )
            )
    with pytest.raises(SamePerson):
        async with house.runtime.database.begin() as session:
            await accounts.approve(session, made[0].id, actor=ANNA)

    async def approve(account_id: object) -> None:
        async with house.runtime.database.begin() as session:
            await accounts.approve(session, account_id, actor=BORIS)  # type: ignore[arg-type]

    answers = await asyncio.gather(
        approve(made[0].id), approve(made[1].id), approve(made[0].id), return_exceptions=True
    )
    assert sum(isinstance(each, StatusChanged) for each in answers) == 1
    async with house.runtime.database.begin() as session:
        found = await accounts.all_accounts(session, member_id=shop)
    assert sorted(each.status.value for each in found) == ["active", "replaced"]


async def test_bilaterally_members_pay_each_other(house: House) -> None:
    await make_busy(house.coalition)
    await house.close_window()
    await house.accounts("paper")
    made = await house.approved(mode=Mode.BILATERAL)
    found = await house.legs(made)
    assert "shop>beta" in found or "beta>shop" in found
    assert found["gamma"].counterparty_id is None  # what goes into its pool
    await house.submit(made, pay_before_collected=True)
    await house.drive()
    assert all(
        each.status in (LegStatus.SUBMITTED, LegStatus.BOOKED)
        for each in (await house.legs(made)).values()
    )
    assert not await house.findings()
    for leg in (await house.legs(made)).values():
        if leg.status is LegStatus.SUBMITTED:
            async with house.runtime.database.begin() as session:
                await legs.book(
                    session,
                    leg.id,
                    booked_on=leg.due_on,
                    bank_account_id=None if leg.counterparty_id else BANK,
                    actor=ANNA,
                )
    assert await house.status(made) == "settled"
    assert not await house.findings()
    held = await house.balances()
    assert AccountKind.MEMBER_DUE not in held
    assert held[AccountKind.BANK] == -held[AccountKind.POOL] - held.get(AccountKind.ROUNDING, 0)


async def failed(house: House) -> Settlement:
    """A settlement whose debtor alpha does not pay: its debit is rejected."""
    await house.coalition.add_offer("show", acceptor="tickets", cost_micros=5_000_001)
    await house.coalition.issue("bob", 1_000, issuer="alpha")
    await house.coalition.issue("ann", 1_000, issuer="beta")
    await house.coalition.issue("ann", 1_000, issuer="alpha")
    async with Driver.start(house.coalition) as drive:
        await drive.capture("bob", await drive.burn("bob", "card"))
        await drive.capture("ann", await drive.burn("ann", "show"))
        await drive.capture("ann", await drive.burn("ann", "show"))
    await house.close_window()
    await house.accounts("paper")
    made = await house.approved()
    await house.submit(made)
    await house.drive()
    found = await house.legs(made)
    async with house.runtime.database.begin() as session:
        await legs.reject(session, found["alpha"].id, reason="MS03", actor="bank")
    await house.book_all(made)
    return made


@pytest.mark.parametrize("cover", Cover)
async def test_others_cover_a_debtor_that_does_not_pay(house: House, cover: Cover) -> None:
    made = await failed(house)
    before = await house.legs(made)
    assert (await house.drive()).waiting  # creditors wait: the money is not there
    async with house.runtime.database.begin() as session:
        extra = await defaulting.default(
            session, before["alpha"].id, cover=cover, actor=ANNA, note="insolvent"
        )
    with pytest.raises(NotUnpaid):
        async with house.runtime.database.begin() as session:
            await defaulting.default(
                session, before["alpha"].id, cover=cover, actor=ANNA, note="twice"
            )
    await house.record(extra)
    await house.approve(extra)
    await house.submit(extra)
    await house.drive()
    await house.book_all(extra)
    assert await house.status(extra) == "settled"
    assert not await house.findings()
    await house.drive()
    await house.book_all(made)
    assert await house.status(made) == "settled"
    assert not await house.findings()
    # What was settled before is as it was; the debtor owes those who paid, from now on.
    assert (await house.legs(made))["alpha"].status is LegStatus.REJECTED
    async with house.runtime.database.begin() as session:
        owed = (
            await session.scalars(sa.select(MemberDebt).where(MemberDebt.plugin == "settlement"))
        ).all()
    assert sum(each.amount_micros for each in owed) == before["alpha"].amount_minor * 10_000
    assert {each.debtor_id for each in owed} == {house.coalition.members["alpha"]}


async def test_an_aborted_default_can_be_opened_again(house: House) -> None:
    made = await failed(house)
    leg = (await house.legs(made))["alpha"]
    for _ in range(2):
        async with house.runtime.database.begin() as session:
            extra = await defaulting.default(
                session, leg.id, cover=Cover.OPERATOR, actor=ANNA, note="insolvent"
            )
        await house.record(extra)
        async with house.runtime.database.begin() as session:
            await service.abort(session, extra.id, actor=ANNA, note="it pays after all")
    async with house.runtime.database.begin() as session:
        await legs.repay(session, leg.id, actor=ANNA)
    assert not await house.findings()


def test_shares_are_whole_and_complete() -> None:
    ids = [uuid7() for _ in range(3)]
    assert sum(apportion(100, dict.fromkeys(ids, 1)).values()) == 100
    assert list(apportion(7, {ids[0]: 6, ids[1]: 1, ids[2]: 0}).values()) == [6, 1, 0]


async def test_a_leg_is_not_rejected_before_its_settlement_is_sent_off(house: House) -> None:
    await house.coalition.issue("ann", 1_000, issuer="alpha")
    async with Driver.start(house.coalition) as drive:
        await drive.capture("ann", await drive.burn("ann", "card"))
    await house.close_window()
    made = await house.approved()
    leg = (await house.legs(made))["alpha"]
    with pytest.raises(StatusChanged, match="Abort it instead"):
        async with house.runtime.database.begin() as session:
            await legs.reject(session, leg.id, reason="closed account", actor="person:1")
    await house.abort(made)
    assert await house.status(made) == "aborted"
