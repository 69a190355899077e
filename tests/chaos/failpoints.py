"""Failpoints: named places of the product where a process can be made to die, stop or sleep.

The product knows nothing of them. In a process that was started with `tests/chaos/startup` on its
PYTHONPATH and `MARKETPLACE_FAILPOINTS` naming a folder, functions are wrapped as their modules are
imported; in any other there is nothing to be off. A point is armed by a file in the folder, at any
time; the one process that renames the file has the honour. So a point fires as often as it was
armed, whoever passes it first, also where the process that died is started again.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.abc
import importlib.machinery
import inspect
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

FOLDER = "MARKETPLACE_FAILPOINTS"
PLUGIN_FOLDER = "MARKETPLACE_GIFTFUND_FAILPOINTS"
"""The same for the gift fund's own process, which gets no variable of ours."""

Action = str
"""`kill`, `stop` (until SIGCONT) or `sleep:SECONDS`."""


class Point(NamedTuple):
    """A function, and when in a call of it."""

    module: str
    attribute: str
    when: Literal["before", "during", "after", "halfway"]
    """During: what it sends is under way. Halfway: it has seen to the first half of its list."""


POINTS = {
    # An API process: the statement that writes a batch commits by itself.
    "engine.before_commit": Point("marketplace.exchange.holding_repository", "send", "before"),
    "engine.during_commit": Point("marketplace.exchange.holding_repository", "send", "during"),
    "engine.after_commit": Point("marketplace.exchange.holding_repository", "send", "after"),
    "engine.half_answered": Point("marketplace.exchange.answering", "tell_all", "halfway"),
    # The relay.
    "relay.before_publish": Point("marketplace.fulfilment.relay", "Relay._send", "before"),
    "relay.after_publish": Point("marketplace.fulfilment.repository", "mark", "before"),
    "relay.before_commit": Point("marketplace.fulfilment.repository", "mark", "after"),
    # A worker.
    "worker.claimed": Point("marketplace.fulfilment.tasks", "ask", "before"),
    "worker.delivered": Point("marketplace.fulfilment.tasks", "ask", "after"),
    "worker.before_commit": Point("marketplace.fulfilment.service", "resolve", "after"),
    "worker.after_commit": Point("marketplace.fulfilment.tasks", "Work.tell", "before"),
    # The plugin's own process: what it delivered is committed, its answer is not sent.
    "plugin.delivered": Point("marketplace_giftfund.supplier", "GiftFund.fulfil", "after"),
}


# -- whoever injects ---------------------------------------------------------------------------


def arm(folder: Path, point: str, action: Action = "kill", times: int = 1) -> None:
    """Make the next `times` passes of `point` do `action`."""
    assert point in POINTS, point
    for number in range(times):
        draft = folder / f"draft-{point}-{time.monotonic_ns()}-{number}"
        draft.write_text(action)
        draft.rename(folder / f"armed-{draft.name.removeprefix('draft-')}")


def fired(folder: Path, point: str) -> list[int]:
    """Process ids of those at which `point` fired."""
    return [int(path.suffix[1:]) for path in folder.glob(f"fired-{point}-*")]


def disarm(folder: Path) -> None:
    """Let nothing more fire."""
    for path in folder.glob("armed-*"):
        path.unlink(missing_ok=True)


# -- the process that fails ----------------------------------------------------------------------


def put_on_as_imported() -> None:
    """Wrap functions as their modules are imported, where this process was told a folder.

    It is looked for at each import: a plugin's process is told only once it was forked.
    """
    sys.meta_path.insert(0, _Finder())


def put_on(folder: Path) -> None:
    """Wrap every function at once, in a process that has imported what it needs."""
    for module in {point.module for point in POINTS.values()}:
        _put_on(importlib.import_module(module), folder)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self) -> None:
        self._wanted = {point.module for point in POINTS.values()}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        folder = os.environ.get(FOLDER) or os.environ.get(PLUGIN_FOLDER)
        if name not in self._wanted or not folder:
            return None
        self._wanted.remove(name)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.loader is not None
        loader, execute = spec.loader, spec.loader.exec_module

        def execute_and_put_on(module: ModuleType) -> None:
            execute(module)
            _put_on(module, Path(folder))

        loader.exec_module = execute_and_put_on  # type: ignore[method-assign]
        return spec


def _put_on(module: ModuleType, folder: Path) -> None:
    by_function: dict[str, list[str]] = {}
    for name, point in POINTS.items():
        if point.module == module.__name__:
            by_function.setdefault(point.attribute, []).append(name)
    for attribute, names in by_function.items():
        *owners, last = attribute.split(".")
        owner: Any = module
        for each in owners:
            owner = getattr(owner, each)
        for name in names:
            wrap = _wrap_async if inspect.iscoroutinefunction(getattr(owner, last)) else _wrap
            setattr(owner, last, wrap(getattr(owner, last), folder, name))


def _wrap(function: Callable[..., Any], folder: Path, name: str) -> Callable[..., Any]:
    when = POINTS[name].when

    @wraps(function)
    def wrapped(*given: Any, **named: Any) -> Any:
        if when == "before":
            _pass(folder, name)
        if when == "halfway":
            waiting, answers = list(given[0]), given[1]
            half = len(waiting) // 2
            function(waiting[:half], answers[:half])
            _pass(folder, name)
            return function(waiting[half:], answers[half:])
        value = function(*given, **named)
        if when == "after":
            _pass(folder, name)
        return value

    return wrapped


def _wrap_async(function: Callable[..., Any], folder: Path, name: str) -> Callable[..., Any]:
    when = POINTS[name].when

    @wraps(function)
    async def wrapped(*given: Any, **named: Any) -> Any:
        if when == "before":
            _pass(folder, name)
        if when == "during":
            running = asyncio.ensure_future(function(*given, **named))
            await asyncio.sleep(0)  # it runs until it waits for an answer
            _pass(folder, name)
            return await running
        value = await function(*given, **named)
        if when == "after":
            _pass(folder, name)
        return value

    return wrapped


def _pass(folder: Path, name: str) -> None:
    """Do what the point is armed with, if it is."""
    for path in sorted(folder.glob(f"armed-{name}-*")):
        mine = folder / f"{path.name.replace('armed-', 'fired-', 1)}.{os.getpid()}"
        try:
            path.rename(mine)
        except FileNotFoundError:  # another process was faster
            continue
        _act(mine.read_text())
        return


def _act(action: Action) -> None:
    kind, _, seconds = action.partition(":")
    if kind == "sleep":
        time.sleep(float(seconds))
    else:
        os.kill(os.getpid(), signal.SIGKILL if kind == "kill" else signal.SIGSTOP)
