"""Statements of the balance at Stripe, as this plugin writes them, read back as a bank's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import BinaryIO, Final, TypeVar

import msgspec

from marketplace.api import (
    BankEntry,
    BankRecord,
    EntryDetail,
    InvalidRequest,
    OwnMove,
    StatementEnd,
    StatementKind,
    StatementStart,
)

FORMAT: Final = "marketplace-stripe-balance/1"
FEE: Final = "fee"
"""Kind of the fee beside a movement, and Stripe's category of fees that stand alone."""
CHARGES: Final = frozenset({FEE, "network_cost", "stripe_fee", "stripe_fx_fee", "tax_fee"})
"""Categories, and types where there is no category, of what Stripe takes for its services.

Disputes are none, though they may come as `adjustment`, nor is anything that is not listed here.
"""
PARTY: Final = "Stripe"
"""Whom a bank names as the payer of a payout."""
LONGEST_LINE: Final = 65_536
T = TypeVar("T")


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """First line of a statement. Amounts in micros."""

    format: str
    account: str
    currency: str
    reference: str
    day: date
    made_at: datetime
    opening_micros: int
    closing_micros: int


class Own(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A movement between the balance and the house's bank, or of a reserve: an `OwnMove`."""

    name: str
    elsewhere: bool = True
    references: tuple[str, ...] = ()
    due_on: date | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Each further line: a movement, or the fee of one."""

    id: str
    amount_micros: int
    kind: str
    text: str
    reference: str = ""
    """Of the leg it pays or takes back."""
    own: Own | msgspec.UnsetType = msgspec.UNSET


class Reading:
    """Reads statements of the balance. Implements `BankReader`."""

    def read(self, source: BinaryIO) -> Iterator[BankRecord]:
        """See `BankReader`. One statement a file, one JSON object a line."""
        head = _line(source, 1, Head)
        if head is None or head.format != FORMAT:
            raise InvalidRequest(f"Line 1: this is no {FORMAT} (marketplace stripe statement).")
        yield StatementStart(
            kind=StatementKind.STATEMENT,
            account=head.account,
            currency=head.currency,
            reference=head.reference,
            made_at=head.made_at,
            from_on=head.day,
            to_on=head.day,
            opening_micros=head.opening_micros,
            closing_micros=head.closing_micros,
            line=1,
        )
        count = 0
        while (entry := _line(source, count + 2, Entry)) is not None:
            count += 1
            yield _entry(head, entry, count)
        yield StatementEnd(
            entries=count,
            opening_micros=head.opening_micros,
            closing_micros=head.closing_micros,
        )


def _line(source: BinaryIO, number: int, kind: type[T]) -> T | None:
    raw = source.readline(LONGEST_LINE)
    if not raw:
        return None
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"Line {number}: {error}") from None


def _entry(head: Head, entry: Entry, position: int) -> BankEntry:
    detail = EntryDetail(
        amount_micros=entry.amount_micros,
        currency=head.currency,
        end_to_end_id=entry.reference,
        bank_reference=entry.id,
        remittance=entry.text,
    )
    return BankEntry(
        position=position,
        amount_micros=entry.amount_micros,
        currency=head.currency,
        booked_on=head.day,
        valued_on=head.day,
        bank_reference=entry.id,
        code=entry.kind,
        text=entry.text,
        details=(detail,),
        line=position + 1,
        charge=entry.kind in CHARGES,
        own=_own(entry.own),
    )


def _own(said: Own | msgspec.UnsetType) -> OwnMove | None:
    if isinstance(said, msgspec.UnsetType):
        return None
    return OwnMove(
        name=said.name,
        elsewhere=said.elsewhere,
        references=said.references,
        party=PARTY,
        due_on=said.due_on,
    )
