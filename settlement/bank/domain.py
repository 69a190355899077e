"""Words of reconciliation: lines of statements, matches, breaks. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

REFERENCE: Final = re.compile(r"(?<![A-Z0-9-])S-\d{4}-\d{4,}-[A-Z]{3}-\d{4,}(?:-R\d+)?(?![0-9])")
"""A leg's reference inside a free text."""
PREFUND: Final = re.compile(r"\bPREFUND\s+([A-Z0-9][A-Z0-9-]{0,99})", re.IGNORECASE)
"""What a member writes that pays ahead, with its slug."""


class LineStatus(StrEnum):
    """What has become of a booked line of a statement."""

    NEW = "new"
    """Imported, not looked at."""
    MATCHED = "matched"
    """It is the money of legs, or of a member that paid ahead."""
    OPEN = "open"
    """Nobody knows what it is: its money is on the suspense account, and it has a break."""
    EXPLAINED = "explained"
    """A person has said what it is."""
    HINT = "hint"
    """Announced by a notification, and not acted on: the statement will say it too."""


class Rule(StrEnum):
    """How a line was matched."""

    END_TO_END = "end_to_end"
    """It carries the reference of the leg, with its amount and direction."""
    BANK_REFERENCE = "bank_reference"
    """It carries the rail's own reference, or the instruction id."""
    TEXT = "text"
    """The reference stands in its free text."""
    BATCH = "batch"
    """One line is the sum of a block of payments of one of our files."""
    SPLIT = "split"
    """Several lines with one reference come to the amount of the leg."""
    RETURN = "return"
    """The money of a booked leg comes back."""
    PREFUND = "prefund"
    """A member paid ahead and said so."""
    AMOUNT_AND_PARTY = "amount_and_party"
    """Amount, date and the other side agree, and no other line or leg does."""
    CHARGE = "charge"
    """The bank says that it is its own charge."""
    OWN = "own"
    """It names the move between accounts of the house that it is a side of."""
    OWN_REFERENCE = "own_reference"
    """It carries a reference of such a move, with its amount."""
    OWN_AMOUNT = "own_amount"
    """Amount, days and the other side agree with such a move, and no other line or move does; or
    as many lines as equal moves fit each other all, and are taken in their order."""
    PERSON = "person"
    """A person said so."""


class SuggestionStatus(StrEnum):
    """Life of a match that is not certain."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    OVERTAKEN = "overtaken"
    """The line or the leg found another match first."""


class BreakKind(StrEnum):
    """Why something does not match."""

    MISSING = "missing"
    """A leg is due and on no statement, or money between accounts of the house is."""
    DUPLICATE = "duplicate"
    """A leg was paid twice."""
    AMOUNT_DIFFERS = "amount_differs"
    """A line names a leg, with another amount."""
    UNKNOWN_PAYER = "unknown_payer"
    """A line that belongs to nothing."""
    RETURNED = "returned"
    """Money of a leg came back, and the leg is to be paid again."""
    LATE = "late"
    """A leg was booked long after it was due."""
    STATEMENT_GAP = "statement_gap"
    """A statement does not begin where the one before it ended."""
    UNKNOWN_ANSWER = "unknown_answer"
    """The bank says of a leg what nobody knows the meaning of."""


class BreakStatus(StrEnum):
    """Life of a break."""

    OPEN = "open"
    PROPOSED = "proposed"
    """One person wants to write it off; a second decides."""
    RESOLVED = "resolved"
    GONE = "gone"
    """Its reason went away by itself."""


class Action(StrEnum):
    """What a person does about a break."""

    NOTE = "note"
    """Nothing but a note: only where no money is on the suspense account."""
    MATCH = "match"
    """The line is the money of these legs."""
    PREFUND = "prefund"
    """The line is money that a member paid ahead."""
    ROUNDING = "rounding"
    """The line goes to the rounding account."""
    FEES = "fees"
    """The line is a charge or interest of the bank: it is the operator's."""
    CONTRA = "contra"
    """The line and another one undo each other."""
    REPAY = "repay"
    """The leg is paid again by a new one."""
    WRITE_OFF = "write_off"
    """The operator bears it, or keeps it; two people."""


class Close(StrEnum):
    """The five sides of a daily close."""

    LEDGER = "ledger"
    BURNS = "burns"
    SUPPLIERS = "suppliers"
    SETTLEMENT = "settlement"
    BANK = "bank"


LINE_BREAKS: Final = frozenset(
    {BreakKind.DUPLICATE, BreakKind.AMOUNT_DIFFERS, BreakKind.UNKNOWN_PAYER}
)
"""Kinds that are of a line of a statement, whose money is on the suspense account."""


def normal_account(text: str) -> str:
    """An account as it is compared: without spaces, in capitals."""
    return "".join(text.split()).upper()


def references_in(*texts: str) -> tuple[str, ...]:
    """References of legs in free texts, in order, also where the bank broke a line inside one."""
    found: dict[str, None] = {}
    for text in texts:
        upper = text.upper()
        for form in (upper, "".join(upper.split())):
            found |= dict.fromkeys(REFERENCE.findall(form))
            if found:
                break
    return tuple(found)


def prefunding_member(*texts: str) -> str | None:
    """The slug in `PREFUND <slug>`."""
    for text in texts:
        if found := PREFUND.search(text):
            return found[1].lower()
    return None
