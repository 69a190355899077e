"""What is wrong with a line of a file, or with a form, and what to do about it, for people.

The importer says what is wrong in English, for programs and logs; here the same is said in the
reader's language, with advice. A test holds that nothing the importer says is missing.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from marketplace.ledger.errors import IssueFault
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l


class Fault(msgspec.Struct, frozen=True):
    """What is wrong, and what to do."""

    what: Lazy | str
    advice: Lazy | None = None


CORRECT: Final = _l("Correct the line.")
SAVE_AGAIN: Final = _l("Save the table as CSV once more, in UTF-8 with commas.")
HEADINGS: Final = _l("Correct the first line: it names the columns.")

# In words of the importer (coalition/imports), with what varies as groups.
PATTERNS: Final[tuple[tuple[str, Lazy, Lazy], ...]] = (
    (r"the (?:line|header) is not CSV: .*", _l("The line cannot be read as CSV."), SAVE_AGAIN),
    (r"the line is not UTF-8", _l("The line holds letters that are not UTF-8."), SAVE_AGAIN),
    (
        r"(?P<has>\d+) values for (?P<wants>\d+) columns",
        _l("It has %(has)s values for %(wants)s columns."),
        _l("Put values that hold a comma between double quotes."),
    ),
    (r"there is no header; .*", _l("The first line does not name the columns."), HEADINGS),
    (
        r"the columns must be separated by commas, not semicolons",
        _l("The columns are separated by semicolons."),
        SAVE_AGAIN,
    ),
    (r"unknown column '(?P<name>.*)'; .*", _l("There is no column “%(name)s”."), HEADINGS),
    (r"column '(?P<name>.*)' is there twice", _l("Column “%(name)s” is there twice."), HEADINGS),
    (r"column '(?P<name>.*)' is missing", _l("Column “%(name)s” is missing."), HEADINGS),
    (r"(?P<name>\w+) is empty", _l("“%(name)s” is empty."), _l("Fill it in.")),
    (
        r"issuer '(?P<slug>.*)' is not '.*', whose file this is",
        _l("These would be points of “%(slug)s”, not yours."),
        _l("Leave column “issuer” out, or take the line out."),
    ),
    (
        r"points '(?P<text>.*)' is not .*",
        _l("“%(text)s” is no number of points."),
        _l("Write a whole number without separators, 1 or more."),
    ),
    (
        r"(?P<name>effective_at|expires_at) '(?P<text>.*)' is not .*",
        _l("“%(text)s” in column “%(name)s” is no date."),
        _l("Write it like 2026-01-31 or 2026-01-31T12:00:00Z."),
    ),
    (
        r"(?P<name>\w+) ['\"](?P<text>.*)['\"] is not .*",
        _l("“%(text)s” does not fit column “%(name)s”."),
        _l("At most 200 characters, in one line, without blanks around them."),
    ),
    (
        r"there is no participant ['\"](?P<name>.*)['\"]",
        _l("There is nobody with reference “%(name)s”."),
        _l("Check the reference; ask the operator to add a person who is new."),
    ),
)

ISSUE_FAULTS: Final[dict[IssueFault, tuple[Lazy, Lazy]]] = {
    IssueFault.INVALID_REFERENCE: (
        _l("The reference does not fit."),
        _l("At most 200 characters, in one line, without blanks around them."),
    ),
    IssueFault.INVALID_POINTS: (
        _l("That is no number of points."),
        _l("Write a whole number without separators, 1 or more."),
    ),
    IssueFault.INVALID_TIME: (
        _l("That is no date."),
        _l("Write it like 2026-01-31 or 2026-01-31T12:00:00Z."),
    ),
    IssueFault.UNKNOWN_WALLET: (_l("There is no such wallet."), CORRECT),
    IssueFault.EFFECTIVE_IN_FUTURE: (
        _l("The points would be earned in the future."),
        _l("Leave “effective_at” empty, or send the line when the day has come."),
    ),
    IssueFault.PERIOD_LOCKED: (
        _l("The points would be earned in a month that is closed."),
        _l("Leave “effective_at” empty, or ask the operator."),
    ),
    IssueFault.NO_ISSUING_CONTRACT: (
        _l("No contract that lets you issue points was in force at that time."),
        _l("Ask the operator about your contract."),
    ),
    IssueFault.INVALID_EXPIRY: (
        _l("The points would expire before they are earned."),
        _l("Leave “expires_at” empty, or name a later day."),
    ),
    IssueFault.VALUE_TOO_LARGE: (
        _l("So many points cost more than can be booked."),
        _l("Issue fewer at a time."),
    ),
    IssueFault.REFERENCE_REUSED: (
        _l("This reference was used before, for something else."),
        _l("A reference issues once, for ever. Give what is new a reference of its own."),
    ),
    IssueFault.REFERENCE_REPEATED: (
        _l("This reference is on an earlier line already."),
        _l("Take one of the lines out, or give it a reference of its own."),
    ),
}

_COMPILED: Final = [(re.compile(pattern, re.S), what, to_do) for pattern, what, to_do in PATTERNS]
_MARK: Final = "\0"
_OF_LEDGER: Final = {
    re.compile(re.escape(fault.detail(_MARK)).replace(re.escape(repr(_MARK)), ".*"), re.S): words
    for fault, words in ISSUE_FAULTS.items()
}


def in_words(reason: str) -> Fault:
    """A reason of the importer for people; as it is where it is none that we know."""
    for pattern, what, to_do in _COMPILED:
        if found := pattern.fullmatch(reason):
            return Fault(Lazy(what.message, found.groupdict()), to_do)
    for pattern, (what, to_do) in _OF_LEDGER.items():
        if pattern.fullmatch(reason):
            return Fault(what, to_do)
    return Fault(reason)
