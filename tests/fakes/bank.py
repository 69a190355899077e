"""A bank where the clearing house has an account: takes its files, moves money, says what it did.

    bank = Bank("DE89370400440532013000", opening="1000.00", today=date(2026, 11, 27))
    answer = bank.take(file.content)         # a pain.002
    bank.reject("S-1-0002", code="AC04")     # another, before it is due
    bank.book()                              # whatever is due today is booked
    content = bank.statement()               # camt.053 of all that was booked since the last
    bank.give_back("S-1-0001", code="MD06")  # months later
    content = bank.notification()            # camt.054 of what was booked since the last

It keeps one balance, to the cent, and its statements foot, unless it is asked to misbehave.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby

from tests.fakes.bank_files import (
    Entry,
    Payment,
    Transaction,
    Writer,
    read_payments,
    status_report,
)


class Bank:
    """One account of the clearing house. `lose_ids` leaves out what the customer called things."""

    def __init__(
        self,
        iban: str,
        *,
        opening: str = "0.00",
        today: date,
        currency: str = "EUR",
        version: int = 8,
        lose_ids: bool = False,
    ) -> None:
        self.today = today
        self.balance = Decimal(opening)
        self.payments: dict[str, Payment] = {}
        """By EndToEndId, for ever."""
        self.messages: set[str] = set()
        self.entries: list[Entry] = []
        """Everything that was ever booked, in order."""
        self._writer = Writer(iban, currency, version, lose_ids=lose_ids)
        self._stated = 0
        self._notified = 0
        self._opening = self.balance
        self._statements = self._reports = self._notifications = 0

    def later(self, days: int = 1) -> None:
        """Time passes."""
        self.today += timedelta(days=days)

    # -- what it is sent --------------------------------------------------------------------------

    def take(self, content: bytes) -> bytes:
        """Take a file once; the pain.002 says ACCP, or why none of it is executed."""
        taken = read_payments(content)
        code = ""
        if taken.message_id in self.messages:
            code = "DU01"
        elif taken.fault:
            code = "AM10"
        elif any(each.reference in self.payments for each in taken.payments):
            code = "AM05"
        if code:
            return self._report(taken.message_id, "RJCT", [], code)
        self.messages.add(taken.message_id)
        self.payments |= {each.reference: each for each in taken.payments}
        return self._report(taken.message_id, "ACCP", [], "")

    def reject(self, *references: str, code: str = "AC04") -> bytes:
        """Refuse payments of one file that are not booked yet."""
        found = [self._move(each, "taken", "rejected") for each in references]
        (message_id,) = {each.message_id for each in found}
        return self._report(message_id, "PART", found, code)

    def puzzle(self, reference: str, status: str) -> bytes:
        """Say of a payment what only the bank understands; it is booked as others are."""
        each = self.payments[reference]
        return self._report(each.message_id, "PART", [each], "NARR", status)

    def reject_file(self, message_id: str, code: str = "FF01") -> bytes:
        """Refuse all of a file, without naming its payments."""
        for each in self.payments.values():
            if each.message_id == message_id:
                self._move(each.reference, "taken", "rejected")
        return self._report(message_id, "RJCT", [], code)

    # -- what it does with the money --------------------------------------------------------------

    def due(self) -> list[Payment]:
        """What is to be booked today."""
        return [p for p in self.payments.values() if p.state == "taken" and p.due_on <= self.today]

    def book(
        self,
        references: Iterable[str] | None = None,
        *,
        batched: bool = False,
        details: bool = True,
        parts: int = 1,
    ) -> None:
        """Book what is due (or these): one by one, each in `parts`, or batched by block, in one sum
        with or without its details.
        """
        chosen = self.due() if references is None else [self.payments[r] for r in references]
        for each in chosen:
            self._move(each.reference, "taken", "booked")
        if not batched:
            for each in chosen:
                for amount in _split(each.signed, parts):
                    self._enter(amount, [Transaction(amount, each, text=each.text)])
            return
        chosen.sort(key=lambda each: each.block_id)
        for block_id, members in groupby(chosen, key=lambda each: each.block_id):
            own = list(members)
            transactions = [Transaction(each.signed, each, text=each.text) for each in own]
            self._enter(
                sum((each.signed for each in own), Decimal(0)),
                transactions if details else [],
                batch=(own[0].message_id, block_id, len(own)),
            )

    def give_back(self, reference: str, *, code: str = "AC04") -> None:
        """A booked payment comes back, whole."""
        paid = self._move(reference, "booked", "returned")
        amount = -paid.signed
        self._enter(
            amount,
            [Transaction(amount, paid, text=paid.text, return_code=code)],
            reversal=paid.collects,
        )

    def move(
        self, amount: str, *, name: str = "Somebody", account: str = "", text: str = ""
    ) -> None:
        """Money that no file ordered: a payment in, or (below zero) a charge."""
        exact = Decimal(amount)
        self._enter(exact, [Transaction(exact, name=name, account=account, text=text)], text=text)

    # -- what it says -----------------------------------------------------------------------------

    def statement(self, *, off_by: str = "0.00") -> bytes:
        """The camt.053 of what was booked since the last; `off_by` makes it not foot."""
        entries = self.entries[self._stated :]
        self._stated = len(self.entries)
        self._statements += 1
        balances = (self._opening, self.balance + Decimal(off_by))
        self._opening = self.balance
        return self._writer.statement(self._statements, self._now(), balances, entries)

    def notification(self) -> bytes:
        """The camt.054 of what was booked since the last."""
        entries = self.entries[self._notified :]
        self._notified = len(self.entries)
        self._notifications += 1
        return self._writer.notification(self._notifications, self._now(), entries)

    # -- inside -----------------------------------------------------------------------------------

    def _now(self) -> datetime:
        return datetime.combine(self.today, time(18), UTC)

    def _move(self, reference: str, before: str, after: str) -> Payment:
        found = self.payments[reference]
        assert found.state == before, f"{reference} is {found.state}"
        found.state = after
        return found

    def _enter(
        self,
        amount: Decimal,
        transactions: list[Transaction],
        *,
        batch: tuple[str, str, int] | None = None,
        reversal: bool = False,
        text: str = "",
    ) -> None:
        reference = f"B{len(self.entries) + 1:06d}"
        self.balance += amount
        self.entries.append(
            Entry(amount, self.today, reference, transactions, batch, reversal, text)
        )

    def _report(
        self, message_id: str, group: str, legs: list[Payment], code: str, status: str = "RJCT"
    ) -> bytes:
        self._reports += 1
        return status_report(self._reports, self._now(), message_id, group, legs, code, status)


def _split(amount: Decimal, parts: int) -> list[Decimal]:
    """Parts of whole cents that sum to the amount."""
    cents = int(amount * 100)
    each = int(cents / parts)
    found = [each] * (parts - 1) + [cents - each * (parts - 1)]
    return [Decimal(part) / 100 for part in found]
