"""The living style page as people see it, and what a first visit costs."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenTab

pytestmark = pytest.mark.asyncio(loop_scope="session")
FIRST_VISIT_BYTES = 150_000


@pytest.mark.parametrize("width", [360, 1280, 3840])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_every_component_is_accessible_and_fits(
    open_tab: OpenTab, theme: str, width: int
) -> None:
    tab = await open_tab(theme=theme, width=width)
    assert await tab.go("/_style") == 200
    await tab.check(f"style-{theme}-{width}")
