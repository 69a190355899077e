"""A charity with a campaign, people with points, and the worker that delivers gifts."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio
import sqlalchemy as sa

from charity import campaigns, giving, matching, registry
from charity.checks import CHECKS
from charity.domain import Surplus
from charity.giving import Given, Wish
from charity.models import Campaign, Gift, Match, Receipt
from charity.tasks import follow_all
from marketplace.clock import now, travel_to
from marketplace.coalition.domain import ContractRole
from marketplace.exchange.engine import BurnEngine
from marketplace.exchange.models import Offer
from marketplace.fulfilment.home import Home
from marketplace.fulfilment.tasks import Work
from marketplace.host import PluginHost
from marketplace.identity.domain import Principal, Role
from marketplace.identity.sessions import open_session
from marketplace.ids import uuid7
from marketplace.ledger.domain import Finding
from marketplace.ledger.models import Wallet
from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime
from marketplace.settings import Settings
from tests.factories import Coalition, make_person

RATE_MICROS = 7_500
IBAN = "IT60X0542811101000000123456"
OPERATOR = Principal(
    credential_id=UUID(int=1),
    caller_id=UUID(int=1),
    actor="person:operator",
    is_operator=True,
    roles=frozenset({Role.OPERATOR}),
)


class Cause:
    """Steps of giving, as people and the worker take them."""

    def __init__(self, coalition: Coalition, engine: BurnEngine, work: Work) -> None:
        self.coalition, self.engine, self.work = coalition, engine, work
        self.runtime: Runtime = coalition.runtime
        self.people: dict[str, Principal] = {}
        self.host = PluginHost("charity", lambda: self.runtime.database, lambda: self.runtime.vault)

    async def register(self, slug: str = "aqua", **more: Any) -> None:
        """A charity: a member that accepts points, registered, not verified."""
        member = more.pop("member", slug)
        if member not in self.coalition.members:
            await self.coalition.add_member(member, role=ContractRole.ACCEPTOR)
        new = {
            "slug": slug,
            "member": member,
            "legal_name": f"Fondazione {slug.title()}",
            "country": "DE",
            "number": "VR 1234",
            "iban": IBAN,
            **more,
        }
        async with self.runtime.database.begin() as session:
            await registry.register(session, registry.NewCharity(**new), actor="test")

    async def verify(self, slug: str = "aqua", *, days: int = 365) -> None:
        """Somebody looked at its documents; the review is due in so many days."""
        async with self.runtime.database.begin() as session:
            today: date = (await now(session)).date()
            await registry.verify(
                session,
                slug,
                document="register extract",
                verified_on=today,
                review_due_on=today + timedelta(days=days),
                actor="test",
            )

    async def start(self, slug: str = "wells", **more: Any) -> Campaign:
        """A campaign that gifts cannot be taken back from, unless said otherwise."""
        new: dict[str, Any] = {
            "slug": slug,
            "charity": "aqua",
            "currency": "EUR",
            "rate_micros": RATE_MICROS,
            "goal_micros": 1_000_000_000,
            "surplus": Surplus.GENERAL_FUND,
            "texts": {
                "en": campaigns.Text(title="Wells", story="Ten wells."),
                "it": campaigns.Text(title="Pozzi", story="Dieci pozzi."),
            },
            "grace_minutes": 0,
            **more,
        }
        async with self.runtime.database.begin() as session:
            made = await campaigns.start(session, OPERATOR, campaigns.NewCampaign(**new))
        self.coalition.offers[slug] = made.offer_id
        return made

    async def match(self, member: str, *, cap: int, **more: Any) -> Match:
        """A member matches gifts to the wells, point for point."""
        new = {"campaign": "wells", "ratio_bps": 10_000, **more}
        asked = matching.NewMatch(member=member, cap_points=cap, **new)
        async with self.runtime.database.begin() as session:
            return await session.run_sync(matching.start, asked, "test")

    async def person(self, name: str, role: Role = Role.PARTICIPANT) -> Principal:
        """Somebody signed in."""
        if name not in self.people:
            person = await make_person(self.coalition, role, name)
            async with self.runtime.database.begin() as session:
                opened = await open_session(session, person, days=1)
                sign_in = await session.scalar(
                    sa.text("select id from sign_in where person_id = :person"),
                    {"person": person.id},
                )
            assert opened.token
            self.people[name] = Principal(
                credential_id=sign_in,
                caller_id=person.id,
                actor=f"person:{person.id}",
                roles=frozenset({role.value}),
                participant_id=person.participant_id,
                firm_id=person.firm_id,
            )
        return self.people[name]

    async def pool(self, firm: str = "acme") -> UUID:
        """A firm's pooled wallet."""
        wallet_id = self.coalition.wallets[firm] = uuid7()
        await self.coalition._add(
            Wallet(
                id=wallet_id,
                firm_id=self.coalition.firms[firm],
                sponsor_id=self.coalition.members["alpha"],
            )
        )
        return wallet_id

    async def give(self, points: int, who: str = "ann", **more: Any) -> Given:
        """Somebody gives to the wells."""
        role = Role.FIRM_MANAGER if who in self.coalition.firms else Role.PARTICIPANT
        wish = {
            "campaign": "wells",
            "wallet_id": self.coalition.wallets[who],
            "points": points,
            "key": secrets.token_hex(8),
            **more,
        }
        return await giving.give(
            self.runtime.database, self.engine, await self.person(who, role), Wish(**wish)
        )

    async def deliver(self, *given: Given) -> None:
        """The worker takes these orders; gifts follow their burns."""
        pairs = [
            (str(each.burn_id), str((await self.gift(each.burn_id)).wallet_id)) for each in given
        ]
        await asyncio.to_thread(self.work.fulfil, "charity", pairs, False)
        await self.follow()

    async def follow(self) -> int:
        """The clock asks what became of burns."""
        return await asyncio.to_thread(follow_all, self.host)

    async def done(self, points: int, who: str = "ann", **more: Any) -> Given:
        """A gift that is captured."""
        given = await self.give(points, who, **more)
        assert given.error is None
        await self.deliver(given)
        return given

    async def gift(self, burn_id: UUID) -> Gift:
        """A gift as it is now."""
        async with self.runtime.database.begin() as session:
            return await session.get_one(Gift, burn_id)

    async def campaign(self, slug: str = "wells") -> Campaign:
        """A campaign as it is now."""
        async with self.runtime.database.begin() as session:
            return await campaigns.find(session, slug)

    async def campaign_offer(self, slug: str = "wells") -> Offer:
        """What one burns on to give to a campaign."""
        async with self.runtime.database.begin() as session:
            return await session.get_one(Offer, self.coalition.offers[slug])

    async def raised(self, slug: str = "wells") -> campaigns.Raised:
        """What a campaign has."""
        async with self.runtime.database.begin() as session:
            campaign = await campaigns.find(session, slug)
            return (await campaigns.raised(session, [campaign]))[campaign.id]

    async def receipts(self) -> list[Receipt]:
        """Every receipt, in order of number."""
        async with self.runtime.database.begin() as session:
            query = sa.select(Receipt).order_by(Receipt.charity_id, Receipt.year, Receipt.number)
            return list(await session.scalars(query))

    async def used(self, match: Match) -> int:
        """Points that a match has given or promised."""
        async with self.runtime.database.begin() as session:
            return (await session.get_one(Match, match.id)).used_points

    async def owed(self) -> dict[str, int]:
        """Micros that members owe charities outside burns, by member."""
        query = """
            select m.slug, sum(d.amount_micros)::bigint from member_debt d
            join member m on m.id = d.debtor_id group by m.slug having sum(d.amount_micros) <> 0
        """
        async with self.runtime.database.begin() as session:
            return {row[0]: row[1] for row in await session.execute(sa.text(query))}

    async def balance(self, who: str = "ann") -> tuple[int, int]:
        """(available, held) of a wallet."""
        async with self.runtime.database.begin() as session:
            wallet = await session.get_one(Wallet, self.coalition.wallets[who])
            return wallet.available, wallet.held

    async def travel(self, ahead: timedelta) -> None:
        """Time passes; what people are signed in with lasts."""
        async with self.runtime.database.begin() as session:
            await travel_to(session, await now(session) + ahead, allowed=True)

    async def findings(self) -> list[Finding]:
        """What is wrong with the ledger and with charity: nothing."""
        async with self.runtime.database.begin() as session:
            return [*await verify(session), *await verify(session, checks=CHECKS)]


@pytest_asyncio.fixture
async def cause(coalition: Coalition, settings: Settings) -> AsyncIterator[Cause]:
    """Aqua is verified and collects for wells; ann and bob have 10,000 points each."""
    engine = BurnEngine(
        coalition.runtime.database.connect_raw,
        queue_limit=1_000,
        batch_limit=64,
        hold_for=timedelta(minutes=30),
        rules={},
    )
    await engine.start()
    home = Home(settings)
    await asyncio.to_thread(home.open)
    # Observers hear on threads of their own, which a test cannot wait for: the clock asks instead.
    home.runtime.tell = lambda facts: None  # type: ignore[method-assign]
    made = Cause(coalition, engine, Work(home))
    await coalition.issue("ann", 10_000)
    await coalition.issue("bob", 10_000, issuer="beta")
    await made.register()
    await made.verify()
    await made.start()
    yield made
    await asyncio.to_thread(home.close)
    await engine.stop()
