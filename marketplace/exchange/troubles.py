"""What errors of the database mean to a batch of burns."""

from __future__ import annotations

import logging

import asyncpg

from marketplace.errors import Busy, InternalError, MarketplaceError

log = logging.getLogger(__name__)

LOCKED = "Somebody else is changing what this burn needs."

LOST_RACE = (
    asyncpg.SerializationError,  # what was read has changed
    asyncpg.DeadlockDetectedError,
    asyncpg.UniqueViolationError,  # a key was used before
)
"""Nothing was written; the batch is decided again."""

CONNECTION_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # it broke while something was being sent
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.DatabaseDroppedError,
    asyncpg.CannotConnectNowError,  # it starts or recovers
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # this process stood still
    asyncpg.IdleSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.StatementCompletionUnknownError,
    OSError,  # a time limit too
    MemoryError,  # which leaves the driver anywhere
)
"""Whether the batch was written shows when there is a connection again."""

REFUSED = (
    asyncpg.InsufficientResourcesError,  # no disk, no memory
    asyncpg.QueryCanceledError,  # too slow
    asyncpg.ReadOnlySQLTransactionError,  # a standby
    asyncpg.PostgresSystemError,  # a disk that fails
    asyncpg.ProgramLimitExceededError,  # no transaction ids are left before a vacuum
)
"""Nothing was written, and no part of the batch would fare better."""


class NotConnected(ConnectionError):
    """The database takes no session of ours just now, whatever it says."""


class DatabaseAway(Busy):
    """The database cannot be used; whether the last batch was written shows when it is back."""


def as_business_error(error: Exception) -> MarketplaceError:
    """What the caller is told; what nobody foresaw is in the log."""
    if isinstance(error, MarketplaceError):
        return error
    log.error("a burn failed", exc_info=error)
    return InternalError()
