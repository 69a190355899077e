"""What goes in and out of the gift fund's routes and commands."""

from __future__ import annotations

from datetime import date, datetime

import msgspec


class Uploaded(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload did."""

    sku: str
    new: int
    """Codes added to the pool."""
    already: int
    """Codes that this pool had before: the file was uploaded earlier."""
    free: int
    """Codes in the pool that can be given now."""
    dry_run: bool


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """A pool of codes."""

    sku: str
    free: int
    """Codes that can be given."""
    given: int
    expiring: int
    """Free codes that run out within 30 days."""
    expired: int
    """Codes that ran out before anybody got them."""
    low_at: int
    """The pool counts as low at so many codes."""
    low: bool
    low_since: datetime | None
    next_expiry: date | None
    """Day the next free code runs out."""


class OwnPool(msgspec.Struct, frozen=True, kw_only=True):
    """A pool, and the offers that its codes are given for."""

    pool: Pool
    offers: tuple[str, ...]
    """Their names."""


class StockDay(msgspec.Struct, frozen=True):
    """A pool at the end of a day (UTC)."""

    day: date
    free: int
    uploaded: int
    given: int
    expired: int
