"""docs/concepts/imports.md describes every column, and its example files are good."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from marketplace.coalition.imports import ROWS, import_file
from marketplace.runtime import Runtime

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "concepts" / "imports.md").read_text()
COLUMN = re.compile(r"^\| `(\w+)` \| (yes|no) \|", re.MULTILINE)


@pytest.mark.parametrize("kind", ROWS)
def test_every_column_is_described(kind: str) -> None:
    section = PAGE.partition(f"\n### {kind}\n")[2].partition("\n##")[0]
    described = {name: needed == "yes" for name, needed in COLUMN.findall(section)}
    fields = msgspec.structs.fields(ROWS[kind])
    assert described == {field.name: field.required for field in fields}


async def test_the_example_files_are_imported_twice(runtime: Runtime) -> None:
    for kind in ROWS:
        path = DOCS / "examples" / f"{kind}.csv"
        first = await import_file(runtime, kind, path)
        assert first.ok, first.lines()
        again = await import_file(runtime, kind, path)
        assert (again.new, again.unchanged) == (0, first.new)
