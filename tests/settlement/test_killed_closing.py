"""Kill -9 at every statement of a close: nothing is lost, and the next one by finishes it."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from tests.conftest import ROOT
from tests.factories import Coalition
from tests.ledger.busy import make_busy


async def test_a_close_that_is_killed_anywhere_loses_nothing(
    coalition: Coalition, database_url: str
) -> None:
    await make_busy(coalition)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.settlement.killed", database_url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 15
