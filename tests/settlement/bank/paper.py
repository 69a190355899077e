"""A bank that lies outside this machine: it keeps balances, and writes what its plugin reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import msgspec

from marketplace import api
from marketplace.contract.bank_records import (
    BankEntry,
    EntryDetail,
    StatementEnd,
    StatementKind,
    StatementStart,
)
from marketplace.errors import InvalidRequest
from marketplace.money import micros_from_decimal
from marketplace.runtime import Runtime
from settlement.bank import accounts, importing
from settlement.bank.importing import ImportReport
from tests.settlement.clearing.fakes import FakeFileRail

IBAN = "DE89370400440532013000"
DAY = date(2026, 1, 5)


class PaperBank(FakeFileRail):
    """The rail of files that the bank reads and writes: a record of JSON in every line."""

    def read(self, source: BinaryIO) -> Iterator[api.BankRecord]:
        decoder = msgspec.json.Decoder(api.BankRecord)
        for number, line in enumerate(source, 1):
            try:
                yield decoder.decode(line)
            except msgspec.MsgspecError as error:
                raise InvalidRequest(f"Line {number}: {error}.") from None


def micros(amount: str) -> int:
    """An amount as people write it."""
    return micros_from_decimal(amount)


class Teller:
    """Writes statements of one account, each going on where the last one ended."""

    def __init__(self, folder: Path, account: str = IBAN, currency: str = "EUR") -> None:
        self.folder, self.account, self.currency = folder, account, currency
        self.balance = micros("1000")
        self.number = 0

    def entry(self, amount: str | int, **more: Any) -> BankEntry:
        """An entry; what is not of an entry is of its one detail."""
        found = amount if isinstance(amount, int) else micros(amount)
        own = {key: more.pop(key) for key in list(more) if key in BankEntry.__struct_fields__}
        if more:
            own["details"] = (EntryDetail(amount_micros=found, **more),)
        return BankEntry(position=0, amount_micros=found, currency=self.currency, **own)

    def statement(self, *entries: BankEntry, day: date = DAY, **more: Any) -> list[Any]:
        """Records of the statement of a day."""
        self.number += 1
        opening = more.pop("opening", self.balance)
        booked = sum(each.amount_micros for each in entries if each.state == "booked")
        closing = more.pop("closing", opening + booked)
        kind = more.get("kind", StatementKind.STATEMENT)
        if kind is StatementKind.STATEMENT:
            self.balance = closing
        else:
            opening = closing = None
        told = {
            "kind": kind,
            "account": self.account,
            "currency": self.currency,
            "reference": f"STMT-{self.number}",
            "number": self.number,
            "made_at": datetime(2026, 1, 6, tzinfo=UTC),
            "from_on": day,
            "to_on": day,
            "opening_micros": opening,
            "closing_micros": closing,
        } | more
        placed = [
            msgspec.structs.replace(each, position=place, booked_on=each.booked_on or day)
            for place, each in enumerate(entries, 1)
        ]
        end = StatementEnd(entries=len(placed), opening_micros=opening, closing_micros=closing)
        return [StatementStart(**told), *placed, end]

    def file(self, *parts: list[Any], name: str = "statement.txt") -> Path:
        """A file that holds these records."""
        path = self.folder / name
        lines = [msgspec.json.encode(record) for part in parts for record in part]
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path


class Desk:
    """Steps of the person who reconciles."""

    def __init__(self, runtime: Runtime, rail: PaperBank) -> None:
        self.runtime = runtime
        vars(runtime)["rails"] = {"paper": rail}

    async def account(self, identifier: str = IBAN, currency: str = "EUR") -> UUID:
        """An account of the house."""
        async with self.runtime.database.begin() as session:
            made = await accounts.add(
                session,
                identifier=identifier,
                currency=currency,
                rail="paper",
                name="Settlement account",
                actor="person:anna",
            )
            return made.id

    async def take(self, path: Path, **options: Any) -> ImportReport:
        """Import a file."""
        return await importing.import_file(self.runtime, path, actor="person:anna", **options)
