"""One plugin process as the worker sees it: started, asked under a deadline, killed with its group.

Whatever the plugin does, `call` returns or raises by its deadline, and after a raise the process is
gone with everything it started.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from enum import StrEnum

import msgspec
import psutil

from marketplace.containment import messages
from marketplace.containment.limits import Usage
from marketplace.containment.messages import Closed, Reply, Request, Terms, TooLong
from marketplace.containment.output import Listener
from marketplace.containment.starting import Given, start

TICK_S = 0.2
STOP_GRACE_S = 2.0
"""How long a call may go on once the worker was told to stop."""
REAP_S = 5.0
SEND_S = 5.0
BOOT_S = 60.0
"""Longest until the process itself runs: nothing of a plugin is loaded by then."""


class Why(StrEnum):
    """Why a process ended."""

    TIMEOUT = "timeout"
    MEMORY = "memory"
    PROCESSES = "processes"
    CPU = "cpu"
    ANSWER = "answer"
    EXIT = "exit"
    CRASH = "crash"
    STOPPED = "stopped"


class ProcessEnded(Exception):
    """The plugin's process is gone; what it was asked may or may not have been done."""

    def __init__(self, why: Why, words: str) -> None:
        super().__init__(words)
        self.why = why


class NotStarted(Exception):
    """The plugin's process could not be started, so it was asked nothing."""


class PluginRaised(Exception):
    """What was called in the plugin raised; the text says what."""


class PluginProcess:
    """A running plugin process. Used by one thread at a time."""

    def __init__(
        self, terms: Terms, listener: Listener, start_s: float, slugs: Sequence[str] = ()
    ) -> None:
        """Start it; NotStarted where that fails, or the plugin takes `start_s` to load.

        `slugs` are those it may load, where its terms name none.
        """
        self._terms = terms
        try:
            self._start(listener, *(slugs or [terms.slug]))
            self._usage = self._watched()
        except (OSError, Closed, psutil.Error) as error:
            raise NotStarted(f"its process could not be started: {error}") from None
        self._prepare(start_s)

    def _start(self, listener: Listener, *slugs: str) -> None:
        """Start it; where that fails, as for want of descriptors, none of its ends stays open."""
        with ExitStack() as ours, ExitStack() as theirs:
            self._channel, channel = socket.socketpair()
            ours.enter_context(self._channel)
            theirs.enter_context(channel)
            self._tie, tied = socket.socketpair()
            ours.enter_context(self._tie)
            theirs.enter_context(tied)
            reading, writing = os.pipe()
            theirs.callback(os.close, writing)
            try:
                # The listener closes it, once it is at its end.
                listener.add(self._terms.slug or "probe", reading)
            except OSError:
                os.close(reading)
                raise
            given = Given(channel.fileno(), tied.fileno(), writing)
            self._started = start(self._channel, given, *slugs)
            ours.pop_all()

    def _watched(self) -> Usage:
        try:
            return Usage(self._started.pid)
        except (OSError, psutil.Error):
            self._kill()
            raise

    @property
    def pid(self) -> int:
        """Its process id, and that of its group."""
        return self._started.pid

    def _prepare(self, start_s: float) -> None:
        self._channel.settimeout(SEND_S)
        try:
            messages.send(self._channel, self._terms)
            reply = self._reply(time.monotonic() + BOOT_S, None)
            if self._terms.slug:
                reply = self._reply(time.monotonic() + start_s, None)
        except (ProcessEnded, Closed, OSError) as error:
            ended = error if isinstance(error, ProcessEnded) else self._ended()
            raise NotStarted(f"it does not start: {ended}") from None
        if reply.raised:
            self.kill()
            raise NotStarted(f"it does not load: {reply.raised}")

    def call(
        self, request: Request, timeout_s: float, stopping: threading.Event | None = None
    ) -> msgspec.Raw:
        """What the request came to. Raises PluginRaised, or ProcessEnded and the process is gone.

        Once `stopping` is set a call has STOP_GRACE_S left.
        """
        deadline = time.monotonic() + timeout_s
        self._channel.settimeout(SEND_S)
        try:
            messages.send(self._channel, request)
        except (Closed, OSError):
            raise self._ended() from None
        reply = self._reply(deadline, stopping)
        if reply.leave:
            self.kill()
        elif self._too_big():
            # It has answered; the next call gets a new process.
            self.kill()
        if reply.raised:
            raise PluginRaised(reply.raised)
        return reply.value

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked again."""
        return self._started.status() is None

    def kill(self) -> None:
        """End the process and everything it started, at once."""
        self._kill(*self._usage.started())

    def _kill(self, *started: psutil.Process) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._started.pid, signal.SIGKILL)
        for each in started:  # those that left the group
            with suppress(psutil.Error):
                each.kill()
        self._started.status(REAP_S)
        self._started.forget()
        self._close()

    def _close(self) -> None:
        self._channel.close()
        self._tie.close()

    def _reply(self, deadline: float, stopping: threading.Event | None) -> Reply:
        latest = [deadline]

        def look() -> None:
            now = time.monotonic()
            if stopping is not None and stopping.is_set():
                latest[0] = min(latest[0], now + STOP_GRACE_S)
                if now >= latest[0]:
                    raise self._killed(Why.STOPPED, "the worker was told to stop")
            if now >= latest[0]:
                raise self._killed(Why.TIMEOUT, "it did not answer in time")
            self._check_usage()

        began = time.monotonic()
        self._channel.settimeout(min(TICK_S, max(deadline - began, 0.001)))
        try:
            body = messages.receive(self._channel, messages.MOST_REPLY_BYTES, look)
            return messages.decode(body, Reply)
        except TooLong as error:
            raise self._killed(Why.ANSWER, str(error)) from None
        except msgspec.MsgspecError as error:
            raise self._killed(Why.ANSWER, f"its answer is malformed: {error}") from None
        except (Closed, OSError):
            raise self._ended() from None

    def _check_usage(self) -> None:
        started = self._usage.started()
        if len(started) > self._terms.processes:
            raise self._killed(
                Why.PROCESSES,
                f"it started {len(started)} processes; {self._terms.processes} may be",
            )
        used_mb = self._usage.memory_mb(started)
        if used_mb > self._terms.memory_mb:
            raise self._killed(
                Why.MEMORY, f"it used {used_mb} MB of memory; {self._terms.memory_mb} may be"
            )

    def _too_big(self) -> bool:
        return self._usage.memory_mb([]) > self._terms.memory_mb

    def _killed(self, why: Why, words: str) -> ProcessEnded:
        self.kill()
        return ProcessEnded(why, f"its process was killed: {words}")

    def _ended(self) -> ProcessEnded:
        """Why it ended by itself (or closed its connection, which comes to the same)."""
        status = self._started.status(TICK_S)
        self.kill()
        if status is None:
            return ProcessEnded(Why.EXIT, "its process was killed: it closed our connection")
        if status >= 0:
            return ProcessEnded(Why.EXIT, f"its process ended by itself with status {status}")
        name = signal.Signals(-status).name
        why = Why.CPU if -status == signal.SIGXCPU else Why.CRASH
        more = f" ({self._terms.cpu_s} s of processor may be used)" if why is Why.CPU else ""
        return ProcessEnded(why, f"its process died of {name}{more}")
