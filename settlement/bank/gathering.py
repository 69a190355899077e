"""From the records of a file to rows: statements judged, batched entries told apart. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from typing import Any, Final
from uuid import UUID

import msgspec

from marketplace.contract.bank_records import (
    BankEntry,
    EntryDetail,
    EntryState,
    OwnMove,
    StatementEnd,
    StatementKind,
    StatementStart,
)
from marketplace.errors import InvalidRequest
from marketplace.ids import uuid7
from marketplace.money import decimal_from_micros
from settlement.bank.domain import normal_account
from settlement.bank.errors import StatementDoesNotFoot

MOST_TEXT: Final = 2_000
"""Characters of a free text that are kept."""
TEXTS: Final = (
    "instruction_id",
    "message_id",
    "payment_information_id",
    "mandate_id",
    "bank_reference",
    "structured_reference",
    "counterparty_name",
    "counterparty_account",
    "remittance",
    "return_code",
    "return_text",
)
SAID: Final = tuple(
    name for name in BankEntry.__struct_fields__ if name not in ("line", "charge", "own")
)
NOT_GIVEN: Final = frozenset({"", "NOTPROVIDED", "NONREF"})


class Gathered(msgspec.Struct, kw_only=True):
    """One statement while its entries pass by: sums and days, never the entries."""

    id: UUID
    start: StatementStart
    booked_micros: int = 0
    entries: int = 0
    counted: int = 0
    """Booked entries among them."""
    first_on: date | None = None
    last_on: date | None = None
    opening_micros: int | None = None
    closing_micros: int | None = None
    digest: Any = None

    @property
    def name(self) -> str:
        """For messages."""
        return f"Statement {self.start.reference or '(without an id)'}{_at(self.start.line)}"

    @property
    def counts(self) -> bool:
        """Whether its booked entries are money; of reports and notifications they are not, for
        they come again on a statement."""
        return self.start.kind is StatementKind.STATEMENT


def begin(start: StatementStart) -> Gathered:
    """A statement begins."""
    own = {name: _cut(getattr(start, name)) for name in ("account", "currency", "reference")}
    start = msgspec.structs.replace(start, **own)
    return Gathered(id=uuid7(), start=start, digest=hashlib.sha256())


def take(into: Gathered, entry: BankEntry) -> None:
    """One entry of it: InvalidRequest where it is not of this statement."""
    into.entries += 1
    if entry.position != into.entries:
        raise InvalidRequest(
            f"{into.name}: entry {into.entries} says that it is number {entry.position}."
        )
    if into.start.currency and entry.currency != into.start.currency:
        raise InvalidRequest(
            f"{into.name}: entry {entry.position}{_at(entry.line)} is in {entry.currency}, "
            f"the account in {into.start.currency}."
        )
    if entry.state is EntryState.BOOKED:
        into.booked_micros += entry.amount_micros
        into.counted += 1
    if entry.booked_on is not None:
        into.first_on = min(into.first_on or entry.booked_on, entry.booked_on)
        into.last_on = max(into.last_on or entry.booked_on, entry.booked_on)
    into.digest.update(msgspec.json.encode(_said(entry)) + b"\n")


def _said(entry: BankEntry) -> dict[str, Any]:
    """What the file says of an entry: lines of a file move when it is fetched again, and what its
    reader makes of it may be more another time, as with one that was imported long ago."""
    return {"type": "entry"} | {name: getattr(entry, name) for name in SAID} | {"line": 0}


def finish(into: Gathered, end: StatementEnd) -> None:
    """The statement ends; StatementDoesNotFoot where opening plus booked is not closing."""
    into.opening_micros, into.closing_micros = end.opening_micros, end.closing_micros
    if end.entries != into.entries:
        raise InvalidRequest(
            f"{into.name} says {end.entries} entries, and {into.entries} were read."
        )
    if not into.counts:
        return
    if into.opening_micros is None or into.closing_micros is None:
        lacks = "an opening" if into.opening_micros is None else "a closing"
        raise StatementDoesNotFoot(f"{into.name} has not {lacks} balance.")
    found = into.opening_micros + into.booked_micros
    if found != into.closing_micros:
        raise StatementDoesNotFoot(
            f"{into.name} does not add up: opening {decimal_from_micros(into.opening_micros)} and "
            f"{into.counted} booked entries of {decimal_from_micros(into.booked_micros)} are "
            f"{decimal_from_micros(found)}, but it says closing "
            f"{decimal_from_micros(into.closing_micros)}: "
            f"{decimal_from_micros(into.closing_micros - found)} is missing. Nothing was imported; "
            "fetch the file from the bank again.",
            opening_micros=into.opening_micros,
            booked_micros=into.booked_micros,
            closing_micros=into.closing_micros,
        )


def days(of: Gathered) -> tuple[date, date] | None:
    """First and last day that it covers; None where it says none at all."""
    start = of.start
    made_on = None if start.made_at is None else start.made_at.date()
    first = start.from_on or of.first_on or start.to_on or made_on
    last = start.to_on or of.last_on or start.from_on or made_on
    if first is None or last is None:
        return None
    # A bank may book into a statement what is of a day outside it.
    return min(first, last), last


def content_hash(of: Gathered) -> str:
    """What it says: without the id, the number and the time of making, which change when a bank
    makes the same statement again; with the id where it has no day that would tell it apart."""
    start = of.start
    dated = start.from_on or start.to_on or of.first_on
    names = "" if dated else start.reference
    said = [
        start.kind.value,
        start.from_on,
        start.to_on,
        of.opening_micros,
        of.closing_micros,
        of.entries,
        names,
        of.digest.hexdigest(),
    ]
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def rows(of: Gathered, entry: BankEntry, account_id: UUID, day: date) -> Iterator[dict[str, Any]]:
    """An entry as rows: one for each detail where all say amounts that add up, else one."""
    common = {
        "statement_id": of.id,
        "account_id": account_id,
        "position": entry.position,
        "currency": entry.currency,
        "booked_on": entry.booked_on or entry.valued_on or day,
        "valued_on": entry.valued_on,
        "state": entry.state.value,
        "reversal": entry.reversal,
        "entry_reference": _cut(entry.entry_reference),
        "text": _cut(entry.text),
        "code": _cut(entry.code),
        "charge": entry.charge,
        "own": None if entry.own is None else _own(entry.own),
    }
    if told_apart(entry):
        for number, detail in enumerate(entry.details, 1):
            row = {"amount_micros": detail.amount_micros, "payments": None, "detail": number}
            yield common | row | {"id": uuid7()} | _of_detail(entry, (detail,))
    else:
        row = {"amount_micros": entry.amount_micros, "payments": entry.count, "detail": 0}
        yield common | row | {"id": uuid7()} | _of_detail(entry, entry.details)


def told_apart(entry: BankEntry) -> bool:
    """Whether the details say, in the currency of the account, what adds up to the entry."""
    amounts = [
        each.amount_micros
        for each in entry.details
        if each.amount_micros is not None and each.currency in ("", entry.currency)
    ]
    whole = len(amounts) == len(entry.details) > 0
    return whole and sum(amounts) == entry.amount_micros


def _of_detail(entry: BankEntry, details: tuple[EntryDetail, ...]) -> dict[str, Any]:
    """What details say; of several only what does not differ, and the ids of all."""
    found: dict[str, Any] = {}
    for name in TEXTS:
        said = {getattr(each, name) for each in details} - NOT_GIVEN
        found[name] = _cut(said.pop()) if len(said) == 1 else ""
    if len(details) > 1:
        found["remittance"] = _cut(" ".join(each.remittance for each in details))
    ids = [_cut(each.end_to_end_id) for each in details if each.end_to_end_id not in NOT_GIVEN]
    found["end_to_end_ids"] = ids
    found["message_id"] = found["message_id"] or _cut(entry.message_id)
    found["payment_information_id"] = found["payment_information_id"] or _cut(
        entry.payment_information_id
    )
    found["bank_reference"] = found["bank_reference"] or _cut(entry.bank_reference)
    found["counterparty_account"] = normal_account(found["counterparty_account"])
    return found


def _own(move: OwnMove) -> str:
    """As JSON, its texts as they are kept."""
    kept = msgspec.structs.replace(
        move,
        name=_cut(move.name),
        party=_cut(move.party),
        references=tuple(_cut(each) for each in move.references),
    )
    return msgspec.json.encode(kept).decode()


def _cut(text: str) -> str:
    # PostgreSQL keeps no zero bytes in texts.
    return text.replace("\0", "")[:MOST_TEXT]


def _at(line: int) -> str:
    return f" (line {line})" if line else ""
