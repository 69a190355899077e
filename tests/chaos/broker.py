"""A broker of the harness's own: RabbitMQ where it is installed, else Redis, else none."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import psutil

from bench.server import free_port
from marketplace.worker import make_app

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The script itself; the one on the PATH wants to become another user."""
RABBITMQ_CONTROL = RABBITMQ.with_name("rabbitmqctl")
ENOUGH = 0.4
"""Of the machine's memory, above which RabbitMQ takes no message: what it says by itself."""
START_S = 300.0


class Broker(Protocol):
    """A message broker that can be killed, paused, and started again with or without its data."""

    name: str
    port: int

    @property
    def url(self) -> str: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...
    def wipe(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def fill(self) -> None: ...
    def make_room(self) -> None: ...
    def refuse(self) -> None: ...
    def admit(self) -> None: ...
    def forget(self) -> None: ...


class _Program:
    """A server in a session of its own, with what it starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def _start(self, command: list[str], **environ: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=os.environ | environ,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while not listens(self.port):
            assert time.monotonic() < deadline, (self.folder / "log.txt").read_text()[-2_000:]
            time.sleep(0.2)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        for each in [
            *psutil.Process(self._process.pid).children(recursive=True),
            psutil.Process(self._process.pid),
        ]:
            with suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    def kill(self) -> None:
        """Kill -9 of all of it."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def pause(self) -> None:
        """It stands still, its connections stay open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)


class RabbitMQ(_Program):
    """A node of our own, found through an epmd of our own."""

    name = "rabbitmq"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._distribution, self._epmd = free_port(), free_port()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "plugins").write_text("[].")
        (self.folder / "rabbitmq.conf").write_text("log.file.level = warning\n")
        (self.folder / "environment").write_text("")
        self._start(
            [str(RABBITMQ)],
            **self._named(),
            RABBITMQ_NODE_IP_ADDRESS="127.0.0.1",
            RABBITMQ_NODE_PORT=str(self.port),
            RABBITMQ_DIST_PORT=str(self._distribution),
            RABBITMQ_MNESIA_BASE=str(self.folder / "data"),
            RABBITMQ_LOG_BASE=str(self.folder / "logs"),
            RABBITMQ_PID_FILE=str(self.folder / "pid"),
            RABBITMQ_CONFIG_FILE=str(self.folder / "rabbitmq.conf"),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(self.folder / "plugins"),
        )

    def _named(self) -> dict[str, str]:
        """Who it is among the nodes of this machine."""
        return {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self._epmd),
            "RABBITMQ_NODENAME": f"chaos{self.port}@localhost",
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "environment"),
        }

    def fill(self) -> None:
        """It has no memory left: who publishes is not read any more."""
        self._control("set_vm_memory_high_watermark", "0")

    def make_room(self) -> None:
        """It has memory again."""
        self._control("set_vm_memory_high_watermark", str(ENOUGH))

    def refuse(self) -> None:
        """Nobody is who he says, and all are sent away."""
        self._control("change_password", "guest", "another")
        self._control("close_all_connections", "chaos")

    def admit(self) -> None:
        """Everybody is known again."""
        self._control("change_password", "guest", "guest")

    def _control(self, *arguments: str) -> None:
        subprocess.run(
            [str(RABBITMQ_CONTROL), *arguments],
            env=os.environ | self._named(),
            cwd=self.folder,
            capture_output=True,
            check=True,
        )

    def forget(self) -> None:
        """Somebody deletes every queue and exchange under all who are connected."""
        app = make_app(self.url, ["giftfund"])
        with app.connection_for_write() as connection, connection.channel() as channel:
            for queue in app.amqp.queues.values():
                queue(channel).delete()
            channel.exchange_delete("marketplace")

    def wipe(self) -> None:
        """Kill it and take away its disk."""
        self.kill()
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def close(self) -> None:
        """Kill it and the epmd that it started."""
        self.kill()
        epmd = shutil.which("epmd")
        deadline = time.monotonic() + 10
        while epmd and time.monotonic() < deadline:
            command = [epmd, "-port", str(self._epmd), "-kill"]
            # It refuses until it has seen that the node is gone.
            if not subprocess.run(command, capture_output=True, check=False).returncode:
                break
            time.sleep(0.3)


class Redis(_Program):
    """A server of our own that keeps what it has on disk until it is wiped."""

    name = "redis"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = ["--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "always"]
        self._start(["redis-server", "--port", str(self.port), *options])

    def wipe(self) -> None:
        """Kill it and take away its disk."""
        self.kill()
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)

    def fill(self) -> None:
        """It has no memory left: what needs some is refused."""
        self._ask("config set maxmemory 1")

    def make_room(self) -> None:
        """It has memory again."""
        self._ask("config set maxmemory 0")

    def forget(self) -> None:
        """Somebody empties it under all who are connected."""
        self._ask("flushall")

    def refuse(self) -> None:
        """It is somebody's replica and takes nothing."""
        self._ask("replicaof 127.0.0.1 1")

    def admit(self) -> None:
        """It is its own again."""
        self._ask("replicaof no one")

    def _ask(self, words: str) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(f"{words}\r\n".encode())
            assert connection.recv(64).startswith(b"+OK")

    def close(self) -> None:
        """Kill it."""
        self.kill()


def listens(port: int) -> bool:
    """Whether something answers at this port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def make_broker(folder: Path, kind: str) -> RabbitMQ | Redis | None:
    """The broker of this kind; `auto` takes what is installed. None: the memory of a process."""
    rabbitmq = RABBITMQ.exists() and shutil.which("erl") is not None
    if kind == "rabbitmq" or (kind == "auto" and rabbitmq):
        return RabbitMQ(folder / "rabbitmq")
    if kind == "redis" or (kind == "auto" and shutil.which("redis-server")):
        return Redis(folder / "redis")
    return None
