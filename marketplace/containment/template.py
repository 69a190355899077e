"""The template: has imported what every plugin's process needs, and forks one at each request.

`python -m marketplace.containment.template CONTROL` with a socket handed down by the worker. It
runs nothing of a plugin, has one thread, and no key, setting or connection: what a plugin's process
is given reaches that process over its own channel, after the fork.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress

import msgspec
import pg8000

from marketplace import plugins
from marketplace.containment import child, lent, messages, rail_calls
from marketplace.containment.messages import Surroundings
from marketplace.containment.starting import FORK, NUMBER, READY, Given

USED = (child, lent, pg8000, plugins, rail_calls)
"""What a plugin's process would import by and by."""
FDS = len(Given._fields) + 1
"""Handed over with a request: what the process is given, and the line to tell of it on."""


class _Forked:
    """A process that runs, or has ended and is told of."""

    def __init__(self, pid: int, line: int) -> None:
        self.pid = pid
        self.watch = os.pidfd_open(pid)
        self.line = line
        self.wanted = True
        """Whether the worker has an end of the line."""
        self.ended = False


class Template:
    """Forks when the worker asks, and tells it how each process ended.

    A process that has ended is left in the system's table until the worker closes the line: so its
    id is nobody else's while the worker may still send it a signal.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._poll = select.poll()  # in this process alone, where epoll is shared by a fork
        self._poll.register(control, select.POLLIN)
        self._by_fd: dict[int, _Forked] = {}

    def serve(self) -> Given | None:
        """Fork until the worker is gone, then None. Returns in each process that is forked, too."""
        while True:
            for fd, _ in self._poll.poll():
                if fd == self._control.fileno():
                    message, fds, _, _ = socket.recv_fds(self._control, len(FORK), FDS)
                    if not message:
                        self._end_all()
                        return None
                    given = self._fork(fds)
                    if given is not None:
                        return given
                elif fd in self._by_fd:
                    forked = self._by_fd[fd]
                    if fd == forked.line:
                        self._unwanted(forked)
                    else:
                        self._ended(forked)

    def _fork(self, fds: list[int]) -> Given | None:
        if len(fds) < FDS:  # no descriptors are left: the worker sees the line close
            for fd in fds:
                os.close(fd)
            return None
        *given, line = fds
        try:
            pid = os.fork()
        except OSError as error:
            os.write(line, NUMBER.pack(-(error.errno or 1)))
            fds = [*given, line]
        else:
            if pid == 0:
                return Given(*given)
            self._watch(_Forked(pid, line))
            fds = given
        for fd in fds:
            os.close(fd)
        return None

    def _watch(self, forked: _Forked) -> None:
        for fd in (forked.line, forked.watch):
            self._by_fd[fd] = forked
            self._poll.register(fd, select.POLLIN)
        self._tell(forked, forked.pid)

    def _tell(self, forked: _Forked, number: int) -> None:
        with suppress(OSError):  # the worker may have closed the line meanwhile
            os.write(forked.line, NUMBER.pack(number))

    def _ended(self, forked: _Forked) -> None:
        forked.ended = True
        self._forget_fd(forked.watch)
        found = os.waitid(os.P_PID, forked.pid, os.WEXITED | os.WNOWAIT)
        assert found is not None  # noqa: S101 - only WNOHANG says nothing
        status = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
        if forked.wanted:
            self._tell(forked, status)
        else:
            os.waitpid(forked.pid, 0)

    def _unwanted(self, forked: _Forked) -> None:
        forked.wanted = False
        self._forget_fd(forked.line)
        _kill(forked.pid)
        if forked.ended:
            os.waitpid(forked.pid, 0)

    def _forget_fd(self, fd: int) -> None:
        del self._by_fd[fd]
        self._poll.unregister(fd)
        os.close(fd)

    def _end_all(self) -> None:
        for forked in {id(each): each for each in self._by_fd.values()}.values():
            _kill(forked.pid)


def _kill(pid: int) -> None:
    """End a process of ours and its group, of which it may not be the head yet."""
    for send in (os.kill, os.killpg):
        with suppress(ProcessLookupError, PermissionError):
            send(pid, signal.SIGKILL)


def settle(given: Given, path: list[str]) -> None:
    """Make the calling process, just forked, what a fresh one would be: a session of its own, its
    own descriptors only, and the surroundings that it is sent.
    """
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for fd, place in ((nothing, 0), (given.output, 1), (given.output, 2)):
        os.dup2(fd, place)
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in (0, 1, 2, given.channel, given.tie):
            with suppress(OSError):  # the one that listed them is gone
                os.close(int(name))
    with socket.socket(fileno=os.dup(given.channel)) as channel:
        body = messages.receive(channel, child.MOST_REQUEST_BYTES, None)
    surroundings = msgspec.msgpack.decode(body, type=Surroundings)
    os.environb.clear()
    os.environb.update(surroundings.variables)
    time.tzset()
    directory = os.fsdecode(surroundings.directory)
    os.chdir(directory)
    sys.argv = [child.__file__, str(given.channel), str(given.tie)]
    sys.path[:] = [*path_before(directory), *path]
    importlib.invalidate_caches()


def path_before(directory: str | None) -> list[str]:
    """What an interpreter that runs a module puts before its own folders of modules; `directory`
    None: the one it works in is gone.
    """
    here = [] if sys.flags.safe_path or directory is None else [directory]
    named = os.environ.get("PYTHONPATH")
    folders = [os.path.abspath(each) for each in named.split(os.pathsep)] if named else []
    return here + list(dict.fromkeys(folders))


def main() -> None:
    """Fork for the worker; in each process that is forked, be the process of a plugin."""
    control = socket.socket(fileno=int(sys.argv[1]))
    os.close(os.pidfd_open(os.getpid()))  # or how a process ended would never be seen
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        sys.exit(f"the template has {threads} threads, so nothing can be forked from it")
    try:
        before = path_before(os.getcwd())
    except FileNotFoundError:
        before = path_before(None)
    path = sys.path[len(before) :]
    gc.collect()
    gc.freeze()
    control.send(READY)
    given = Template(control).serve()
    if given is None:
        os._exit(0)
    try:
        control.detach()
        settle(given, path)
        child.main()
    except messages.Closed:
        pass
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
