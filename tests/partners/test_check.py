"""`marketplace plugins check`: it outlives what a plugin does, and signs what it found."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import msgspec
import pytest
from click.testing import Result as Invoked
from cryptography.fernet import Fernet

from marketplace import api
from marketplace.certify.check import check
from marketplace.certify.domain import Result, Status, Terms, Verdict, verdict
from marketplace.certify.target import digest, find, write_shim
from marketplace.cli import main
from marketplace.errors import UsageError
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("server")

Command = Callable[..., Invoked]


def spoil(acme: Path, name: str, before: str, after: str) -> None:
    """Change a line of a module of the plugin."""
    path = acme / "src" / "marketplace_acme" / name
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def played(acme: Path, *only: str, **terms: float) -> dict[str, Result]:
    """Results by scenario."""
    results = check(find(str(acme)), Terms(only=only, **terms))  # type: ignore[arg-type]
    return {each.scenario: each for each in results}


BUY = "        rows = [\n"


EXIT = "        import os; print('bye', flush=True); os._exit(7)\n"


def test_a_plugin_that_ends_the_process_fails_there_and_what_can_be_is_played(acme: Path) -> None:
    spoil(acme, "shop.py", BUY, EXIT + BUY)
    results = played(acme, "starts", "delivers", "rule-speed", "outage", "health")
    assert results["starts"].status is Status.PASSED
    assert results["delivers"].status is Status.FAILED
    assert "exit status 7" in results["delivers"].found
    assert "bye" in results["delivers"].found
    assert results["outage"].status is Status.NOT_SHOWN
    assert "see delivers" in results["outage"].found
    assert results["health"].status is Status.PASSED


def test_one_that_hangs_is_stopped(acme: Path) -> None:
    spoil(acme, "plugin.py", "api_version =", "import time; time.sleep(60)\napi_version =")
    results = played(acme, "imports", "import-effects", scenario_limit_s=1.5)
    assert results["imports"].status is Status.PASSED
    assert "not done after 1.5 s" in results["import-effects"].found


def test_one_that_eats_memory_is_stopped_by_the_limit(acme: Path) -> None:
    spoil(acme, "shop.py", BUY, "        self.hoard = bytearray(8_000_000_000)\n" + BUY)
    results = played(acme, "delivers")
    assert results["delivers"].status is Status.FAILED
    assert "ran out of memory" in results["delivers"].found


def test_one_that_remembers_too_much_is_found(acme: Path) -> None:
    hoard = "        self.__dict__.setdefault('hoard', []).append(b'x' * 60_000_000)\n"
    spoil(acme, "shop.py", BUY, hoard + BUY)
    results = played(acme, "thousand-orders")
    assert "MB of memory" in results["thousand-orders"].found


def test_one_that_does_not_start_is_told_why_and_nothing_else_is_claimed(acme: Path) -> None:
    spoil(acme, "plugin.py", "[Acme(SandboxShop(host))]", "[object()]")
    results = played(acme)
    assert set(results) == {"imports", "import-effects", "starts", "tables"}
    assert "is no Supplier" in results["starts"].found
    assert results["tables"].status is Status.NOT_SHOWN


def test_the_plugin_sees_none_of_our_settings(acme: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", "ours")
    look = "import os\nassert 'MARKETPLACE_SECRET_KEYS' not in os.environ\n"
    spoil(acme, "plugin.py", "from __future__ import annotations\n", look)
    assert played(acme, "import-effects")["import-effects"].status is Status.PASSED


def test_looking_at_a_plugin_does_not_load_those_that_are_installed(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loads(*_: object) -> None:
        pytest.fail("an installed plugin was loaded in the process that checks")

    monkeypatch.setattr(EntryPoint, "load", loads)
    monkeypatch.setattr(main, "_complete", False)
    assert command("plugins", "--help").exit_code == 0
    assert command("plugins", "new", "acme").exit_code == 0


# -- reports --------------------------------------------------------------------------------------


def test_a_scaffolded_rule_passes_and_its_report_can_be_verified(
    command: Command, tmp_path: Path
) -> None:
    assert command("plugins", "new", "acme", "--kind", "eligibility").exit_code == 0
    done = command("plugins", "check", "marketplace-acme", "--report", "report.json")
    assert done.exit_code == 0, done.output
    assert "PASSED" in done.output
    signed = json.loads((tmp_path / "report.json").read_text())
    report = signed["report"]
    assert (report["slug"], report["version"], report["verdict"]) == ("acme", "0.1.0", "passed")
    assert [each["scenario"] for each in report["results"]][-2:] == ["rule-answers", "rule-speed"]

    genuine = command("plugins", "verify", "report.json", "--of", "marketplace-acme")
    assert genuine.exit_code == 0
    assert "Genuine: marketplace-acme 0.1.0" in genuine.output

    # Changed by one word, it is refused.
    report["version"] = "0.2.0"
    (tmp_path / "forged.json").write_text(json.dumps(signed))
    forged = command("plugins", "verify", "forged.json")
    assert forged.exit_code == 2
    assert "was changed" in forged.output

    # The files have changed since: it is genuine, and speaks of others.
    rules = tmp_path / "marketplace-acme/src/marketplace_acme/rules.py"
    rules.write_text(rules.read_text() + "\n")
    other = command("plugins", "verify", "report.json", "--of", "marketplace-acme")
    assert other.exit_code == 2
    assert "other files" in other.output


def test_a_stranger_s_report_is_refused_unless_the_key_is_trusted(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("plugins", "new", "acme", "--kind", "eligibility")
    command("plugins", "check", "marketplace-acme", "--report", "report.json")
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", Fernet.generate_key().decode())
    stranger = command("plugins", "verify", "report.json")
    assert stranger.exit_code == 2
    key = json.loads((tmp_path / "report.json").read_text())["signature"]["public_key"]
    assert key in stranger.output
    assert command("plugins", "verify", "report.json", "--key", key).exit_code == 0


def test_a_failed_check_says_what_to_do_and_its_report_says_failed(
    command: Command, acme: Path, tmp_path: Path
) -> None:
    spoil(acme, "plugin.py", f'api_version = "{api.API_VERSION}"', "VERSION = 1")
    done = command("plugins", "check", str(acme), "--json")
    assert done.exit_code == 1
    assert f'Write api_version = "{api.API_VERSION}" into' in done.stderr.replace("\n        ", " ")
    assert json.loads(done.stdout)["report"]["verdict"] == "failed"
    kept = tmp_path / "var/reports/acme-0.1.0.json"
    assert json.loads(kept.read_text()) == json.loads(done.stdout)


def test_a_part_of_a_check_is_no_certificate(command: Command, acme: Path, tmp_path: Path) -> None:
    done = command("plugins", "check", str(acme), "--only", "imports")
    assert done.exit_code == 0
    assert not (tmp_path / "var/reports").exists()
    wrong = command("plugins", "check", str(acme), "--only", "luck")
    assert wrong.exit_code == 2
    assert "imports, import-effects, starts" in wrong.output


def test_what_is_not_shown_makes_a_check_incomplete() -> None:
    def ended(*ends: Status) -> Verdict:
        return verdict([Result(scenario="x", title="x", status=each) for each in ends])

    assert ended(Status.PASSED, Status.EXCUSED) is Verdict.PASSED
    assert ended(Status.PASSED, Status.NOT_SHOWN) is Verdict.INCOMPLETE
    assert ended(Status.NOT_SHOWN, Status.FAILED) is Verdict.FAILED
    assert ended() is Verdict.FAILED


# -- finding plugins ------------------------------------------------------------------------------


def test_a_plugin_is_the_same_by_name_and_by_folder() -> None:
    by_name, by_folder = find("giftfund"), find(str(ROOT / "plugins" / "giftfund"))
    assert by_name == by_folder
    assert digest(by_name) == digest(by_folder)


def test_a_wheel_has_the_digest_of_its_folder(
    acme: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    site.mkdir()
    folder = find(str(acme))
    write_shim(folder, site)
    (acme / "src" / "marketplace_acme").rename(site / "marketplace_acme")
    names = [path.relative_to(site) for path in site.rglob("*.py")]
    record = "".join(f"{name.as_posix()},,\n" for name in names)
    (site / "marketplace_acme-0.1.0.dist-info" / "RECORD").write_text(record)
    packages = (site / "marketplace_acme",)
    before = digest(msgspec.structs.replace(folder, root=site, packages=packages))
    monkeypatch.syspath_prepend(site)
    installed = find("acme")
    assert installed.source is None
    assert digest(installed) == before


@pytest.mark.parametrize(
    ("pyproject", "words"),
    [
        ("[project", "not well formed"),
        ("[project]\nname = 'x'\n", "exactly one entry"),
        (
            "[project]\nname = 'x'\n[project.entry-points.marketplace]\nax = 'a'\nbx = 'b'\n",
            "exactly one entry",
        ),
        ("[project]\nname = 'x'\n[project.entry-points.marketplace]\nax = 'a'\n", "no version"),
        (
            "[project]\nname = 'x'\nversion = '1'\n[project.entry-points.marketplace]\nA-x = 'a'\n",
            "no slug",
        ),
    ],
)
def test_a_folder_that_is_no_plugin_is_named(pyproject: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(pyproject)
    with pytest.raises(UsageError, match=words):
        find(str(tmp_path))


def test_a_name_that_is_not_installed_is_said_so() -> None:
    with pytest.raises(UsageError, match="neither an installed plugin nor a folder"):
        find("nosuchplugin")
