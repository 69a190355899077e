"""Statements, reports and notifications: camt.053, camt.052 and camt.054, of any version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final
from xml.etree.ElementTree import Element

import msgspec

from marketplace.api import BankRecord, StatementEnd, StatementKind, StatementStart
from marketplace_sepa import entries
from marketplace_sepa.stream import Part
from marketplace_sepa.values import day, identifier, is_credit, is_true, micros, moment, text, whole

KINDS: Final = {
    "Stmt": StatementKind.STATEMENT,
    "Rpt": StatementKind.REPORT,
    "Ntfctn": StatementKind.NOTIFICATION,
}
OPENING: Final = ("OPBD", "PRCD")
CLOSING: Final = "CLBD"
INTERIM: Final = "ITBD"
"""Between two pages of a statement, or so far on a report."""
SEQUENCE: Final = ("ElctrncSeqNb", "LglSeqNb")


class Balance(msgspec.Struct, frozen=True):
    """A balance, without the credit line that may be counted in."""

    code: str
    amount_micros: int
    currency: str
    with_line: bool
    on: date


class Statement:
    """One statement while it is read."""

    def __init__(self, tag: str, line: int) -> None:
        self._kind = KINDS[tag]
        self._line = line
        self._head = Element(tag)
        self._balances: list[Balance] = []
        self._started = False
        self._count = 0

    @property
    def account(self) -> str:
        """IBAN or another id of the account, without spaces."""
        found = text(self._head, "Acct/Id/IBAN", "Acct/Id/Othr/Id", "Acct/Id/PrtryAcct/Id")
        return found.replace(" ", "")

    def take(self, part: Part) -> Iterator[BankRecord]:
        """What a part of the statement adds."""
        if part.tag == "Ntry":
            yield from self._start()
            self._count += 1
            own = (self.account, self._currency())
            yield entries.entry(part.tree, part.folded, self._count, part.line, own)
        elif part.tag == "Bal":
            self._balances.append(_balance(part.tree))
        elif part.tag in ("Id", "CreDtTm", "FrToDt", "Acct", *SEQUENCE):
            self._head.append(part.tree)

    def end(self) -> Iterator[BankRecord]:
        """What is known at its end."""
        yield from self._start()
        opening, closing = self._ends()
        yield StatementEnd(entries=self._count, opening_micros=opening, closing_micros=closing)

    def _start(self) -> Iterator[BankRecord]:
        if self._started:
            return
        self._started = True
        head = self._head
        opening, closing = self._ends()
        yield StatementStart(
            kind=self._kind,
            account=self.account,
            currency=self._currency(),
            reference=identifier(head, "Id"),
            number=next((n for n in (whole(text(head, each)) for each in SEQUENCE) if n), None),
            made_at=moment(text(head, "CreDtTm")),
            from_on=_period(head, "Fr"),
            to_on=_period(head, "To"),
            opening_micros=opening,
            closing_micros=closing,
            line=self._line,
        )

    def _currency(self) -> str:
        stated = text(self._head, "Acct/Ccy").upper()
        return stated or next((b.currency for b in self._balances if b.currency), "")

    def _ends(self) -> tuple[int | None, int | None]:
        """Opening and closing balance. Pages of a statement begin or end with an interim one."""
        currency = self._currency()
        own = [b for b in self._balances if b.currency in ("", currency)]
        interim = [b for b in own if b.code == INTERIM]
        opening = next((_best(own, code) for code in OPENING if _best(own, code)), None)
        closing = _best(own, CLOSING, latest=True)
        if opening is None and interim and (closing is not None or len(interim) > 1):
            opening = interim.pop(0)
        if closing is None and interim:
            closing = interim[-1]
        return (
            None if opening is None else opening.amount_micros,
            None if closing is None else closing.amount_micros,
        )


def _best(own: list[Balance], code: str, *, latest: bool = False) -> Balance | None:
    """The first balance of its kind, or the last: a statement of several days has one for each.

    Of one balance with and one without a credit line, the account's own is without.
    """
    found = [b for b in own if b.code == code]
    found = [b for b in found if not b.with_line] or found
    if not found:
        return None
    return max(reversed(found), key=_day) if latest else min(found, key=_day)


def _day(found: Balance) -> date:
    return found.on


def _balance(found: Element) -> Balance:
    amount = micros(text(found, "Amt"), "a balance")
    signed = amount if is_credit(found, "a balance", default=True) else -amount
    line = 0
    for each in found.iterfind("CdtLine"):
        if is_true(text(each, "Incl")) and text(each, "Amt"):
            line += micros(text(each, "Amt"), "a credit line")
    written = found.find("Amt")
    return Balance(
        text(found, "Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry", "Tp/Cd").upper(),
        signed - line,
        "" if written is None else written.get("Ccy", "").strip().upper(),
        line != 0,
        day(found, "Dt") or date.min,
    )


def _period(head: Element, end: str) -> date | None:
    period = head.find("FrToDt")
    if period is None:
        return None
    return day(period, f"{end}Dt") or day(period, f"{end}DtTm")
