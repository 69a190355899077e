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


class JournalNotes(msgspec.Struct, frozen=True):
    """What a plugin adds to the exported journal: facts beside the transfers, which move no money.

    `sql` selects one row per note, in the order in which they are written: `day`, a date, and other
    columns, all text, which name themselves; what is null is left out. It may select `id`s, slugs
    and figures, never names of people.
    """

    name: str
    """Lower case letters and dashes; the journal calls it `<slug>.<name>`."""
    sql: str
