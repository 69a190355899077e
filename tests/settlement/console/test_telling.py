"""Who hears of what: members of their statements, disputes and payments, finance of what waits."""

from __future__ import annotations

import httpx
import pytest
import sqlalchemy as sa

from marketplace.clock import now, travel_to
from marketplace.identity.domain import Role
from marketplace.identity.models import Person
from marketplace.ids import uuid7
from marketplace.notices.models import Notice
from settlement.bank import breaking
from settlement.bank.domain import BreakKind
from settlement.disputes import service as disputing
from settlement.disputes.domain import line_id
from settlement.disputes.service import NewDispute
from tests.exchange.browsing import Browser
from tests.factories import Coalition, days, make_person
from tests.settlement.clearing.house import ANNA, House
from tests.settlement.console.test_own_money import Make, spend


@pytest.fixture
def house(coalition: Coalition) -> House:
    """Steps of finance."""
    return House(coalition)


async def told(coalition: Coalition) -> dict[str, list[str]]:
    """Kinds of notice by the name of who has them, in order."""
    async with coalition.runtime.database.begin() as session:
        rows = await session.execute(
            sa.select(Person.name, Notice.kind, Notice.in_app)
            .join(Notice, Notice.person_id == Person.id)
            .where(Person.roles.overlap([Role.PARTNER.value, Role.FINANCE.value]))
            .order_by(Notice.id)
        )
        found: dict[str, list[str]] = {}
        for name, kind, in_app in rows:
            assert in_app
            found.setdefault(name, []).append(kind)
        return found


async def test_each_hears_of_its_own(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, house: House
) -> None:
    shop = Browser(client, await sign_in(Role.PARTNER))
    for role, of in ((Role.PARTNER, "alpha"), (Role.PARTNER, "tickets"), (Role.FINANCE, None)):
        await make_person(coalition, role, of)
    await spend(client, coalition, sign_in)
    window = await house.close_window()
    ready = {"partner of shop": ["statement_ready"], "partner of alpha": ["statement_ready"]}
    assert await told(coalition) == ready
    said = await shop.open("/notices")
    assert "Look through its lines" in said
    opened = await shop.post("/notices/open", **shop.form("/notices/open"))
    assert opened.headers["location"] == f"/settlement/partner/windows/{window}"

    async with coalition.runtime.database.begin() as session:
        name = (await session.execute(sa.text("select wallet_id, id from obligation"))).one()
        line = line_id(f"{name[0]}:{name[1]}")
        asked = NewDispute(coalition.members["shop"], [line], "Too little.")
        made = await disputing.open_dispute(session, asked, actor=ANNA)
    assert (await told(coalition))["finance of operator"] == ["dispute_opened"]
    async with coalition.runtime.database.begin() as session:
        await disputing.decide(session, made.id, upheld=False, actor=ANNA, note="It was\nright.")
    assert "The lines are settled as they are. It was right." in await shop.open("/notices")

    settlement = await house.approved()
    await house.accounts("online")
    house.online.refuses["Alpha"] = "no mandate"
    await house.submit(settlement)
    await house.drive()
    assert await told(coalition) == {
        "partner of shop": ["statement_ready", "dispute_rejected"],
        "partner of alpha": ["statement_ready", "payment_failed"],
        "finance of operator": ["dispute_opened"],
    }
    alpha = Browser(client, await sign_in(Role.PARTNER, "alpha"))
    assert "payment failed" not in await alpha.open("/notices")  # it was not theirs to hear then


async def test_finance_hears_once_a_day_of_breaks_that_stay(
    coalition: Coalition, house: House
) -> None:
    await make_person(coalition, Role.FINANCE)
    await make_person(coalition, Role.PARTNER)
    database = coalition.runtime.database
    async with database.begin() as session:
        today = (await now(session)).date()
        await breaking.open_(
            session,
            kind=BreakKind.UNKNOWN_PAYER,
            subject_id=uuid7(),
            currency="EUR",
            amount_micros=5_000_000,
            opened_on=today,
            reason="Nobody knows.",
        )
        assert await breaking.tell_waiting(session) == 0
        await travel_to(session, await now(session) + days(2), allowed=True)
    async with database.begin() as session:
        assert await breaking.tell_waiting(session) == 1
        assert await breaking.tell_waiting(session) == 0
    assert await told(coalition) == {"finance of operator": ["breaks_wait"]}
