"""What passes: failures of the database and of the machine that a second try may mend."""

from __future__ import annotations

import errno
from typing import Final

import asyncpg
import sqlalchemy as sa

AWAY_OR_LOST: Final = (
    *("08", "28", "3D000", "55000"),  # no session: refused, or the database is restored or closed
    *("25006", "53", "54000", "57", "58"),  # a standby, no resources or ids, shutdown, a bad disk
    *("25P03", "25P04", "40", "55P03"),  # a process that stood still, a lost race, a lock
)
"""SQLSTATEs, or their beginnings, a second try may mend."""
LOCKED: Final = "55P03"
"""A lock was waited for for as long as it may be."""
COLLIDED: Final = ("40001", "40P01")
"""Two transactions that cannot both be: a deadlock, for one."""
NO_CONNECTION: Final = (
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    sa.exc.TimeoutError,
    ConnectionError,
)
"""What is raised where there is no connection to be had, or it broke."""
NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
NO_FOLDER: Final = "No usable temporary directory"
"""What Python says of a disk that was full when its first temporary file was wanted."""
NO_THREAD: Final = "can't start new thread"
"""What Python says where the system has no memory, or no number, for one."""


def sqlstate(error: BaseException | None) -> str:
    """The code of PostgreSQL's refusal, by the asynchronous driver or by that of plugins; ""."""
    if isinstance(error, sa.exc.DBAPIError):
        error = error.orig
    told = error.args[0] if error is not None and error.args else None
    if isinstance(told, dict):  # pg8000 has the fields of the message
        return str(told.get("C", ""))
    return str(getattr(error, "sqlstate", None) or "")


def is_database_away(error: BaseException) -> bool:
    """Whether the database is away or busy, or took back what it was asked to do."""
    if isinstance(error, NO_CONNECTION):
        return not isinstance(error, ValueError)  # a value that the driver cannot send
    if isinstance(error, sa.exc.DBAPIError):
        return error.connection_invalidated or sqlstate(error).startswith(AWAY_OR_LOST)
    return sqlstate(error).startswith(AWAY_OR_LOST)


def is_out_of_room(error: BaseException) -> bool:
    """Whether this machine has no disk, memory, thread or open file left to give."""
    if isinstance(error, OSError):
        return error.errno in NO_ROOM or NO_FOLDER in str(error)
    return isinstance(error, MemoryError) or NO_THREAD in str(error)
