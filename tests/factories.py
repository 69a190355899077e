"""Makes a small, believable coalition for tests, through the same tables the product uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from argon2 import PasswordHasher

from marketplace.coalition.domain import Breakage, ContractRole, Funding
from marketplace.coalition.models import Contract, Firm, Member, Participant
from marketplace.exchange.domain import OfferStatus
from marketplace.exchange.models import Offer, OfferStock
from marketplace.identity.domain import Role, Scope
from marketplace.identity.keys import create_key
from marketplace.identity.models import Person
from marketplace.identity.people import STAFF
from marketplace.identity.sessions import open_session
from marketplace.ids import uuid7
from marketplace.ledger.models import Wallet
from marketplace.registry.activation import activate
from marketplace.registry.repository import put_member
from marketplace.runtime import Runtime

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PRICE_MICROS = 8_000


@dataclass
class Coalition:
    """Ids by name. `members`: operator, alpha and beta (issuers), shop and tickets (acceptors)."""

    runtime: Runtime
    members: dict[str, UUID] = field(default_factory=dict)
    contracts: dict[str, UUID] = field(default_factory=dict)
    firms: dict[str, UUID] = field(default_factory=dict)
    participants: dict[str, UUID] = field(default_factory=dict)
    wallets: dict[str, UUID] = field(default_factory=dict)
    offers: dict[str, UUID] = field(default_factory=dict)

    @classmethod
    async def make(cls, runtime: Runtime) -> Coalition:
        """Members with contracts, one firm sponsored by alpha, participants ann and bob."""
        made = cls(runtime)
        await made.add_member("operator", role=ContractRole.BOTH, is_operator=True)
        await made.add_member("alpha", role=ContractRole.BOTH)
        await made.add_member("beta", role=ContractRole.BOTH)
        await made.add_member("shop", role=ContractRole.ACCEPTOR)
        await made.add_member("tickets", role=ContractRole.ACCEPTOR)
        await made.add_firm("acme", sponsor="alpha")
        await made.add_participant("ann", firm="acme")
        await made.add_participant("bob", firm="acme")
        await made.add_offer("card", acceptor="shop")
        await made.activate("giftfund")
        return made

    async def _add(self, *rows: Any) -> None:
        async with self.runtime.database.begin() as session:
            for row in rows:
                session.add(row)
                await session.flush()

    async def add_member(
        self, slug: str, *, role: ContractRole, is_operator: bool = False, **terms: Any
    ) -> UUID:
        """A member and its contract, EUR 0.008 a point, funded at redemption unless said."""
        member_id = self.members[slug] = uuid7()
        contract_id = self.contracts[slug] = uuid7()
        values: dict[str, Any] = {
            "funding": Funding.REDEMPTION,
            "currency": "EUR",
            "price_micros": PRICE_MICROS,
            "breakage": Breakage.OPERATOR,
            "fee_bps": 0,
            "valid_from": LONG_AGO,
            **terms,
        }
        await self._add(
            Member(
                id=member_id, slug=slug, name=slug.title(), country="DE", is_operator=is_operator
            ),
            Contract(
                id=contract_id, reference=f"C-{slug}", member_id=member_id, role=role, **values
            ),
        )
        return member_id

    async def add_firm(self, reference: str, *, sponsor: str | None, country: str = "DE") -> UUID:
        """A firm, sponsored by a member."""
        firm_id = self.firms[reference] = uuid7()
        sponsor_id = self.members[sponsor] if sponsor else None
        await self._add(
            Firm(
                id=firm_id,
                reference=reference,
                name=reference.title(),
                country=country,
                sponsor_id=sponsor_id,
            )
        )
        return firm_id

    async def add_participant(self, name: str, *, firm: str, role: str = "buyer") -> UUID:
        """A participant with an empty wallet; returns the wallet's id."""
        participant_id = self.participants[name] = uuid7()
        wallet_id = self.wallets[name] = uuid7()
        async with self.runtime.database.begin() as session:
            firm_row = await session.get_one(Firm, self.firms[firm])
        await self._add(
            Participant(
                id=participant_id,
                reference=f"P-{name}",
                firm_id=self.firms[firm],
                name=name.title(),
                email=f"{name}@{firm}.example",
                role=role,
                locale="en",
            ),
            Wallet(id=wallet_id, participant_id=participant_id, sponsor_id=firm_row.sponsor_id),
        )
        return wallet_id

    async def add_offer(
        self, reference: str, *, acceptor: str, stock: int | None = None, **terms: Any
    ) -> UUID:
        """An offer on sale: 1,000 points, the acceptor gets EUR 7.00, unless said otherwise."""
        offer_id = self.offers[reference] = uuid7()
        values: dict[str, Any] = {
            "kind": "gift",
            "name": reference.title(),
            "plugin": "giftfund",
            "sku": reference,
            "points": 1_000,
            "cost_micros": 7_000_000,
            "currency": "EUR",
            "status": OfferStatus.ON_SALE,
            "eligibility": {},
            **terms,
        }
        offer = Offer(
            id=offer_id, reference=reference, acceptor_id=self.members[acceptor], **values
        )
        stock_rows = [] if stock is None else [OfferStock(offer_id=offer_id, remaining=stock)]
        await self._add(offer, *stock_rows)
        return offer_id

    async def activate(self, plugin: str, *members: str) -> None:
        """Let an installed plugin deliver, as the operator does, and enable it for members.

        Offers of a plugin nobody knows are open: a closure is a row, and here none was written.
        """
        async with self.runtime.database.begin() as session:
            await activate(session, self.runtime.settings, plugin, actor="test", reason="A test.")
            for member in members:
                await put_member(session, plugin, self.members[member], enabled=True)

    async def issue(
        self,
        participant: str,
        points: int,
        *,
        issuer: str = "alpha",
        reference: str | None = None,
        effective_at: datetime | None = None,
        expires_at: datetime | None = None,
    ) -> None:
        """Issue points to a participant's wallet."""
        from marketplace.ledger.domain import Issuance
        from marketplace.ledger.issuing import issue

        issuance = Issuance(
            reference=reference or str(uuid7()),
            wallet_id=self.wallets[participant],
            points=points,
            effective_at=effective_at,
            expires_at=expires_at,
        )
        async with self.runtime.database.begin() as session:
            await issue(session, self.members[issuer], [issuance])


