"""Money at Stripe that goes back: finance reads what comes next, does it, and it works."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from marketplace_stripe import sweeping
from marketplace_stripe.double import payments, people, transfers
from marketplace_stripe.double.server import Double

from marketplace.contract.rails import Direction
from marketplace.identity.domain import Role
from settlement.bank import matching
from settlement.bank.domain import BreakKind
from settlement.bank.models import Break
from settlement.clearing import books
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import Settlement, SettlementLeg
from tests.conftest import Headers
from tests.settlement.bank.books_and_bank import prove
from tests.settlement.clearing.house import House
from tests.stripe.stage import DAY_S, leg_status, open_breaks, read_day, settled

SignIn = Callable[..., Awaitable[Headers]]


async def disputed(
    house: House, double: Double, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Settlement, SettlementLeg, dict[str, Any]]:
    """A settlement that was settled, whose debtor's payment a dispute then took back."""
    monkeypatch.setattr(sweeping, "OVERLAP", timedelta(days=30))
    double.world.ahead_s = -6 * DAY_S
    made = await settled(house, double)
    await read_day(house, double, folder)
    debtor = next(
        leg
        for leg in (await house.legs(made)).values()
        if leg.direction is Direction.COLLECT and leg.amount_minor
    )
    (intent,) = people.found(double.world, "payment_intent", debtor.reference)
    double.world.ahead_s = -5 * DAY_S
    dispute = payments.dispute(double.world, intent, reason="fraudulent", inquiry=False)
    await read_day(house, double, folder)
    await house.drive()
    assert await leg_status(house, made, debtor.reference) is LegStatus.RETURNED
    return made, debtor, dispute


async def break_of(house: House, kind: BreakKind) -> str:
    """The page of the one break of a kind."""
    async with house.runtime.database.begin() as session:
        found = (await session.scalars(sa.select(Break.id).where(Break.kind == kind))).one()
    return f"/settlement/breaks/{found}"


async def test_it_is_collected_again(
    house: House,
    double: Double,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    client: httpx.AsyncClient,
    sign_in: SignIn,
) -> None:
    made, debtor, _ = await disputed(house, double, tmp_path, monkeypatch)
    finance = await sign_in(Role.FINANCE)
    shown = await client.get(await break_of(house, BreakKind.RETURNED), headers=finance)
    here = f"/settlement/settlements/{made.reference}"
    assert f"{here}#failed" in shown.text
    shown = await client.get(here, headers=finance)
    assert "A payment came back" in shown.text
    again = f"{here}/legs/{debtor.reference}/again"
    assert again in shown.text
    assert (await client.post(again, headers=finance, data={"note": "called"})).status_code == 303
    await house.drive()
    assert await leg_status(house, made, f"{debtor.reference}-R1") is LegStatus.BOOKED
    assert len(people.found(double.world, "payment_intent", f"{debtor.reference}-R1")) == 1
    shown = await client.get(here, headers=finance)
    assert 'id="failed"' not in shown.text
    assert (await client.post(again, headers=finance, data={})).status_code == 409
    assert not await house.findings()


async def test_others_cover_it_in_a_settlement_of_its_own(
    house: House,
    double: Double,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    client: httpx.AsyncClient,
    sign_in: SignIn,
) -> None:
    made, debtor, _ = await disputed(house, double, tmp_path, monkeypatch)
    finance = await sign_in(Role.FINANCE)
    here = f"/settlement/settlements/{made.reference}"
    cover = f"{here}/legs/{debtor.reference}/cover"
    for wrong in ({"cover": "operator"}, {"cover": "nobody", "note": "bankrupt"}):
        answer = await client.post(cover, headers=finance, data=wrong)
        assert answer.headers["location"] == f"{here}#failed"  # with the words for it
    good = {"cover": "operator", "note": "bankrupt", "forgive": "yes"}
    answer = await client.post(cover, headers=finance, data=good)
    assert answer.status_code == 303
    opened = re.search(r"S-\d{4}-\d{4}", answer.headers["location"])
    assert opened is not None
    assert opened[0] != made.reference
    assert (
        "Of what a member failed to pay"
        in (await client.get(f"/settlement/settlements/{opened[0]}", headers=finance)).text
    )
    other = f"{here}-x/legs/{debtor.reference}/again"
    assert (await client.post(other, headers=finance, data={})).status_code == 404
    assert not await house.findings()


async def test_a_dispute_that_was_won_is_paid_ahead_and_nobody_is_charged_again(
    house: House,
    double: Double,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    client: httpx.AsyncClient,
    sign_in: SignIn,
) -> None:
    made, debtor, dispute = await disputed(house, double, tmp_path, monkeypatch)
    double.world.ahead_s = -3 * DAY_S
    payments.close_dispute(double.world, dispute, won=True)
    await read_day(house, double, tmp_path)
    finance = await sign_in(Role.FINANCE)
    at = await break_of(house, BreakKind.DUPLICATE)
    assert "a dispute was won" in (await client.get(at, headers=finance)).text
    slug = next(s for s, m in house.coalition.members.items() if m == debtor.member_id)
    how = {"how": "prefund", "member": slug, "note": "won"}
    assert (await client.post(f"{at}/resolve", headers=finance, data=how)).status_code == 303
    again = f"/settlement/settlements/{made.reference}/legs/{debtor.reference}/again"
    assert (await client.post(again, headers=finance, data={})).status_code == 303
    await house.drive()
    assert await leg_status(house, made, f"{debtor.reference}-R1") is LegStatus.BOOKED
    assert people.found(double.world, "payment_intent", f"{debtor.reference}-R1") == []
    assert not await house.findings()
    await prove(house.runtime)


async def test_a_transfer_that_comes_back_in_parts_is_one_return(
    house: House, double: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of it waits for a person; with the other nobody has to explain the lines."""
    monkeypatch.setattr(sweeping, "OVERLAP", timedelta(days=30))
    double.world.ahead_s = -6 * DAY_S
    made = await settled(house, double)
    await read_day(house, double, tmp_path)
    paid = next(
        leg
        for leg in (await house.legs(made)).values()
        if leg.direction is Direction.PAY and leg.amount_minor > 1
    )
    (transfer,) = people.found(double.world, "transfer", paid.reference)
    double.world.ahead_s = -5 * DAY_S
    transfers.reverse(double.world, transfer, {"amount": "1"})
    await read_day(house, double, tmp_path)
    await house.drive()
    assert await leg_status(house, made, paid.reference) is LegStatus.BOOKED
    assert await open_breaks(house) == [BreakKind.AMOUNT_DIFFERS]
    double.world.ahead_s = -4 * DAY_S
    transfers.reverse(double.world, transfer, {})
    await read_day(house, double, tmp_path)
    await house.drive()
    assert await leg_status(house, made, paid.reference) is LegStatus.RETURNED
    async with house.runtime.database.begin() as session:
        await matching.match(session)
        held = await books.balances(session, owner=books.rail_account("stripe"))
        assert [each for each in held if each.balance_micros] == []
    assert await open_breaks(house) == [BreakKind.RETURNED]
    assert not await house.findings()
    await prove(house.runtime)
