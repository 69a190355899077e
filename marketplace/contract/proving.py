"""What must always hold, as the ledger's proof asks it."""

from __future__ import annotations

import msgspec


class Check(msgspec.Struct, frozen=True):
    """One invariant of the ledger.

    `sql` selects one row per violation: `subject` (what is wrong, with its ids), `expected` and
    `found`, all text.
    """

    name: str
    explanation: str
    sql: str