def days(count: int) -> timedelta:
    """So many days."""
    return timedelta(days=count)


PASSWORD = "correct horse battery"
# One hash for everybody that tests sign in: hashing takes longer than the rest of a test.
PASSWORD_HASH = PasswordHasher().hash(PASSWORD)
OF = {
    Role.PARTICIPANT: "ann",
    Role.FIRM_MANAGER: "acme",
    Role.PARTNER: "shop",
    Role.FINANCE: "operator",
    Role.OPERATOR: "operator",
}


async def make_key(coalition: Coalition, member: str, *scopes: Scope) -> str:
    """A new API key of a member."""
    async with coalition.runtime.database.begin() as session:
        made = await create_key(session, "test", member=member, label="test", scopes=scopes)
    return made.key


async def make_person(
    coalition: Coalition, role: Role, of: str | None = None, *, email: str | None = None
) -> Person:
    """A person with one role and the password PASSWORD; `of` as in the fixture `sign_in`."""
    whose = of or OF[role]
    person_id = uuid7()
    person = Person(
        id=person_id,
        email=email or f"{role}-{person_id}@people.example",
        name=f"{role} of {whose}",
        password_hash=PASSWORD_HASH,
        roles=[role.value],
        participant_id=coalition.participants[whose] if role is Role.PARTICIPANT else None,
        firm_id=coalition.firms[whose] if role is Role.FIRM_MANAGER else None,
        member_id=coalition.members[whose] if role in STAFF else None,
    )
    await coalition._add(person)
    return person


async def make_session(coalition: Coalition, role: Role, of: str | None = None) -> str:
    """A new person with one role, signed in; returns the session's token."""
    person = await make_person(coalition, role, of)
    async with coalition.runtime.database.begin() as session:
        return (await open_session(session, person, days=1)).token
