"""People of the shop and what happens around them while a browser looks on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from uuid import UUID

import httpx
import sqlalchemy as sa
from cryptography.fernet import Fernet

from catalog import alerts
from marketplace import api
from marketplace.exchange.domain import FulfilmentState
from marketplace.exchange.models import Burn
from marketplace.exchange.resolution import Delivery, VoidRequest, capture, void
from marketplace.fulfilment.models import Artefact
from marketplace.identity.domain import Role
from marketplace.identity.models import Person
from marketplace.identity.sessions import open_session
from marketplace.runtime import Runtime
from tests.browser.shelf import ELSEWHERE
from tests.conftest import SECRET_KEY
from tests.factories import Coalition, days, make_person

FIRM = "acme"
WAITS = "atlantico/brunch"
"""An offer whose partner answers only when a test says so; 6,000 points."""
CODE = "BRUNCH-7F3K-99QX"


@dataclass(frozen=True)
class Somebody:
    """A participant, signed in; the password is that of `tests.factories`."""

    name: str
    email: str
    token: str


class Life:
    """What people and partners do, without a browser."""

    def __init__(self, coalition: Coalition, runtime: Runtime, address: str) -> None:
        self.coalition = coalition
        self.runtime = runtime
        self.address = address
        self._numbers = count(1)

    async def newcomer(
        self, points: int = 0, *, name: str = "Nora", firm: str = FIRM, new: bool = False
    ) -> Somebody:
        """A participant of their own for a test, who has put the guide away unless `new`."""
        key = f"{name}-{next(self._numbers)}".lower()
        await self.coalition.add_participant(key, firm=firm)
        if points:
            await self.coalition.issue(key, points, reference=f"Order of {key}")
        email = f"{key}@{firm}.example"
        person = await make_person(self.coalition, Role.PARTICIPANT, key, email=email)
        async with self.runtime.database.begin() as session:
            seen_at = None if new else sa.func.now()
            them = sa.update(Person).where(Person.id == person.id)
            await session.execute(them.values(name=key.title(), guide_seen_at=seen_at))
            token = (await open_session(session, person, days=1)).token
        return Somebody(key.title(), email, token)

    async def staff(self, role: Role) -> str:
        """The session of somebody who is no participant."""
        person = await make_person(self.coalition, role)
        async with self.runtime.database.begin() as session:
            return (await open_session(session, person, days=1)).token

    async def give_points(self, who: Somebody, points: int) -> None:
        """A company of the coalition gives points."""
        await self.coalition.issue(who.name.lower(), points)

    async def burn(self, who: Somebody, offer: str = WAITS) -> str:
        """They burn points elsewhere, in another program; the address of the reward."""
        async with httpx.AsyncClient(base_url=self.address, timeout=60) as client:
            headers = {"Authorization": f"Bearer {who.token}"}
            body = {
                "wallet_id": str(self.coalition.wallets[who.name.lower()]),
                "offer_id": str(self.coalition.offers[offer]),
            }
            key = {"Idempotency-Key": f"key-{next(self._numbers)}"}
            answer = await client.post("/v1/burns", json=body, headers={**headers, **key})
            assert answer.status_code == 201, answer.text
            return f"/rewards/{answer.json()['id']}"

    async def give(self, reward: str, giver: Somebody, colleague: Somebody) -> None:
        """A colleague gets the reward."""
        async with httpx.AsyncClient(base_url=self.address, timeout=60) as client:
            answer = await client.post(
                f"/v1/burns/{reward.removeprefix('/rewards/')}/gift",
                json={
                    "colleague_id": str(self.coalition.participants[colleague.name.lower()]),
                    "message": "For the long nights before the fair.",
                },
                headers={"Authorization": f"Bearer {giver.token}"},
            )
            assert answer.status_code in (200, 201), answer.text

    async def deliver(self, reward: str) -> None:
        """The partner delivers a code."""
        code = api.Artefact(kind="code", label="Brunch for two", secret=CODE)
        burn = await self.burn_of(reward)
        done = Delivery(burn.id, burn.wallet_id, ELSEWHERE, f"V-{burn.id}", (code,))
        async with self.runtime.database.begin() as session:
            assert await capture(session, [done], vault=self.runtime.vault)

    async def refuse(self, reward: str, reason: str = "The house is closed for a month.") -> None:
        """The partner refuses for good."""
        burn = await self.burn_of(reward)
        async with self.runtime.database.begin() as session:
            asked = [VoidRequest(burn.id, burn.wallet_id, reason)]
            assert await void(session, asked, grace=days(30))

    async def order(self, reward: str, state: FulfilmentState) -> None:
        """The order is at `state`."""
        async with self.runtime.database.begin() as session:
            ours = sa.update(Burn).where(Burn.id == id_of(reward))
            await session.execute(ours.values(fulfilment=state, attempts=1))

    async def spoil(self, reward: str) -> None:
        """What was delivered can no longer be read, by a fault of ours."""
        async with self.runtime.database.begin() as session:
            ours = sa.update(Artefact).where(Artefact.burn_id == id_of(reward))
            await session.execute(ours.values(secret=Fernet(SECRET_KEY).encrypt(b"\xff")))

    async def rewards_of(self, who: Somebody) -> int:
        """How many burns they have made."""
        wallet = self.coalition.wallets[who.name.lower()]
        async with self.runtime.database.begin() as session:
            found = sa.select(sa.func.count()).select_from(Burn).where(Burn.wallet_id == wallet)
            return (await session.execute(found)).scalar_one()

    async def look_at_wishes(self) -> None:
        """What the schedule does every two minutes: tell of wishes that have come within reach."""
        async with self.runtime.database.begin() as session:
            await alerts.tell_affordable(session, {})

    async def burn_of(self, reward: str) -> Burn:
        """The burn of a reward's address."""
        async with self.runtime.database.begin() as session:
            found = await session.scalar(sa.select(Burn).where(Burn.id == id_of(reward)))
        assert found is not None
        return found


def id_of(reward: str) -> UUID:
    """The burn of a reward's address."""
    return UUID(reward.removeprefix("/rewards/"))
