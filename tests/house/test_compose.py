"""compose.yaml and the Dockerfile name only what exists. There is no Docker engine to ask."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from marketplace.cli import main
from marketplace.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
FILE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.__struct_fields__}


def command_exists(words: list[str]) -> bool:
    """Whether `marketplace <words>` is a command of the program (options aside)."""
    found: click.Command | None = main
    for word in (each for each in words if not each.startswith("-")):
        if not isinstance(found, click.Group):
            return False
        found = found.get_command(click.Context(found), word)
    return found is not None and not isinstance(found, click.Group)


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_that_exists(name: str) -> None:
    program, *words = OURS[name]["command"]
    assert program == "marketplace"
    assert command_exists(words)


@pytest.mark.parametrize("name", OURS)
def test_a_service_sets_settings_that_exist(name: str) -> None:
    given = {key for key in OURS[name]["environment"] if key.startswith(PREFIX)}
    assert given
    assert given <= SETTINGS


def test_passwords_come_from_outside_and_none_has_a_default() -> None:
    text = (ROOT / "compose.yaml").read_text()
    for variable in re.findall(r"\$\{(\w*(?:PASSWORD|SECRET)\w*)(\S*)", text):
        assert variable[1].startswith(":?"), variable


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_services_that_can_tell(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"] == "no"


def test_named_volumes_are_declared() -> None:
    used = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
    }
    assert used == set(FILE["volumes"])


def test_what_the_dockerfile_copies_exists_and_reaches_the_build() -> None:
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    for line in re.findall(r"^COPY (?!--from)(.*)$", (ROOT / "Dockerfile").read_text(), re.M):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source in kept, f"{source} is in .dockerignore"


def test_the_image_does_not_run_as_root() -> None:
    last_stage = (ROOT / "Dockerfile").read_text().rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER (?!root)\w+$", last_stage, re.MULTILINE)


def test_the_image_starts_a_command_that_exists() -> None:
    found = re.search(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert found
    program, *words = yaml.safe_load(found.group(1))
    assert program == "marketplace"
    assert command_exists(words)
