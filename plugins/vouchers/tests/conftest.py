"""A marketplace for the vouchers: members, series, vouchers bought, tills that take them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from marketplace_vouchers import redeeming, series
from marketplace_vouchers.domain import AcceptedBy
from marketplace_vouchers.schemas import (
    NewRedemption,
    NewRollback,
    NewSeries,
    RedemptionView,
)
from marketplace_vouchers.supplier import Vouchers
from marketplace_vouchers.tills import Till

from marketplace.api import Fulfilled, Host
from marketplace.testing import Lab, SupplierConformance, lab

__all__ = ["Desk", "desk", "host", "lab", "sell", "sku"]

EUR = 1_000_000


@pytest.fixture
def host(lab: Lab) -> Host:
    """What the core lends the vouchers."""
    return lab.host("vouchers")


@pytest.fixture
def sku() -> str:
    """A sku of this test's own."""
    return f"SPA-{secrets.token_hex(6)}"


class Desk:
    """A till of a member, as the routes make one."""

    def __init__(self, lab: Lab, host: Host, member: str = "shop", name: str = "") -> None:
        self.host = host
        self.member_id = lab.member(member)
        self.till = Till(
            subject=f"key:{uuid4()}",
            caller_id=self.member_id,
            member_id=self.member_id,
            actor="key:test",
            address=f"192.0.2.{secrets.token_hex(4)}",
            name=name,
        )

    def redeem(
        self, code: str, euros: float | None = None, *, key: str | None = None, **more: Any
    ) -> RedemptionView:
        """Take so much, or all that is left."""
        amount = None if euros is None else round(euros * EUR)
        asked = NewRedemption(code=code, amount_micros=amount, till=self.till.name, **more)
        return redeeming.redeem(self.host, self.till, asked, key or str(uuid4()))[0]

    def roll_back(self, redemption_id: int, *, key: str | None = None) -> RedemptionView:
        """Put one back."""
        asked = NewRollback(till=self.till.name)
        return redeeming.roll_back(self.host, self.till, redemption_id, asked, key or str(uuid4()))[
            0
        ]

    def left(self, code: str) -> float:
        """Euros left on a voucher."""
        return redeeming.validate(self.host, self.till, code).left_micros / EUR


@pytest.fixture
def desk(lab: Lab, host: Host) -> Callable[..., Desk]:
    """`desk("tickets", name="desk 2")`."""

    def make(member: str = "shop", name: str = "") -> Desk:
        return Desk(lab, host, member, name)

    return make


@pytest.fixture
def sell(lab: Lab, host: Host, sku: str) -> Callable[..., list[str]]:
    """`sell(3, accepted_by=...)` makes the series of `sku` and sells so many of its vouchers."""

    def issue(units: int = 1, *, owner: str = "shop", euros: int = 50, **terms: Any) -> list[str]:
        new = {
            "name": "Thermal day",
            "currency": "EUR",
            "accepted_by": AcceptedBy.COALITION,
            "value_micros": euros * EUR,
            **({} if "ends_on" in terms else {"valid_days": 365}),
            **terms,
        }
        owner_id: UUID = lab.member(owner)
        series.make(host, owner_id, NewSeries(sku=sku, **new), actor="cli:test")
        (answer,) = Vouchers(host).fulfil([SupplierConformance.order(sku, quantity=units)])
        assert isinstance(answer, Fulfilled), answer
        return [artefact.secret for artefact in answer.artefacts]

    return issue
