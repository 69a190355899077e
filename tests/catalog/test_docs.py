"""docs/imports/catalog.md describes every column, and its example files are good."""

from __future__ import annotations

import re

import msgspec
import pytest

from catalog.imports import import_catalog
from catalog.imports.rows import CategoryRow, PlainListing
from marketplace.coalition.imports import import_file
from marketplace.runtime import Runtime
from tests.conftest import ROOT

PAGE = (ROOT / "docs/imports/catalog.md").read_text()
EXAMPLES = ROOT / "docs/examples"


@pytest.mark.parametrize(
    ("heading", "row"), [("CSV: listings", PlainListing), ("CSV: categories", CategoryRow)]
)
def test_every_column_is_described(heading: str, row: type[msgspec.Struct]) -> None:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    described = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert set(row.__struct_fields__) <= described


async def test_the_example_files_are_imported_twice(runtime: Runtime) -> None:
    for kind in ("members", "contracts", "firms", "offers"):
        assert (await import_file(runtime, kind, EXAMPLES / f"{kind}.csv")).ok
    for kind in ("categories", "listings"):
        for new in (2, 0):
            async with runtime.database.begin() as session:
                with (EXAMPLES / f"{kind}.csv").open("rb") as file:
                    report = await import_catalog(session, file, "csv")
            assert report.ok, report.lines()
            assert getattr(report, kind).new == new
