"""A clearing house, a member's account, legs between them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from marketplace_sepa.rail import Sepa
from marketplace_sepa.rehearsal import SepaRehearsal
from marketplace_sepa.sides import Account, House

from marketplace.api import Batch, Direction, Leg
from marketplace.testing import Lab, lab

sys.path.insert(0, str(Path(__file__).parent))  # for sepa_samples, from any folder

__all__ = ["account", "batch", "house", "lab", "leg", "rail"]


@pytest.fixture(scope="session")
def rail(lab: Lab) -> Sepa:
    """The rail; the lab is told the settings of its rehearsal."""
    lab.configure("sepa", SepaRehearsal.settings)
    return Sepa(lab.host("sepa"))


@pytest.fixture
def house(rail: Sepa) -> House:
    """The clearing house's side."""
    return rail.house_now()


@pytest.fixture
def account() -> Account:
    """A member's account, with a mandate."""
    return Account(
        holder="Zak\u0142ad \u0141\u00f3d\u017a Sp. z o.o.",
        iban="PL61 1090 1014 0000 0712 1981 2874",
        mandate_id="MANDATE-1",
        mandate_signed_on="2026-01-31",
        street="Piotrkowska",
        building="1a",
        postcode="90-001",
        town="\u0141\u00f3d\u017a",
        country="PL",
    )


@pytest.fixture
def batch(house: House) -> Batch:
    """A settlement's."""
    made_at = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
    return Batch(reference="S-2026-0001", made_at=made_at, house=house)


@pytest.fixture
def leg(account: Account) -> Callable[..., Leg]:
    """`leg("L-1", 1234, direction=...)` makes a leg."""

    def make(reference: str = "L-1", amount_minor: int = 12_345, **changes: Any) -> Leg:
        made = Leg(
            reference=reference,
            direction=Direction.PAY,
            amount_minor=amount_minor,
            currency="EUR",
            name="Zaklad",
            account=account,
            due_on=date(2026, 11, 27),
            text="Coalition settlement 2026-11",
        )
        return msgspec.structs.replace(made, **changes)

    return make
