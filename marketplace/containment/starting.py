"""Starts processes of plugins: forked from a template or, where that cannot be, from nothing.

A fork costs some milliseconds, an interpreter that imports the contract anew half a second of
processor. It needs Linux, for other systems do not fork safely, or do not tell how a process ended
that is no child of ours. Where the template does not start, each process is an interpreter.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple, Protocol

from marketplace.containment import messages
from marketplace.containment.environment import environment_of
from marketplace.containment.messages import Surroundings

log = logging.getLogger(__name__)

BOOT_S = 60.0
"""Longest until the template has imported everything."""
FORK_S = 10.0
REAP_S = 5.0
ATTEMPTS = 2
"""One that was killed meanwhile is replaced."""
READ_ONCE = ("PYTHON", "LD_", "LANG", "LC_")
"""Beginnings of variables that an interpreter or its loader reads at its start."""
READY, FORK = b"r", b"f"
NUMBER = struct.Struct("!i")
"""What a template tells of a process: its id (below 0: no fork, for this error), then its end."""


class Given(NamedTuple):
    """Descriptors that a new process gets; who starts it closes its own copies."""

    channel: int
    tie: int
    output: int


class Started(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int:
        """Its process id, and that of its group."""

    def status(self, wait_s: float = 0.0) -> int | None:
        """How it ended (below 0: of this signal); None where it still runs after `wait_s`."""

    def forget(self) -> None:
        """It was killed, and no more is asked: its id may become another's."""


def start(ours: socket.socket, given: Given, *slugs: str) -> Started:
    """A new process of these plugins, in a session of its own, with nothing but what is `given`.

    `ours` is the other end of its channel. Raises OSError, or Closed where it is gone at once.
    """
    variables = environment_of(*slugs)
    forked = template.fork(given, variables)
    if forked is None:
        return _Interpreter(given, variables)
    named = {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}
    try:
        messages.send(ours, Surroundings(variables=named, directory=_folder()))
    except messages.Closed:
        forked.forget()
        raise
    return forked


def _folder() -> bytes:
    """What this process works in; the root, where that was removed as by a new release."""
    try:
        return os.getcwdb()
    except FileNotFoundError:
        return os.fsencode(os.sep)


class _Interpreter:
    """A process that imports everything itself."""

    def __init__(self, given: Given, variables: Mapping[str, str]) -> None:
        self._popen = subprocess.Popen(  # noqa: S603 - our own module, in this interpreter
            [
                *(sys.executable, "-m", "marketplace.containment.child"),
                *(str(given.channel), str(given.tie)),
            ],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=given.output,
            stderr=given.output,
            pass_fds=(given.channel, given.tie),
            start_new_session=True,
        )
        self.pid = self._popen.pid

    def status(self, wait_s: float = 0.0) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            return self._popen.wait(wait_s) if wait_s else self._popen.poll()
        return None

    def forget(self) -> None:
        self.status()


class _Forked:
    """A process that the template forked, tells of on a line, and reaps."""

    def __init__(self, pid: int, line: socket.socket) -> None:
        self.pid = pid
        self._line = line
        line.setblocking(False)
        self._status: int | None = None

    def status(self, wait_s: float = 0.0) -> int | None:
        if self._status is None:
            try:
                said = self._peek(wait_s)
            except BlockingIOError:
                return None
            except (OSError, ValueError):  # closed by `forget`
                said = b""
            # Without the template nobody learns how it ended. It is killed, so that is what it did.
            self._status = NUMBER.unpack(said)[0] if said else -signal.SIGKILL
        return self._status

    def _peek(self, wait_s: float) -> bytes:
        """What the template says, left there for another thread that waits for it."""
        poll = select.poll()
        poll.register(self._line, select.POLLIN)
        poll.poll(wait_s * 1000)
        return self._line.recv(NUMBER.size, socket.MSG_PEEK)

    def forget(self) -> None:
        self._line.close()


class Template:
    """The template that this process has, as long as somebody keeps it.

    Its own side: `marketplace.containment.template`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keepers = 0
        self._control: socket.socket | None = None
        self._popen: subprocess.Popen[bytes] | None = None
        self._read_once: dict[str, str] = {}
        self._unfit = not (sys.platform == "linux" and hasattr(os, "pidfd_open"))

    @contextmanager
    def kept(self) -> Iterator[None]:
        """A template that is started in this block, by whomever, serves until the block's end."""
        with self._lock:
            self._keepers += 1
        try:
            yield
        finally:
            with self._lock:
                self._keepers -= 1
                if not self._keepers:
                    self._end()

    def fork(self, given: Given, variables: Mapping[str, str]) -> Started | None:
        """A new process; None where one with these variables must be started from nothing.

        It does nothing before it is sent its Surroundings.
        """
        with self._lock:
            for _ in range(ATTEMPTS):
                control = self._running(variables)
                if control is None:
                    return None
                line, theirs = socket.socketpair()
                try:
                    line.settimeout(FORK_S)
                    socket.send_fds(control, [FORK], [*given, theirs.fileno()])
                    theirs.close()
                    said = line.recv(NUMBER.size)
                except OSError:
                    said = b""
                finally:
                    theirs.close()
                if said:
                    number = NUMBER.unpack(said)[0]
                    if number > 0:
                        return _Forked(number, line)
                    line.close()
                    raise OSError(-number, os.strerror(-number))
                line.close()
                self._end()
            self._give_up("it ends when it is asked for a process")
        return None

    def _running(self, variables: Mapping[str, str]) -> socket.socket | None:
        if self._unfit:
            return None
        if self._control is None:
            self._start()
        if self._read_once != _read_once(variables):
            return None
        return self._control

    def _start(self) -> None:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        variables = environment_of()
        self._control, self._read_once = control, _read_once(variables)
        try:
            self._popen = subprocess.Popen(  # noqa: S603 - our own module, in this interpreter
                [sys.executable, "-m", "marketplace.containment.template", str(theirs.fileno())],
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
            theirs.close()
            control.settimeout(BOOT_S)
            if control.recv(len(READY)) == READY:
                control.settimeout(FORK_S)
                return
            why = "it ended at once"
        except OSError as error:
            why = str(error)
        finally:
            theirs.close()
        self._give_up(why)

    def _give_up(self, why: str) -> None:
        log.warning("plugin processes are slower to start, for their template fails: %s", why)
        self._unfit = True
        self._end()

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._popen is not None:
            try:
                self._popen.wait(REAP_S)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait(REAP_S)
        self._control = self._popen = None


def _read_once(variables: Mapping[str, str]) -> dict[str, str]:
    """Of these variables those that nothing can change in a running interpreter."""
    return {
        name: value
        for name, value in variables.items()
        if name.startswith(READ_ONCE) and name != "PYTHONPATH"
    }


template = Template()
"""Of this process."""
