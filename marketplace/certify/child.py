"""The process that runs the plugin: `python -m marketplace.certify.child SPEC`.

It reads what to play from the file SPEC and writes one line of JSON to standard output before and
after each scenario. Whatever the plugin prints goes to standard error. It may be killed any time.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import msgspec

from marketplace.certify.domain import Result, Status, Target, Terms
from marketplace.certify.scenario import About, Excused, Failed, Scenario
from marketplace.certify.scenarios import SCENARIOS
from marketplace.certify.stage import NO_EXIT, Stage
from marketplace.settings import Settings
from marketplace.testing.rehearsal import NotShown

BYTES_IN_MB = 1_048_576


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is to do."""

    target: Target
    terms: Terms
    database_url: str
    secret_key: str
    shim: Path
    play: tuple[str, ...]
    """Names of scenarios, in order."""


class Began(msgspec.Struct, frozen=True, tag="began"):
    """A scenario is being played."""

    scenario: str


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """A scenario has ended; without a result it does not apply."""

    scenario: str
    result: Result | None


Line = Began | Ended


def play(stage: Stage, each: Scenario) -> Result | None:
    """Play one scenario; None where the plugin has nothing that it is about."""
    began = time.monotonic()
    status, found, advice = Status.PASSED, "", ""
    try:
        if not _applies(stage, each):
            return None
        each.play(stage)
    except Failed as error:
        status, found, advice = Status.FAILED, error.found, error.advice
    except NotShown as error:
        status, found = Status.NOT_SHOWN, str(error)
    except Excused as error:
        status, found = Status.EXCUSED, str(error)
    except MemoryError:
        status = Status.FAILED
        found = f"The process ran out of memory ({stage.terms.memory_limit_mb} MB)."
        advice = "Keep no more than one batch in memory."
    except BaseException as error:
        status, found = Status.FAILED, f"{type(error).__name__}: {error}"
        advice = (
            "The rehearsal, a migration or a hook raised this; see the traceback below."
            if isinstance(error, Exception)
            else NO_EXIT
        )
        sys.excepthook(type(error), error, error.__traceback__)
    took_ms = round((time.monotonic() - began) * 1000)
    return Result(
        scenario=each.name,
        title=each.title,
        status=status,
        found=found,
        advice=advice,
        took_ms=took_ms,
    )


def _applies(stage: Stage, each: Scenario) -> bool:
    if each.about is About.SUPPLIER:
        return stage.supplier is not None
    if each.about is About.RULES:
        return bool(stage.rules)
    if each.about is About.NOTIFIERS:
        return bool(stage.notifiers)
    if each.about is About.FILE_RAILS:
        return bool(stage.file_rails)
    return each.about is not About.RAILS or bool(stage.rails)


def _take_stdout() -> TextIO:
    """Standard output for us alone; what the plugin prints goes to standard error."""
    mine = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return mine


def _limit_memory(limit_mb: int) -> None:
    with suppress(ImportError, ValueError, OSError):  # not on this platform, or limited already
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit_mb * BYTES_IN_MB,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Play every scenario of the spec in order."""
    faulthandler.enable()
    out = _take_stdout()
    spec = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Spec, dec_hook=_path)
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(spec.shim), str(spec.target.root)]
    _limit_memory(spec.terms.memory_limit_mb)
    settings = Settings(
        database_url=spec.database_url, secret_keys=spec.secret_key, clock_travel=True
    )
    stage = Stage(spec.target, spec.terms, settings)

    def say(line: Line) -> None:
        out.write(msgspec.json.encode(line).decode() + "\n")
        out.flush()

    for name in spec.play:
        say(Began(name))
        say(Ended(name, play(stage, SCENARIOS[name])))
    out.flush()
    os._exit(0)  # threads a plugin left behind must not keep us


def _path(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError(kind)


if __name__ == "__main__":
    main()
