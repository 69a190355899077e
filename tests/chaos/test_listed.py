"""Every fault is told on the page that says what is guaranteed, in the words of its list."""

from __future__ import annotations

import re

from tests.chaos import leaving, outages, refusals, shortages, storms  # noqa: F401 - add faults
from tests.chaos.faults import FAULTS
from tests.conftest import ROOT

ROW = re.compile(r"^\| `([a-z-]+)` \| (.+) \| [\d,]+ \| 0 \| 0 \|$", re.MULTILINE)


def test_the_page_has_a_row_for_each_fault_and_says_how_many_there_are() -> None:
    page = (ROOT / "docs/operations/reliability.md").read_text()
    assert dict(ROW.findall(page)) == {name: each.words for name, each in FAULTS.items()}
    assert f"\n{len(FAULTS)} faults, " in page
