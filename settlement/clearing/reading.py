"""What pages, statements and the command line read of settlements."""

from settlement.clearing.repository import (
    batches,
    files,
    find,
    flows,
    legs,
    positions,
    settlements,
    windows_of,
)

__all__ = [
    "batches",
    "files",
    "find",
    "flows",
    "legs",
    "positions",
    "settlements",
    "windows_of",
]
