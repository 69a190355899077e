"""Programs of others that judge exported journals."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REQUIRE = "MARKETPLACE_REQUIRE_HLEDGER"


async def bean_check(journal: Path) -> str:
    """What `bean-check` finds wrong; empty: nothing."""
    return await _said(str(Path(sys.executable).parent / "bean-check"), str(journal))


async def hledger_check(journal: Path) -> str:
    """What `hledger check --strict` finds wrong; empty: nothing. Skips where there is no hledger,
    and fails where it is required."""
    found = shutil.which("hledger")
    if found is None:
        reason = f"no hledger on this machine (apt install hledger); {REQUIRE}=1 makes it a failure"
        if os.environ.get(REQUIRE):
            pytest.fail(reason)
        pytest.skip(reason)
    return await _said(found, "-f", str(journal), "check", "--strict")


async def _said(*command: str) -> str:
    done = await asyncio.to_thread(
        subprocess.run,  # type: ignore[arg-type]
        command,
        capture_output=True,
        text=True,
        check=False,
    )
    said = f"{done.stdout}{done.stderr}".strip()
    return said or (f"exit status {done.returncode}" if done.returncode else "")
