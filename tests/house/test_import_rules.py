"""The rooms keep to themselves: what may import what."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = {"marketplace.api", "marketplace.testing"}
PLUGIN_FILES = sorted((ROOT / "plugins").glob("*/src/**/*.py"))


def core_modules() -> set[str]:
    """Modules and packages directly in `marketplace`."""
    return {
        f"marketplace.{path.stem if path.is_file() else path.name}"
        for path in (ROOT / "marketplace").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__")
        or (path.is_dir() and (path / "__init__.py").exists())
    }


def imports_of(path: Path) -> Iterator[str]:
    """Every module a file imports, names taken from a package included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module == "marketplace":
                yield from (f"marketplace.{alias.name}" for alias in node.names)
            else:
                yield node.module


def test_the_contracts_of_import_linter_hold() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contract_for_plugins_names_every_module_they_may_not_import() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    contract = next(each for each in settings["contracts"] if "plugin imports" in each["name"])
    assert core_modules() - ALLOWED <= set(contract["forbidden_modules"])


@pytest.mark.parametrize("path", PLUGIN_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_plugin_imports_the_plugin_api_only(path: Path) -> None:
    rooms = ("marketplace", "catalog", "charity", "settlement")
    strange = [
        name for name in imports_of(path) if name.split(".")[0] in rooms and name not in ALLOWED
    ]
    assert strange == []


HEAVY = ("PIL", "alembic", "celery", "schwifty", "stripe", "typst", "uvicorn", "xmlschema")
"""Libraries of one task each: none may slow the start of a process that has another."""
STARTS = {
    "a command of the core": (
        "from marketplace.cli import main; main(['ledger', 'verify', '--help'], 'marketplace')"
    ),
    "a process of a plugin": "import marketplace.containment.child",
    "the template of such processes": "import marketplace.containment.template",
}


@pytest.mark.parametrize("code", STARTS.values(), ids=STARTS)
def test_a_start_imports_nothing_that_another_task_needs(code: str) -> None:
    told = (
        "import atexit, os, sys\n"
        "threads = lambda: len(os.listdir('/proc/self/task')) if os.path.exists('/proc') else 1\n"
        "atexit.register(lambda: print('\\n', threads(), *sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", told + code], capture_output=True, text=True)
    threads, *modules = done.stdout.splitlines()[-1].split()
    assert "marketplace.api" in modules, done.stderr
    assert set(HEAVY) & set(modules) == set()
    assert threads == "1"  # or nothing could be forked from it
