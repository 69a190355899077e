"""A scaffolded plugin in a folder of its own, and the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from marketplace.cli import main
from marketplace.scaffold.write import scaffold
from marketplace.testing.laboratory import DATABASE_URL
from tests.conftest import SECRET_KEY


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """The folder of a new supplier plugin `acme`."""
    return scaffold("acme", "supplier", tmp_path)


@pytest.fixture
def server(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Checks make their databases on the server of the tests."""
    monkeypatch.setenv(DATABASE_URL, postgres_url)
    return postgres_url


@pytest.fixture
def command(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`command("plugins", "new", "acme")`: run the command line in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", SECRET_KEY)
    monkeypatch.setenv("MARKETPLACE_VAR_DIR", str(tmp_path / "var"))

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, list(words))

    return run
