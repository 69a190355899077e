"""Whatever tills do, money agrees with a small model that knows nothing of tables."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)
from marketplace_vouchers import repository, series
from marketplace_vouchers.domain import AcceptedBy, Use
from marketplace_vouchers.models import voucher as table
from marketplace_vouchers.schemas import NewSeries
from marketplace_vouchers.supplier import Vouchers

from marketplace.api import Fulfilled, Host, MarketplaceError
from marketplace.testing import Lab, SupplierConformance

MEMBERS = ("ada", "bea", "cora")
AMOUNTS = st.integers(1, 40_000_000)


@dataclass
class ModelVoucher:
    """A voucher, and who took what of it."""

    owner: str
    code: str
    use: Use
    left: int = 30_000_000
    over: bool = False
    taken: dict[int, tuple[str, int]] = field(default_factory=dict)


class Tills(RuleBasedStateMachine):
    """Real tills beside the model."""

    lab: Lab
    host: Host
    open_desk: Callable[..., Any]

    def __init__(self) -> None:
        super().__init__()
        self.desks = {each: type(self).open_desk(each) for each in MEMBERS}
        self.before = self.lab.owed()
        self.vouchers: list[ModelVoucher] = []
        self.owed: dict[tuple[str, str, str], int] = defaultdict(int)

    @rule(owner=st.sampled_from(MEMBERS), use=st.sampled_from(Use))
    def sell(self, owner: str, use: Use) -> None:
        sku = f"MODEL-{secrets.token_hex(8)}"
        new = NewSeries(
            sku=sku,
            name="Model",
            value_micros=30_000_000,
            currency="EUR",
            use=use,
            valid_days=1,
            accepted_by=AcceptedBy.COALITION,
        )
        series.make(self.host, self.lab.member(owner), new, actor="cli:test")
        (answer,) = Vouchers(self.host).fulfil([SupplierConformance.order(sku)])
        assert isinstance(answer, Fulfilled)
        self.vouchers.append(ModelVoucher(owner, answer.artefacts[0].secret, use))

    def pick(self, data: Any) -> ModelVoucher:
        return data.draw(st.sampled_from(self.vouchers))  # type: ignore[no-any-return]

    @precondition(lambda self: self.vouchers)
    @rule(data=st.data(), member=st.sampled_from(MEMBERS), amount=st.none() | AMOUNTS)
    def redeem(self, data: Any, member: str, amount: int | None) -> None:
        chosen = self.pick(data)
        wanted = chosen.left if amount is None else amount
        whole = chosen.use is Use.STORED or wanted == chosen.left
        possible = 0 < wanted <= chosen.left and whole and not chosen.over
        euros = None if amount is None else amount / 1_000_000
        if not possible:
            with pytest.raises(MarketplaceError):
                self.desks[member].redeem(chosen.code, euros)
            return
        done = self.desks[member].redeem(chosen.code, euros)
        chosen.left -= wanted
        chosen.taken[done.id] = (member, wanted)
        self.owe(chosen.owner, member, wanted)

    @precondition(lambda self: any(each.taken for each in self.vouchers))
    @rule(data=st.data(), by=st.sampled_from(MEMBERS))
    def roll_back(self, data: Any, by: str) -> None:
        chosen = data.draw(st.sampled_from([each for each in self.vouchers if each.taken]))
        number = data.draw(st.sampled_from(sorted(chosen.taken)))
        member, amount = chosen.taken[number]
        if by != member:
            with pytest.raises(MarketplaceError):
                self.desks[by].roll_back(number)
            return
        self.desks[by].roll_back(number)
        del chosen.taken[number]
        chosen.left += amount
        self.owe(chosen.owner, member, -amount)

    @precondition(lambda self: self.vouchers)
    @rule(data=st.data())
    def expire(self, data: Any) -> None:
        chosen = self.pick(data)
        chosen.over = True
        with self.host.transaction() as session:
            mine = table.c.fingerprint == self.host.fingerprint(chosen.code)
            past = datetime.now(UTC) - timedelta(seconds=1)
            session.execute(sa.update(table).where(mine).values(ends_at=past))

    def owe(self, owner: str, member: str, amount: int) -> None:
        if owner != member:
            self.owed[owner, member, "EUR"] += amount

    def teardown(self) -> None:
        for each in self.vouchers:
            assert round(self.desks["ada"].left(each.code) * 1_000_000) == each.left
        now = self.lab.owed()
        for key in now.keys() | self.owed.keys():
            assert now.get(key, 0) - self.before.get(key, 0) == self.owed.get(key, 0)
        with self.host.transaction() as session:
            assert repository.uneven(session) == []
        assert self.lab.money_findings() == []


@pytest.mark.slow
def test_random_sequences_agree_with_the_model(
    lab: Lab, host: Host, desk: Callable[..., Any]
) -> None:
    class Here(Tills):
        pass

    Here.lab, Here.host, Here.open_desk = lab, host, staticmethod(desk)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Here,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
