"""Starts the program as a child process, waits until it answers, and stops it."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from marketplace.errors import UsageError
from marketplace.settings import Settings

READY_PATH = "/health/ready"
READY_WITHIN_S = 180
STOP_WITHIN_S = 15
POLL_S = 0.1
QUIET_PORTS = range(20_000, 32_000)
"""Linux, macOS and Windows give higher ones to outgoing connections."""


class ServerEnded(UsageError):
    """The program that should keep running has ended."""


class Served:
    """`marketplace serve` as our child: API, relay, worker and schedule."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "marketplace.tied", "serve"],
            env=environ,
            stdin=subprocess.PIPE,  # closes when we end, however we end; then it stops
            stdout=subprocess.DEVNULL,
            # Ctrl-C reaches us alone; we stop the child.
            start_new_session=True,
        )

    def check(self) -> None:
        """Raise ServerEnded where it is gone."""
        status = self._process.poll()
        if status is not None:
            raise ServerEnded(f"`marketplace serve` ended by itself (status {status}).")

    def wait_ready(self, address: str) -> None:
        """Wait until the API answers that it is ready; UsageError after READY_WITHIN_S."""
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            self.check()
            if _answers(address + READY_PATH):
                return
            time.sleep(POLL_S)
        raise UsageError(f"{address} was not ready within {READY_WITHIN_S} s.")

    def wait_forever(self) -> None:
        """Return only by KeyboardInterrupt, or ServerEnded."""
        while True:
            self.check()
            time.sleep(POLL_S * 5)

    def stop(self) -> None:
        """Stop it and everything it started; insist where it does not stop."""
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


@contextmanager
def served(environ: dict[str, str]) -> Iterator[Served]:
    """The running program, stopped when the block ends, whatever ends it."""
    started = Served(environ)
    try:
        yield started
    finally:
        started.stop()


@contextmanager
def term_is_ctrl_c() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does, and Ctrl-C even where it was ignored."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), interrupt) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310
            return True
    except OSError:  # refused, reset, timed out, or an error status
        return False


def free_port(host: str) -> int:
    """A port nobody listens on just now.

    Not one of those that systems give to outgoing connections: until a server that takes its time
    listens on it, any connection of this machine could have got it.
    """
    while True:
        port = secrets.choice(QUIET_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return port


def wait_port_free(host: str, port: int, *, timeout_s: float = 6) -> None:
    """Wait while a run that was just stopped gives the port back; UsageError where it does not."""
    deadline = time.monotonic() + timeout_s
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                if time.monotonic() > deadline:
                    raise UsageError(
                        f"Something listens on {host}:{port} already, perhaps another "
                        f"demonstration. Stop it, or choose another port: make demo PORT=8001"
                    ) from None
            else:
                return
        time.sleep(POLL_S)


def environment(settings: Settings, port: int) -> dict[str, str]:
    """The environment of the child: ours, with `port`, no broker, and only warnings logged."""
    unless_set = {
        "MARKETPLACE_LOG_LEVEL": "WARNING",
        "MARKETPLACE_MAIL_DIR": str(mail_dir(settings)),
    }
    fixed = {"MARKETPLACE_PORT": str(port), "MARKETPLACE_BROKER_URL": ""}
    return {**unless_set, **os.environ, **fixed}


def mail_dir(settings: Settings) -> Path:
    """Where mails become files while there is no mail server."""
    return settings.mail_dir or settings.var_dir.resolve() / "mail"
