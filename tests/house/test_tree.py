"""The tree itself: sizes, lock files, the targets of the Makefile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_FILE = 450
LONGEST = {"marketplace/api.py": 700}
"""All that a plugin may import is one page, to be read from top to bottom."""
ROOMS = ("marketplace", "catalog", "charity", "settlement", "plugins", "tests", "bench")
ADDRESS = re.compile(r"https?://|index-url|find-links", re.IGNORECASE)


def test_no_module_has_outgrown_its_subject() -> None:
    code = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    long = {
        str(path.relative_to(ROOT)): lines
        for path in code
        if "versions" not in path.parts  # migrations
        and (lines := len(path.read_text().splitlines()))
        > LONGEST.get(path.relative_to(ROOT).as_posix(), LONGEST_FILE)
    }
    assert long == {}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "requirements").glob("*.lock")), ids=lambda p: p.name
)
def test_a_lock_file_names_no_registry_and_hashes_everything(path: Path) -> None:
    text = path.read_text()
    assert not ADDRESS.search(text)
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in block for block in blocks)


def test_every_room_says_what_it_owns() -> None:
    rooms = [
        path
        for path in (ROOT / "marketplace").iterdir()
        if (path / "__init__.py").exists() and path.name != "migrations"
    ]
    assert [room.name for room in rooms if not (room / "README.md").exists()] == []


def test_every_target_of_the_makefile_explains_itself() -> None:
    text = (ROOT / "Makefile").read_text()
    declared = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert declared
    explained = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    assert set(declared.group(1).split()) == explained


def test_the_charset_of_a_text_is_said_by_the_house_alone() -> None:
    rooms = (*ROOMS, "plugins")
    code = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    twice = re.compile(r"""["']text/[a-z]+; *charset""")
    said = [path for path in code if "tests" not in path.parts and twice.search(path.read_text())]
    assert said == []  # Litestar adds it to each text: it would be said twice
