"""What members and participants do in a random life, before anything is settled."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import currently_in_test_context, event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from marketplace.runtime import open_runtime
from tests.conftest import FreshDatabase, make_settings
from tests.ledger.driver import Driver
from tests.settlement.chain.naive import OPERATOR, Burn, Line, Terms, World
from tests.settlement.chain.naive_house import House, Settlement
from tests.settlement.chain.stage import Stage

CURRENCIES = ("EUR", "JPY")
WALLETS = ("ann", "bob")
MOST_POINTS = 120
MICROS = st.integers(1, 3_000_000) | st.sampled_from([5_000, 15_000, 1_500_000, 10_000])

TERMS = st.builds(
    Terms,
    currency=st.sampled_from(CURRENCIES),
    price=st.integers(2, 60_000),
    funding=st.sampled_from(["redemption", "issuance", "mixed"]),
    # A share below one micro is no share.
    pooled_bps=st.integers(5_000, 9_999),
    breakage=st.sampled_from(["operator", "issuer", "shared"]),
    fee_bps=st.sampled_from([0, 1, 33, 150, 999]),
)


class Points(RuleBasedStateMachine):
    """Points and debts: whatever makes lines."""

    fresh_database: FreshDatabase

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.database = type(self).fresh_database()
        self.opened = open_runtime(make_settings(self.database.__enter__()))
        self.runtime = self.run(self.opened.__aenter__())
        self.started: Any = None
        self.windows: dict[int, UUID] = {}
        self.ids: dict[Settlement, UUID] = {}
        self.disputes: dict[Line, UUID] = {}
        self.burns: dict[Burn, UUID] = {}
        self.offers = 0
        self.reached: Counter[str] = Counter()

    def note(self, what: str) -> None:
        """Count what was reached, in the statistics of a random life too."""
        self.reached[what] += 1
        if currently_in_test_context():
            event(what)

    def run(self, work: Any) -> Any:
        return self.loop.run(work)

    @initialize(terms=st.lists(TERMS, min_size=3, max_size=6))
    def begin(self, terms: list[Terms]) -> None:
        self.start(terms)

    def start(self, terms: list[Terms]) -> None:
        names = [OPERATOR, *(f"m{number}" for number in range(1, len(terms)))]
        self.world = World(dict(zip(names, terms, strict=True)), {name: [] for name in WALLETS})
        self.house = House(self.world)
        coalition = self.run(Stage.coalition_of(self.runtime, self.world.terms))
        self.started = Driver.start(coalition)
        self.drive: Driver = self.run(self.started.__aenter__())
        self.stage = Stage(coalition, self.drive)
        for name in names:
            self.issue(WALLETS[0], name, 70, None)

    def member(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(list(self.world.terms)))

    # -- points -----------------------------------------------------------------------------------

    def issue(self, wallet: str, issuer: str, points: int, life: int | None) -> None:
        self.run(self.stage.issue(wallet, issuer, points, life))
        self.world.issue(wallet, issuer, points, life)

    @rule(
        data=st.data(),
        wallet=st.sampled_from(WALLETS),
        points=st.integers(1, MOST_POINTS),
        life=st.none() | st.integers(1, 40),
    )
    def earn(self, data: st.DataObject, wallet: str, points: int, life: int | None) -> None:
        self.issue(wallet, self.member(data), points, life)

    @rule(
        data=st.data(),
        wallet=st.sampled_from(WALLETS),
        points=st.integers(1, MOST_POINTS),
        cost=MICROS,
        at_once=st.integers(0, 4),
    )
    def burn(self, data: st.DataObject, wallet: str, points: int, cost: int, at_once: int) -> None:
        """A new offer each time: any points, any cost, any acceptor."""
        acceptor, currency = self.member(data), data.draw(st.sampled_from(CURRENCIES))
        burn = self.ask(wallet, acceptor, currency, points, cost)
        if burn is not None and at_once:
            self.deliver(burn)

    def ask(self, wallet: str, acceptor: str, currency: str, points: int, cost: int) -> Burn | None:
        self.offers += 1
        name = f"offer-{self.offers}"
        terms: dict[str, Any] = {"points": points, "cost_micros": cost, "currency": currency}
        self.run(self.stage.coalition.add_offer(name, acceptor=acceptor, **terms))
        answer = self.run(self.drive.ask(wallet, name))
        burn = self.world.burn(wallet, acceptor, currency, points, cost)
        if burn is None:
            assert answer.error is not None
            return None
        assert answer.held is not None, answer.error
        self.burns[burn] = answer.held.id
        return burn

    def deliver(self, burn: Burn) -> None:
        self.run(self.drive.capture(burn.wallet, self.burns[burn]))
        self.world.capture(burn)

    @precondition(lambda self: any(each.held for each in self.world.burns))
    @rule(data=st.data())
    def capture(self, data: st.DataObject) -> None:
        self.deliver(data.draw(st.sampled_from([b for b in self.world.burns if b.held])))

    @precondition(lambda self: any(each.kept for each in self.world.burns))
    @rule(data=st.data())
    def refund(self, data: st.DataObject) -> None:
        """Of any burn, settled or not."""
        burn = data.draw(st.sampled_from([b for b in self.world.burns if b.kept]))
        self.contra(burn, data.draw(st.integers(1, burn.kept)))

    def contra(self, burn: Burn, points: int) -> None:
        self.run(self.drive.refund(burn.wallet, self.burns[burn], points))
        self.world.refund(burn, points)
        self.note("refunded")

    @rule(days=st.integers(1, 25))
    def later(self, days: int) -> None:
        self.run(self.drive.later(timedelta(days=days)))
        self.world.today += days
        self.run(self.drive.expire())
        self.world.sweep(*WALLETS)

    # -- debts ------------------------------------------------------------------------------------

    @rule(data=st.data(), currency=st.sampled_from(CURRENCIES), micros=MICROS)
    def owe(self, data: st.DataObject, currency: str, micros: int) -> None:
        order = data.draw(st.permutations(list(self.world.terms)))
        self.run(self.stage.owe(order[0], order[1], currency, micros))
        self.world.owe(order[0], order[1], currency, micros)

    @rule(data=st.data(), currency=st.sampled_from(CURRENCIES), micros=MICROS)
    def cycle(self, data: st.DataObject, currency: str, micros: int) -> None:
        """Three that owe each other the same: nobody pays anything for it."""
        three = data.draw(st.permutations(list(self.world.terms)))[:3]
        before = self.world.nets(self.world.of_window(self.world.window))
        for debtor, creditor in zip(three, [*three[1:], three[0]], strict=True):
            self.run(self.stage.owe(debtor, creditor, currency, micros))
            self.world.owe(debtor, creditor, currency, micros)
        assert self.world.nets(self.world.of_window(self.world.window)) == before
