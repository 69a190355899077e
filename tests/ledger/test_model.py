"""Random operation sequences agree with a small in-memory model, and verify finds nothing.

The model knows wallets as lists of lots and nothing about tables, batches or money.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from marketplace.clock import now
from marketplace.coalition.domain import Breakage, ContractRole, Funding
from marketplace.ledger import repository
from marketplace.ledger.models import Exposure
from marketplace.ledger.verify import verify
from marketplace.runtime import open_runtime
from tests.conftest import FreshDatabase, make_settings
from tests.factories import PRICE_MICROS, Coalition, days
from tests.ledger.driver import GRACE, Driver

OFFERS = {"card": 1_000, "lamp": 300, "pin": 7, "rare": 40, "once": 25}
RARE, ONCE = 5, 3
"""Units of "rare" there are, and of "once" for each wallet."""
WALLETS = ("ann", "bob")
ISSUERS = ("alpha", "beta", "gamma", "delta", "omega")
CAPPED, CAP_POINTS = "omega", 2_000
"""This issuer owes no more than the price of so many points, held or spent."""


@dataclass
class ModelLot:
    """Points with a date."""

    remaining: int
    expires_at: datetime | None
    capped: bool = False

    def lives(self, moment: datetime) -> bool:
        return self.expires_at is None or self.expires_at > moment


@dataclass
class ModelBurn:
    """A burn and the lots it drew on, in order."""

    id: uuid.UUID
    wallet: str
    parts: list[tuple[ModelLot, int]]
    offer: str
    quantity: int
    status: str = "held"

    @property
    def points(self) -> int:
        return sum(points for _, points in self.parts)

    def give_back(self, points: int, moment: datetime) -> None:
        """The last points drawn go back first; a lot that has expired lives on for the grace."""
        while points:
            lot, drawn = self.parts.pop()
            back = min(drawn, points)
            if drawn > back:
                self.parts.append((lot, drawn - back))
            lot.remaining += back
            if not lot.lives(moment):
                lot.expires_at = moment + GRACE
            points -= back


@dataclass
class Model:
    """All wallets."""

    lots: dict[str, list[ModelLot]] = field(default_factory=lambda: {name: [] for name in WALLETS})
    burns: list[ModelBurn] = field(default_factory=list)

    def burn(
        self, wallet: str, offer: str, quantity: int, moment: datetime
    ) -> list[tuple[ModelLot, int]] | str:
        """What is drawn, or why nothing is: limit, stock, cap and points are looked at in turn."""
        taken = {
            each: sum(
                burn.quantity
                for burn in self.burns
                if burn.offer == each
                and burn.status != "voided"
                # One may have it again that was refunded whole, but its unit is gone.
                and (each == "rare" or (burn.wallet == wallet and burn.parts))
            )
            for each in ("rare", "once")
        }
        if offer == "once" and taken["once"] + quantity > ONCE:
            return "limit_reached"
        if offer == "rare" and taken["rare"] + quantity > RARE:
            return "sold_out"
        parts = self.draw(wallet, OFFERS[offer] * quantity, moment)
        owed = sum(n for burn in self.burns for lot, n in burn.parts if lot.capped)
        capped = sum(points for lot, points in parts if lot.capped)
        if capped and owed + capped > CAP_POINTS:
            return "exposure_cap"
        if sum(points for _, points in parts) < OFFERS[offer] * quantity:
            return "insufficient_points"
        for lot, points in parts:
            lot.remaining -= points
        return parts

    def draw(self, wallet: str, needed: int, moment: datetime) -> list[tuple[ModelLot, int]]:
        """The points there are up to `needed`, soonest expiry first, then oldest."""
        # Sorting is stable, and lots are listed oldest first.
        live = [lot for lot in self.lots[wallet] if lot.remaining and lot.lives(moment)]
        live.sort(key=lambda lot: (lot.expires_at is None, lot.expires_at))
        parts = []
        for lot in live:
            taken = min(lot.remaining, needed)
            if taken:
                needed -= taken
                parts.append((lot, taken))
        return parts

    def balance(self, wallet: str, moment: datetime) -> tuple[int, int]:
        """Points available and held."""
        available = sum(lot.remaining for lot in self.lots[wallet] if lot.lives(moment))
        held = [b for b in self.burns if b.wallet == wallet and b.status == "held"]
        return available, sum(burn.points for burn in held)


class Ledger(RuleBasedStateMachine):
    """The real exchange beside the model."""

    fresh_database: FreshDatabase

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.loop = asyncio.Runner()
        self.database = type(self).fresh_database()
        self.opened = open_runtime(make_settings(self.database.__enter__()))
        self.runtime = self.run(self.opened.__aenter__())
        self.coalition: Coalition = self.run(self.make_coalition())
        self.started = Driver.start(self.coalition)
        self.drive: Driver = self.run(self.started.__aenter__())

    def run(self, work: Any) -> Any:
        return self.loop.run(work)

    async def make_coalition(self) -> Coalition:
        coalition = await Coalition.make(self.runtime)
        await coalition.add_member(
            "gamma", role=ContractRole.BOTH, funding=Funding.ISSUANCE, breakage=Breakage.SHARED
        )
        await coalition.add_member(
            "delta",
            role=ContractRole.BOTH,
            funding=Funding.MIXED,
            pooled_bps=3_333,
            price_micros=8_017,
            breakage=Breakage.SHARED,
        )
        await coalition.add_offer("lamp", acceptor="tickets", points=300, cost_micros=4_000_001)
        await coalition.add_offer(
            "pin", acceptor="alpha", points=7, cost_micros=55_555, stock=10**6
        )
        await coalition.add_offer("rare", acceptor="shop", points=40, cost_micros=99, stock=RARE)
        await coalition.add_offer(
            "once", acceptor="shop", points=25, cost_micros=77, limit_per_wallet=ONCE
        )
        await coalition.add_member(
            CAPPED, role=ContractRole.BOTH, exposure_cap_micros=CAP_POINTS * PRICE_MICROS
        )
        async with self.runtime.database.begin() as session:
            for issuer in ("alpha", CAPPED):
                session.add(Exposure(member_id=coalition.members[issuer], used_micros=0))
        return coalition

    def now(self) -> datetime:
        async def read() -> datetime:
            async with self.runtime.database.begin() as session:
                return await now(session)

        moment: datetime = self.run(read())
        return moment

    @initialize(wallet=st.sampled_from(WALLETS))
    def begin(self, wallet: str) -> None:
        self.issue(wallet, "alpha", 2_500, None)

    @rule(
        wallet=st.sampled_from(WALLETS),
        issuer=st.sampled_from(ISSUERS),
        points=st.integers(1, 3_000),
        life=st.none() | st.integers(1, 40),
    )
    def issue(self, wallet: str, issuer: str, points: int, life: int | None) -> None:
        expires_at = None if life is None else self.now() + days(life)
        self.run(self.coalition.issue(wallet, points, issuer=issuer, expires_at=expires_at))
        self.model.lots[wallet].append(ModelLot(points, expires_at, issuer == CAPPED))

    @rule(
        wallet=st.sampled_from(WALLETS),
        offer=st.sampled_from(sorted(OFFERS)),
        quantity=st.integers(1, 3),
    )
    def burn(self, wallet: str, offer: str, quantity: int) -> None:
        answer = self.run(self.drive.ask(wallet, offer, quantity))
        expected = self.model.burn(wallet, offer, quantity, self.now())
        if isinstance(expected, str):
            assert answer.error is not None
            assert answer.error.code == expected
        else:
            assert answer.held is not None, answer.error
            burn = ModelBurn(answer.held.id, wallet, expected, offer, quantity)
            self.model.burns.append(burn)

    def of_status(self, status: str) -> list[ModelBurn]:
        return [burn for burn in self.model.burns if burn.status == status and burn.parts]

    @precondition(lambda self: self.of_status("held"))
    @rule(data=st.data())
    def capture(self, data: st.DataObject) -> None:
        burn = data.draw(st.sampled_from(self.of_status("held")))
        self.run(self.drive.capture(burn.wallet, burn.id))
        burn.status = "captured"

    @precondition(lambda self: self.of_status("held"))
    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        burn = data.draw(st.sampled_from(self.of_status("held")))
        self.sweep_model(burn.wallet)
        self.run(self.drive.void(burn.wallet, burn.id))
        burn.status = "voided"
        burn.give_back(burn.points, self.now())

    @precondition(lambda self: self.of_status("captured"))
    @rule(data=st.data())
    def refund(self, data: st.DataObject) -> None:
        burn = data.draw(st.sampled_from(self.of_status("captured")))
        points = data.draw(st.integers(1, burn.points))
        self.sweep_model(burn.wallet)
        self.run(self.drive.refund(burn.wallet, burn.id, points))
        burn.give_back(points, self.now())

    @rule(hours=st.integers(1, 24 * 20))
    def later(self, hours: int) -> None:
        self.run(self.drive.later(days(hours) / 24))

    @rule()
    def expire(self) -> None:
        self.run(self.drive.expire())
        self.sweep_model(*WALLETS)

    def sweep_model(self, *wallets: str) -> None:
        """What has expired is gone for good; voids and refunds do this for their own wallet."""
        moment = self.now()
        for lot in (lot for wallet in wallets for lot in self.model.lots[wallet]):
            if not lot.lives(moment):
                lot.remaining = 0

    def teardown(self) -> None:
        try:
            moment = self.now()
            for wallet in WALLETS:
                assert self.balance(wallet) == self.model.balance(wallet, moment)
            assert self.run(self.findings()) == []
        finally:
            self.run(self.started.__aexit__(None, None, None))
            self.run(self.opened.__aexit__(None, None, None))
            self.loop.close()
            self.database.__exit__(None, None, None)

    def balance(self, wallet: str) -> tuple[int, int]:
        async def read() -> tuple[int, int]:
            async with self.runtime.database.begin() as session:
                found = await repository.balance(session, self.coalition.wallets[wallet])
                return found.available, found.held

        pair: tuple[int, int] = self.run(read())
        return pair

    async def findings(self) -> list[Any]:
        async with self.runtime.database.begin() as session:
            return list(await verify(session))


@pytest.mark.slow
def test_random_operations_agree_with_a_model(fresh_database: FreshDatabase) -> None:
    machine = type("OnThisServer", (Ledger,), {"fresh_database": staticmethod(fresh_database)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
