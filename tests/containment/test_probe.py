"""What plugins say while they are probed is taken for what it is, and costs nobody else a start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from marketplace.containment.messages import LENGTH
from marketplace.containment.probe import FOUND, findings, probe
from marketplace.plugins import others_than
from marketplace.settings import Settings
from tests.containment.hostile import install

GARBLES = """
said = {said!r}
os.write(int(sys.argv[1]), {length!r} + said)
"""
NO_TEXT = b"\x82\xa5value\xc0\xa6raised\xa1\xff"
DEEP = b"\x81\xa5value" + b"\x91" * 20_000 + b"\xc0"


@pytest.mark.parametrize("said", [NO_TEXT, DEEP])
def test_an_answer_that_cannot_be_read_is_blamed_on_the_plugin_alone(
    said: bytes, settings: Settings, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "garbles", more=GARBLES.format(said=said, length=LENGTH.pack(len(said))))
    install(site, "good")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    found = probe(settings, ["garbles", "good"])
    assert "malformed" in found["garbles"].refusal
    assert (found["good"].refusal, found["good"].supplier) == ("", True)


WORDY = """
@api.hookimpl
def marketplace_register_tasks(host):
    name = "t" * 200_000
    return [api.PeriodicTask(name=name, every_s=60, run=lambda: None)]
"""


def test_a_plugin_that_registers_a_novel_keeps_no_process_from_starting(
    settings: Settings, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "wordy", more=WORDY)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv(FOUND, "{}")
    found = findings(settings, set(others_than("wordy")))
    assert "wordy" in found
    subprocess.run([sys.executable, "-c", ""], check=True)  # it is handed what was found
    assert "too much" in found["wordy"].refusal
