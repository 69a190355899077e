"""`marketplace plugins new`: what it writes is whole, clean, and works at once."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result as Invoked

from marketplace.errors import UsageError
from marketplace.scaffold.write import KINDS, render, scaffold

Command = Callable[..., Invoked]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_complete_distribution(kind: str, tmp_path: Path) -> None:
    folder = scaffold("acme", kind, tmp_path)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "marketplace-acme"
    assert project["entry-points"]["marketplace"] == {"acme": "marketplace_acme.plugin"}
    for name in ("README.md", "CHANGELOG.md", "src/marketplace_acme/settings.py"):
        assert (folder / name).read_text().strip()
    assert (folder / "src/marketplace_acme/py.typed").exists()
    left = [path for path in folder.rglob("*") if "PACKAGE" in path.name or path.suffix == ".in"]
    assert left == []
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_slug_gives_the_same_bytes(kind: str) -> None:
    assert list(render("acme", kind)) == list(render("acme", kind))


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_writes_is_formatted_and_linted(kind: str, tmp_path: Path) -> None:
    folder = scaffold("acme", kind, tmp_path)
    ruff = Path(sys.executable).parent / "ruff"
    for words in ("format --check .", "check --extend-select I,UP,B,C4,SIM,RET,PIE,RUF,N,W ."):
        done = subprocess.run([ruff, *words.split()], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("kind", "without"),
    # The tutorial runs the supplier's certificate; it need not run twice.
    [
        ("eligibility", []),
        ("notifier", []),
        ("supplier", ["--deselect", "tests/test_certificate.py"]),
    ],
)
def test_its_tests_pass_at_once_before_it_is_installed(
    kind: str, without: list[str], server: str, tmp_path: Path
) -> None:
    folder = scaffold("acme", kind, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *without],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


def test_the_command_says_what_comes_next(command: Command) -> None:
    done = command("plugins", "new", "acme")
    assert done.exit_code == 0
    assert "marketplace plugins check acme" in done.output


@pytest.mark.parametrize(
    ("slug", "words"),
    [
        ("Acme", "no slug"),
        ("a", "no slug"),
        ("acme-tools", "no slug"),
        ("1st", "no slug"),
        ("../etc", "no slug"),
        ("giftfund", "taken"),
        ("catalog", "taken"),
        ("class", "taken"),
        ("json", "taken"),
    ],
)
def test_a_bad_or_taken_slug_is_refused(slug: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        scaffold(slug, "supplier", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "marketplace-acme" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        scaffold("acme", "supplier", tmp_path)
    assert [path.name for path in mine.parent.iterdir()] == ["mine.txt"]


def test_a_kind_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no kind of plugin: supplier, eligibility"):
        scaffold("acme", "bank", tmp_path)
    assert list(tmp_path.iterdir()) == []
