"""What a check finds: scenarios, results, verdicts. Pure data, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import msgspec


class Status(StrEnum):
    """How a scenario ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_SHOWN = "not_shown"
    """It could not be played: nothing is proved either way."""
    EXCUSED = "excused"
    """The plugin says its world cannot have this trouble; its reason is quoted."""


class Verdict(StrEnum):
    """What all results come to."""

    PASSED = "passed"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    """Nothing failed, and something was not shown."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario's end, in words for the plugin's author."""

    scenario: str
    title: str
    status: Status
    found: str = ""
    """What was seen, where it did not pass."""
    advice: str = ""
    """What to do about it."""
    took_ms: int = 0


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The plugin to check, as its metadata describes it: nothing of it has been imported."""

    slug: str
    distribution: str
    version: str
    module: str
    """The module its entry point names."""
    rehearsal: str | None
    """`module:Class`; None where it has none."""
    part_rehearsals: dict[str, str] = {}
    """`module:Class` of its notifiers, by channel, and of its rail, `<slug>.rail`."""
    root: Path
    """Folder that Python imports its packages from."""
    packages: tuple[Path, ...]
    """Its packages and modules, below `root`."""
    source: Path | None
    """Its project folder; None where it is an installed wheel."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How a check is played."""

    sku: str | None = None
    """What to order from a plugin without a rehearsal."""
    empty_sku: str | None = None
    call_limit_s: float = 30.0
    """Longest one call of the plugin may take, as in production."""
    scenario_limit_s: float = 120.0
    memory_limit_mb: int = 3_072
    """Address space of the process that runs the plugin, where the platform limits it."""
    only: tuple[str, ...] = ()
    """Names of scenarios; all where empty."""


def verdict(results: Sequence[Result]) -> Verdict:
    """Failed if anything failed, else incomplete if anything was not shown."""
    ends = {each.status for each in results}
    if Status.FAILED in ends or not results:
        return Verdict.FAILED
    return Verdict.INCOMPLETE if Status.NOT_SHOWN in ends else Verdict.PASSED
