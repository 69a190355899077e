"""`marketplace import` at the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from marketplace.cli import main
from tests.conftest import SECRET_KEY


@pytest.fixture
def command(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> object:
    """Runs `marketplace import KIND FILE` on the test's database with a file of this content."""
    monkeypatch.setenv("MARKETPLACE_DATABASE_URL", database_url)
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)
    monkeypatch.setenv("MARKETPLACE_LOG_LEVEL", "WARNING")

    def call(kind: str, content: str, *options: str) -> Result:
        path = tmp_path / f"{kind}.csv"
        path.write_text(content)
        return CliRunner().invoke(main, ["import", kind, str(path), *options])

    return call


def test_an_operator_imports_a_file(command: object) -> None:
    assert callable(command)
    members = "slug,name,country,operator\nhub,Hub,NL,yes\nsun,Sun,ES,no\n"
    dry = command("members", members, "--dry-run")
    assert (dry.exit_code, dry.stdout) == (
        0,
        "members: 2 new, 0 unchanged (dry run: nothing was written)\n",
    )
    assert command("members", members).stdout == "members: 2 new, 0 unchanged\n"
    assert command("members", members).stdout == "members: 0 new, 2 unchanged\n"


def test_bad_lines_are_printed_and_the_status_is_one(command: object) -> None:
    assert callable(command)
    lines = "".join(f"f{number},F,XX\n" for number in range(150))
    bad = command("firms", f"reference,name,country\n{lines}")
    printed = bad.stderr.splitlines()
    assert (bad.exit_code, bad.stdout, len(printed)) == (1, "", 102)
    assert printed[0] == "line 2: country 'XX' is not an ISO 3166 country code such as DE"
    assert printed[-2:] == ["and 50 more", "firms: nothing was imported; 150 faults"]


def test_a_file_that_is_not_there(command: object) -> None:
    gone = CliRunner().invoke(main, ["import", "firms", "nowhere.csv"])
    assert (gone.exit_code, gone.stderr) == (
        2,
        "error: nowhere.csv cannot be read: No such file or directory.\n",
    )
