"""A desk where files of banks come in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.factories import Coalition
from tests.sepa.desk import Desk


@pytest.fixture
async def desk(coalition: Coalition, tmp_path: Path) -> AsyncIterator[Desk]:
    """Somebody who imports files."""
    yield Desk(coalition.runtime, tmp_path)
    coalition.runtime.close_plugins()
