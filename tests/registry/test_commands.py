"""`marketplace plugins ...` as the operator types it, for a plugin that is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from marketplace.cli import main
from tests.conftest import SECRET_KEY

Typed = Callable[..., str]


@pytest.fixture
def typed(
    acme_folder: Path, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Typed:
    """`typed("plugins list")`: what the command line says; `said` is what is typed to it."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATABASE_URL": database_url,
        "SECRET_KEYS": SECRET_KEY,
        "VAR_DIR": str(tmp_path / "var"),
        "LOG_LEVEL": "ERROR",
    }.items():
        monkeypatch.setenv(f"MARKETPLACE_{name}", value)

    def run(words: str, *more: str, status: int = 0, said: str | None = None) -> str:
        done = CliRunner().invoke(main, [*words.split(), *more], input=said)
        assert done.exit_code == status, done.output
        return done.output

    (tmp_path / "members.csv").write_text(
        "slug,name,country,operator\nnorth,North,NL,yes\nshop,Shop,DE,no\n"
    )
    run("import members members.csv")
    return run


def test_settings_are_asked_for_one_by_one_and_wrong_ones_again(typed: Typed) -> None:
    said = typed("plugins configure acme", said="HELLO\n\n5000\n7\n")
    assert "The one thing that the sandbox sells." in said
    assert "Price micros [5000000]:" in said
    assert "most_units: Expected int <= 1000." in said
    assert said.count("Most units [100]:") == 2
    shown = typed("plugins show acme")
    assert "price_micros            5000000\n" in shown
    assert "most_units              7\n" in shown


def test_settings_without_questions(typed: Typed, tmp_path: Path) -> None:
    typed("plugins configure acme --set price_micros=1000000")
    typed("plugins configure acme --from-file -", said='{"most_units": 9}')
    (tmp_path / "more.json").write_text('{"sku": "LAMP", "most_units": 10}')
    typed("plugins configure acme --from-file more.json --set most_units=11")
    shown = typed("plugins show acme")
    for line in ("sku                     LAMP", "price_micros            1000000"):
        assert line in shown
    assert "most_units              11" in shown
    typed("plugins configure acme --set most_units=")
    assert "most_units              100" in typed("plugins show acme")
    for wrong, words in {
        "--set colour=red": "colour: There is no such setting.",
        "--set most_units=many": "most_units: It must be a whole number.",
        "--set most_units": "is not NAME=VALUE",
        "--from-file nowhere.json": "cannot be read",
        "--from-file members.csv": "no JSON object",
        "--member shop --set x=1": "asks a member for no settings",
        "--member nobody --set x=1": "no member",
    }.items():
        assert words in typed(f"plugins configure acme {wrong}", status=2)


def test_from_activation_to_a_trial_order(typed: Typed) -> None:
    assert "not_active" in typed("plugins list")
    assert "no report of acme 0.1.0" in typed("plugins activate acme", status=2)
    said = typed("plugins activate acme --reason", "Tried by hand.")
    assert said == "acme 0.1.0 is active, without a report.\n"
    assert "acme: ok" not in typed("plugins test acme --member nobody", status=2)
    typed("db upgrade")  # its table
    assert "acme: ok" in typed("plugins test acme --member shop")
    assert typed("plugins enable acme --member shop") == "acme is enabled for shop.\n"
    said = typed("plugins try acme --member shop --sku HELLO")
    assert "code: HELLO: TRIAL-1" in said
    assert "no points moved" in said
    said = typed("plugins sandbox acme --member shop on")
    assert "Member shop: enabled, sandbox on" in typed("plugins show acme")
    assert "acme            0.1.0       active      shop" in typed("plugins list")
    assert '"state": "active"' in typed("plugins list --json")
    assert '"slug": "acme"' in typed("plugins show acme --json")


def test_stopping_for_one_member_and_for_all(typed: Typed) -> None:
    typed("plugins activate acme --reason test")
    typed("plugins disable acme --reason", "Stocktaking.")
    assert "stopped" in typed("plugins list")
    assert "Closed for everybody: The operator has closed" in typed("plugins show acme")
    assert "Stocktaking." in typed("fulfilment status")
    assert "is enabled again" in typed("plugins enable acme")
    typed("plugins disable acme --member shop")
    assert "Closed for shop: The plugin that delivers it is not enabled" in typed(
        "plugins show acme"
    )
    assert "room of the marketplace" in typed("plugins disable catalog", status=2)
    assert "No plugin" in typed("plugins show nobody", status=2)
