"""Advisory locks: who shares a number by mistake waits for strangers."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("marketplace", "catalog", "charity", "settlement")
OURS = range(7_219_000_000, 7_220_000_000)
"""Numbers of locks that are one number begin like this."""
INLINE = re.compile(r"pg_\w*advisory_\w+\(\s*\d")


def test_no_two_names_of_advisory_locks_share_a_number() -> None:
    names: dict[int, list[str]] = defaultdict(list)
    for path, tree in _modules():
        for name, number in _numbers(tree):
            names[number].append(f"{path.relative_to(ROOT)}:{name}")
    assert len(names) > 8  # those that there are, so that the search finds them
    assert {number: found for number, found in names.items() if len(found) > 1} == {}


def test_each_number_of_a_lock_has_a_name() -> None:
    nameless = []
    for path, tree in _modules():
        named = {number for _, number in _numbers(tree)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant):
                continue
            number = isinstance(node.value, int) and node.value in OURS and node.value not in named
            if number or (isinstance(node.value, str) and INLINE.search(node.value)):
                nameless.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert nameless == []


def _modules() -> Iterator[tuple[Path, ast.Module]]:
    folders = [ROOT / room for room in ROOMS] + sorted((ROOT / "plugins").glob("*/src"))
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            yield path, ast.parse(path.read_text())


def _numbers(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Numbers that a module gives a name: of our range, or called a lock."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            target = node.targets[0]
        elif isinstance(node, ast.AnnAssign):
            target = node.target
        else:
            continue
        if not isinstance(target, ast.Name) or not isinstance(node.value, ast.Constant):
            continue
        value = node.value.value
        lock = "LOCK" in target.id.split("_")
        if isinstance(value, int) and (value in OURS or lock):
            yield target.id, value
