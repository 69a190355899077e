"""What a bank's file says, record by record, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from typing import BinaryIO, Protocol, TypeAlias, runtime_checkable

import msgspec


class StatementKind(StrEnum):
    """What the bank calls it."""

    STATEMENT = "statement"
    """Of a period that is over: opening, plus its booked entries, is closing."""
    REPORT = "report"
    """Of a day that goes on: it may hold pending entries, and lack balances."""
    NOTIFICATION = "notification"
    """Of single entries, with no balances; they come again on a statement."""


class EntryState(StrEnum):
    """How sure an entry is."""

    BOOKED = "booked"
    PENDING = "pending"
    INFO = "info"
    """For information: it is in no balance."""


class BankAnswer(StrEnum):
    """What a bank says of what it was sent."""

    ACCEPTED = "accepted"
    """Taken so far; only an entry proves that money has moved."""
    PENDING = "pending"
    PARTIAL = "partial"
    """Of a batch: its legs fare differently."""
    REJECTED = "rejected"
    """No money moves."""
    UNKNOWN = "unknown"
    """Something that you know no meaning of, or nothing: `status` has it as it is written, and a
    person looks at it. Since 1.3."""


class StatementStart(msgspec.Struct, frozen=True, kw_only=True, tag="start"):
    """A statement begins; its entries follow, then its end. A file may hold several."""

    kind: StatementKind
    account: str
    """IBAN, or another id as the bank writes it, without spaces; empty where it says none."""
    currency: str
    """ISO 4217; empty where it says none."""
    reference: str
    """The bank's id of the statement."""
    number: int | None = None
    """Its place in the sequence of statements."""
    made_at: datetime | None = None
    """Aware; a time without an offset counts as UTC."""
    from_on: date | None = None
    to_on: date | None = None
    opening_micros: int | None = None
    """Booked balance before the first entry; below zero where overdrawn."""
    closing_micros: int | None = None
    """Booked balance after the last entry."""
    line: int = 0
    """Where in the file it begins, 0 where that means nothing."""


class EntryDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction of an entry. A text that the bank leaves out is empty."""

    amount_micros: int | None = None
    """Signed as the entry's: above zero is money for the account. None where it is not said."""
    currency: str = ""
    end_to_end_id: str = ""
    """What we called it: `Leg.reference`."""
    instruction_id: str = ""
    message_id: str = ""
    payment_information_id: str = ""
    mandate_id: str = ""
    bank_reference: str = ""
    counterparty_name: str = ""
    counterparty_account: str = ""
    remittance: str = ""
    """Free text."""
    structured_reference: str = ""
    """A creditor reference (`RF18...`), or another that is made for machines."""
    return_code: str = ""
    """Why money came back (`AC04`); empty where it did not, or the bank does not say."""
    return_text: str = ""


class OwnMove(msgspec.Struct, frozen=True, kw_only=True):
    """Money of the house on its way between its own accounts, or kept back for a while: a payout
    to its bank, a reserve. Since 1.3."""

    name: str
    """Lines of this account with the same name come to nothing in the end: by themselves, or with
    a line of another account of the house."""
    elsewhere: bool = True
    """Another account of the house is to show it; else it comes back to this one."""
    references: tuple[str, ...] = ()
    """Texts that no other move has, one of which the other account's line may carry."""
    party: str = ""
    """Whom the other account's line names as the other side: a part of that name is enough."""
    due_on: date | None = None
    """When it should be there, or be back; None: on the day it is booked."""


class BankEntry(msgspec.Struct, frozen=True, kw_only=True, tag="entry"):
    """One line of a statement."""

    position: int
    """1 for the first of its statement, without gaps."""
    amount_micros: int
    """Signed: above zero is money for the account, whatever it reverses."""
    currency: str
    booked_on: date | None = None
    valued_on: date | None = None
    state: EntryState = EntryState.BOOKED
    reversal: bool = False
    """It takes back an earlier entry."""
    bank_reference: str = ""
    """The bank's own id of the entry."""
    entry_reference: str = ""
    code: str = ""
    """What kind of transaction it is: `PMNT/ICDT/ESCT`, or the bank's own."""
    text: str = ""
    message_id: str = ""
    """With `payment_information_id`: the batch of ours it books in one sum."""
    payment_information_id: str = ""
    count: int | None = None
    """Transactions in the batch, as the bank counts them."""
    details: tuple[EntryDetail, ...] = ()
    line: int = 0
    charge: bool = False
    """The file says without doubt that it is a charge of who keeps the account, or one that is
    given back: it is booked as the operator's cost. Since 1.3."""
    own: OwnMove | None = None
    """The move between accounts of the house that it is a side of. Since 1.3."""


class StatementEnd(msgspec.Struct, frozen=True, kw_only=True, tag="end"):
    """The statement is complete."""

    entries: int
    """How many were read."""
    opening_micros: int | None = None
    """As in its start, or said only now."""
    closing_micros: int | None = None


class LegStatus(msgspec.Struct, frozen=True, kw_only=True, tag="leg_status"):
    """What the bank says of one leg it was sent."""

    reference: str
    """`Leg.reference`; empty where the bank does not repeat it."""
    original_message_id: str = ""
    payment_information_id: str = ""
    instruction_id: str = ""
    state: BankAnswer
    status: str = ""
    """As the bank writes it (`ACWC`). Since 1.3."""
    code: str = ""
    """Why: `AC04`."""
    text: str = ""
    line: int = 0


class BatchStatus(msgspec.Struct, frozen=True, kw_only=True, tag="batch_status"):
    """What the bank says of a whole file, or of one block of payments in it."""

    original_message_id: str
    payment_information_id: str = ""
    """Empty: of the file."""
    state: BankAnswer
    status: str = ""
    """As in `LegStatus`. Since 1.3."""
    code: str = ""
    text: str = ""
    line: int = 0


BankRecord: TypeAlias = StatementStart | BankEntry | StatementEnd | LegStatus | BatchStatus


@runtime_checkable
class BankReader(Protocol):
    """A rail that can read what the bank sends."""

    def read(self, source: BinaryIO) -> Iterator[BankRecord]:
        """The records of a file, in its order, with no more than one entry in memory.

        Says what the file says and judges nothing: sums, accounts and repetitions are looked at by
        the house, which takes all records of a file or none. Raises InvalidRequest where the file
        cannot be read, with what is wrong, in which line, and what to do; amounts are never
        rounded. Pure: no settings, no clock.
        """
        ...


@runtime_checkable
class StatementSource(Protocol):
    """A `BankReader` whose bank can be asked for its statements, so that nobody carries files."""

    def next_statement(
        self, account: str, currency: str, after: date | None, into: BinaryIO
    ) -> str:
        """Write the first statement of days after `after` into `into`; its name as a file, or
        nothing where none is ready.

        `account`: as `StatementStart.account` names it; one that you do not know has none. `after`:
        the last day that was imported; None: none was, so begin with the first. Days on which
        nothing moved may be left out. Only of days that are surely over: what was written once is
        the same for ever, for a statement of a day that says something else is refused. Asked
        until none is ready, then again some minutes later. Raises InvalidRequest or NotConfigured
        with what is wrong, in words for finance.
        """
        ...
