"""Every setting the program has, read from the environment (`MARKETPLACE_*`) in one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from marketplace.errors import UsageError

PREFIX = "MARKETPLACE_"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings; field `x_y` is `MARKETPLACE_X_Y`. Documented in docs/settings.md."""

    database_url: str | None = None
    """PostgreSQL 15+, `postgresql://user:password@host:port/name`; absent: embedded in var_dir."""
    database_role: str = "marketplace_app"
    """Role the running program acts as; it has no UPDATE or DELETE on insert-only tables."""
    broker_url: str | None = None
    """Celery broker; without one the background process carries its own in memory."""
    var_dir: Path = Path("var")
    """Where the embedded database and the generated secret keys live."""
    secret_keys: str | None = None
    """Fernet keys, comma separated, newest first; generated in var_dir where absent."""
    host: str = "127.0.0.1"
    port: int = 8000
    api_processes: int = 1
    """API processes that `serve` starts."""
    plugins_off: str = ""
    """Slugs of plugins not to load, comma separated."""
    plugin_index: str | None = None
    """Package index that `plugins install NAME` may use; absent: folders and wheels only."""
    queue_limit: int = 4096
    """Burns that may wait in one API process before it answers 503."""
    batch_limit: int = 256
    """Burns decided in one transaction."""
    burn_lanes: Annotated[int, msgspec.Meta(ge=1, le=4)] | None = None
    """Batches of burns that one API process may have in hand at once; absent: by the cores."""
    database_pool: int = 10
    """Connections of one process, besides the burn engine's own."""
    plugin_query_s: float = 60.0
    """Longest a statement of a plugin may take in an API process, where a thread waits for it."""
    supplier_timeout_s: float = 30.0
    """Longest a supplier may take for one chunk of orders; after that the outcome is unknown."""
    relay_chunk: int = 200
    """Burns in one message to a worker."""
    relay_idle_s: float = 0.1
    """How long the relay sleeps when nothing is due."""
    relay_fill_s: float = 0.5
    """Shortest time between two messages to one plugin that are not full."""
    worker_threads: int = 4
    """Threads of one worker process for the exchange's own periodic work."""
    plugin_calls: int = 2
    """Processes of one plugin in one worker, so calls of it at once."""
    plugin_start_s: float = 15.0
    """Longest a plugin may take to load and register."""
    plugin_memory_mb: int = 512
    """Memory of one plugin process."""
    plugin_cpu_s: int = 20
    """Seconds of processor that one call of a plugin may use."""
    plugin_open_files: int = 256
    """Files and connections that one plugin process may have open."""
    plugin_processes: int = 32
    """Processes that one plugin process may have started."""
    hold_minutes: int = 30
    """How long an order that no supplier has seen may stay held before it is voided."""
    refund_grace_days: int = 30
    """Points refunded to a lot that has expired get this many days more."""
    settlement_close: Literal["never", "daily", "weekly", "monthly"] = "never"
    """When settlement windows are closed by themselves, by the calendar in UTC."""
    session_days: int = 14
    """Life of a sign-in."""
    secure_cookies: bool = False
    """Send the session cookie over HTTPS only; set it behind TLS."""
    public_url: str | None = None
    """Scheme and host that links in mails lead to; absent: host and port."""
    smtp_url: str | None = None
    """Mail server, `smtp+starttls://user:password@host:587`; absent: no mail is sent."""
    mail_from: str = "Coalition Rewards <rewards@localhost>"
    """Who mails come from."""
    mail_dir: Path | None = None
    """Without a mail server: folder that mails are written to as .eml files (demonstrations)."""
    outbound_allow: str = ""
    """Networks and hosts besides the public internet that partners' addresses may lead to."""
    bank_file_mb: int = 256
    """Largest file of a bank that is taken over HTTP."""
    bank_late_days: int = 3
    """Days after its due date from which a leg that no statement shows is a break."""
    clock_travel: bool = False
    """Allow moving business time (tests and replays only)."""
    log_level: str = "INFO"

    @property
    def lanes_of_burns(self) -> int:
        """`burn_lanes`, or 2 where every API process has two cores: one lane more keeps both busy.

        Processes that fill the cores already would only pay the price of more and smaller batches.
        """
        if self.burn_lanes is not None:
            return self.burn_lanes
        return 2 if cores() >= 2 * self.api_processes else 1


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux: containers and taskset allow fewer than there are
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; raises UsageError naming the variable that is wrong."""
    source = os.environ if environ is None else environ
    known = {f"{PREFIX}{name.upper()}": name for name in Settings.__struct_fields__}
    given = {known[key]: value for key, value in source.items() if key in known and value != ""}
    try:
        found = msgspec.convert(given, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise UsageError(f"A setting is wrong: {error}. See docs/settings.md.") from None
    return msgspec.structs.replace(found, var_dir=absolute(found.var_dir))


def absolute(path: Path) -> Path:
    """The whole of a path, so that the folder we work in may be removed or replaced under us; the
    path as it is where that was done already.
    """
    try:
        return path.resolve()
    except FileNotFoundError:
        return path


def _decode(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError(kind)
