"""A clearing house with a bank."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories import Coalition
from tests.settlement.bank.paper import Desk, PaperBank, Teller
from tests.settlement.clearing.house import House


@pytest.fixture
def house(coalition: Coalition) -> House:
    """Steps of finance; its rail of files is one whose bank answers."""
    made = House(coalition)
    made.paper = PaperBank()
    made.rails["paper"] = made.paper
    return made


@pytest.fixture
def desk(house: House) -> Desk:
    """Steps of the person who reconciles."""
    assert isinstance(house.paper, PaperBank)
    return Desk(house.runtime, house.paper)


@pytest.fixture
def teller(tmp_path: Path) -> Teller:
    """Somebody at the bank."""
    return Teller(tmp_path)
