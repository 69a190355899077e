"""Plays scenarios in child processes and outlives whatever the plugin does to them.

One child plays the scenarios in order. Where it dies or takes too long, the scenario it was in has
failed, and a new child goes on with the next. The child gets a database of its own and none of our
settings. This finds mistakes; it is no sandbox against code that is meant to harm.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from marketplace.certify.child import Began, Line, Spec
from marketplace.certify.domain import Result, Status, Target, Terms
from marketplace.certify.scenario import About
from marketplace.certify.scenarios import SCENARIOS
from marketplace.certify.target import write_shim
from marketplace.errors import UsageError
from marketplace.settings import PREFIX, Settings
from marketplace.testing.laboratory import SECRET_KEY, empty_database

START_LIMIT_S = 60.0
LAST_WORDS = 600
"""Characters of standard error that are quoted when a child dies."""
POLL_S = 0.1
STARTS, DELIVERS = "starts", "delivers"
IN_VAIN = {
    STARTS: "the plugin does not start",
    DELIVERS: "an ordinary order is not delivered",
}
"""Scenarios after whose failure others cannot show anything, and the reason that is given."""
ANYWAY = "health"
"""Needs no order."""

Progress = Callable[[str, Result | None], None]
"""Told each scenario's name when it begins, and its result when it has one."""


def names(only: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the scenarios to play, in order; UsageError for one that does not exist."""
    strange = [name for name in only if name not in SCENARIOS]
    if strange:
        raise UsageError(f"There is no scenario {strange[0]!r}; there are: {', '.join(SCENARIOS)}.")
    return tuple(name for name in SCENARIOS if not only or name in only)


def check(target: Target, terms: Terms, progress: Progress = lambda *_: None) -> list[Result]:
    """Play the scenarios against the plugin; those that do not apply to it have no result."""
    wanted = names(terms.only)
    with empty_database() as settings, tempfile.TemporaryDirectory() as folder:
        shim = Path(folder) / "shim"
        shim.mkdir()
        write_shim(target, shim)
        results: list[Result] = []
        todo = list(wanted)
        while todo:
            spec = _spec(target, terms, settings, shim, todo)
            with contextlib.closing(_one_child(spec, Path(folder), progress)) as playing:
                for name, result in playing:
                    todo.remove(name)
                    if result is None:
                        continue
                    results.append(result)
                    if result.status is Status.FAILED and name in IN_VAIN:
                        vain = [each for each in todo if _is_vain(each, after=name)]
                        results += _not_shown(vain, name)
                        todo = [each for each in todo if each not in vain]
                        break
    return sorted(results, key=lambda each: wanted.index(each.scenario))


def _spec(
    target: Target, terms: Terms, settings: Settings, shim: Path, todo: Sequence[str]
) -> Spec:
    return Spec(
        target=target,
        terms=terms,
        database_url=settings.database_url or "",
        secret_key=SECRET_KEY,
        shim=shim,
        play=tuple(todo),
    )


def _is_vain(name: str, *, after: str) -> bool:
    """Whether a scenario can show nothing once `after` has failed."""
    if after == STARTS:
        return SCENARIOS[name].about is not About.FILES
    return SCENARIOS[name].about is About.SUPPLIER and name != ANYWAY


def _not_shown(names: Sequence[str], after: str) -> list[Result]:
    """Results of scenarios that are not played."""
    return [
        Result(
            scenario=name,
            title=SCENARIOS[name].title,
            status=Status.NOT_SHOWN,
            found=f"{IN_VAIN[after]} (see {after})",
        )
        for name in names
        # What it would have registered is not known: nothing is said of suppliers and rules.
        if after != STARTS or SCENARIOS[name].about is About.PLUGIN
    ]


def _one_child(
    spec: Spec, folder: Path, progress: Progress
) -> Generator[tuple[str, Result | None]]:
    """Results of one child, the last of them a failure where it did not live to the end."""
    path = folder / "spec.json"
    path.write_bytes(msgspec.json.encode(spec, enc_hook=str))
    with (folder / "stderr").open("w+b") as errors:
        child = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "marketplace.certify.child", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(folder),
            start_new_session=True,
        )
        try:
            yield from _listen(child, spec, errors, progress)
        finally:
            _end(child)


def _environment(folder: Path) -> dict[str, str]:
    """Ours, without our settings and keys."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder)}


def _listen(
    child: subprocess.Popen[bytes], spec: Spec, errors: IO[bytes], progress: Progress
) -> Iterator[tuple[str, Result | None]]:
    lines: queue.Queue[Line | None] = queue.Queue()
    threading.Thread(target=_read, args=(child, lines), daemon=True).start()
    todo = list(spec.play)
    playing: str | None = None
    began = time.monotonic()
    while todo:
        limit_s = spec.terms.scenario_limit_s if playing else START_LIMIT_S
        try:
            line = lines.get(timeout=max(began + limit_s - time.monotonic(), POLL_S))
        except queue.Empty:
            why = f"It was not done after {limit_s:g} s; the process was stopped."
            line = None
        else:
            why = "" if line else _death(child, errors)
        if line is None:
            result = _cut_short(playing or todo[0], why, began)
            progress(result.scenario, result)
            yield result.scenario, result
            return
        began = time.monotonic()
        if isinstance(line, Began):
            playing = line.scenario
            progress(playing, None)
        else:
            todo.remove(line.scenario)
            playing = None
            if line.result is not None:
                progress(line.scenario, line.result)
            yield line.scenario, line.result


def _read(child: subprocess.Popen[bytes], lines: queue.Queue[Line | None]) -> None:
    """Pass on the child's lines, then None; a line that is none of ours ends it."""
    assert child.stdout is not None  # noqa: S101 - it is a pipe
    decoder = msgspec.json.Decoder(Line)
    with contextlib.suppress(msgspec.DecodeError, ValueError, OSError):
        for text in child.stdout:
            lines.put(decoder.decode(text))
    lines.put(None)


def _cut_short(name: str, why: str, began: float) -> Result:
    return Result(
        scenario=name,
        title=SCENARIOS[name].title,
        status=Status.FAILED,
        found=why,
        advice="A plugin must never end or block its process, or take its memory: raise an "
        "Exception, and give every call a time limit.",
        took_ms=round((time.monotonic() - began) * 1000),
    )


def _death(child: subprocess.Popen[bytes], errors: IO[bytes]) -> str:
    """How the child ended, with its last words."""
    try:
        status = child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return "It closed the process's standard output."
    how = f"exit status {status}"
    if status < 0:
        with contextlib.suppress(ValueError):
            how = signal.Signals(-status).name
    errors.seek(0)
    words = errors.read().decode(errors="replace").strip()[-LAST_WORDS:]
    return f"The process ended ({how})." + (f" Its last words: {words}" if words else "")


def _end(child: subprocess.Popen[bytes]) -> None:
    """Stop the child and everything it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.wait()
    if child.stdout is not None:
        child.stdout.close()
