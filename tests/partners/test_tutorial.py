"""The tutorial is run as it stands: from `plugins new` to a reward that is delivered."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from marketplace.containment.probe import FOUND
from marketplace.demo.processes import free_port
from marketplace.testing.laboratory import DATABASE_URL
from tests.conftest import ROOT, SECRET_KEY

PAGE = ROOT / "docs" / "partners" / "tutorial.md"
PATIENCE_S = 900
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment of its own that sees our packages, so that ours is left as it is."""
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    ours = sysconfig.get_path("purelib")
    (site / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    command = folder / "bin" / "marketplace"
    command.write_text(
        f"#!{folder}/bin/python\nfrom marketplace.cli import main\nmain(prog_name='marketplace')\n"
    )
    command.chmod(0o755)
    return folder


@pytest.fixture
def shell(environment: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A shell that stops at the first command that fails; whatever it started ends with it."""
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-s"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{environment / 'bin'}:{os.environ['PATH']}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    yield process
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.communicate()


def test_every_command_of_the_tutorial_works(
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    postgres_url: str,
    database_url: str,
) -> None:
    port = str(free_port("127.0.0.1"))
    for name, value in {
        DATABASE_URL: postgres_url,
        "MARKETPLACE_DATABASE_URL": database_url,
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
        "MARKETPLACE_PORT": port,
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to say that there is none: nothing is fetched
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # The next command of the page plays the same scenarios once more.
        "PYTEST_ADDOPTS": "--deselect tests/test_certificate.py -p no:cacheprovider",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MARKETPLACE_VAR_DIR", raising=False)
    # What another test in this process found of a plugin of the same name.
    monkeypatch.setenv(FOUND, "{}")
    shell = request.getfixturevalue("shell")
    script = "\n".join(SHELL.findall(PAGE.read_text())).replace(
        "127.0.0.1:8000", f"127.0.0.1:{port}"
    )
    said, _ = shell.communicate(script, timeout=PATIENCE_S)
    log = tmp_path / "marketplace-acme" / "serve.log"
    assert shell.returncode == 0, said + (log.read_text() if log.exists() else "")
    assert re.search(r"\d+ passed", said), said
    assert "marketplace-acme 0.1.0: PASSED" in said
    assert "Genuine: marketplace-acme 0.1.0" in said
    assert "warning: offers of plugin acme for acmetools are closed" in said
    assert "acme 0.1.0 is active." in said
    assert "acme is enabled for acmetools." in said
    assert "code: HELLO: TRIAL-1" in said
    assert re.search(r"^acme +ready ", said, re.MULTILINE), said
    assert "The burn is captured" in said
    assert re.search(r'"secret":"[0-9A-F]{16}"', said), said
