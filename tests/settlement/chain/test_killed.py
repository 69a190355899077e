"""Kill -9 in the middle of every step of finance: what comes of it is what would have come.

MARKETPLACE_TEST_KILL_EVERY=1 kills at every statement.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from marketplace.runtime import open_runtime
from tests.conftest import ROOT, FreshDatabase, make_settings
from tests.factories import Coalition
from tests.ledger.busy import make_busy
from tests.settlement.bank.paper import Desk, PaperBank
from tests.settlement.clearing.house import House

EVERY = int(os.environ.get("MARKETPLACE_TEST_KILL_EVERY", "13"))


async def prepare(url: str) -> None:
    """A coalition in which everything has happened, and a house with a bank."""
    async with open_runtime(make_settings(url)) as runtime:
        coalition = await Coalition.make(runtime)
        await make_busy(coalition)
        house, bank = House(coalition), PaperBank()
        house.rails["paper"] = bank
        await house.accounts("paper")
        await Desk(runtime, bank).account()


def month(url: str, folder: Path, every: int) -> list[Any]:
    """How many processes were killed in each step of a month, and what came of it."""
    asyncio.run(prepare(url))
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.settlement.chain.killed", url, str(folder), str(every)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_a_month_that_is_killed_at_every_step_ends_as_one_that_is_not(
    fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    with fresh_database() as url:
        _, calm = month(url, tmp_path / "calm", 0)
    with fresh_database() as url:
        killed, rough = month(url, tmp_path / "rough", EVERY)
    assert all(killed.values()), killed
    assert rough == calm
    assert calm["settlements"] == ["settled"]
    assert len(calm["files"]) == 2
