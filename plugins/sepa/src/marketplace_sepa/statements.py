"""Statements, reports and notifications: camt.053, camt.052 and camt.054, of any version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
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
PAGINATION: Final = ("StmtPgntn", "RptPgntn", "NtfctnPgntn")
ACCOUNTS: Final = ("IBAN", "Othr/Id", "BBAN", "UPIC", "PrtryAcct/Id")


class Balance(msgspec.Struct, frozen=True):
    """A balance, without the credit line that may be counted in."""

    code: str
    amount_micros: int
    currency: str
    with_line: bool
    on: date


class Page(msgspec.Struct, frozen=True):
    """Which page of a statement this is; one that is all of it is the first and the last."""

    number: int = 1
    last: bool = True

    @property
    def whole(self) -> bool:
        """Whether there is no other."""
        return self.number == 1 and self.last


def page(found: Element) -> Page:
    """What an element with PgNb and LastPgInd says."""
    last = text(found, "LastPgInd")
    return Page(whole(text(found, "PgNb")) or 1, is_true(last) if last else True)


class Statement:
    """One statement while it is read; `before` is one whose last page has not come yet."""

    def __init__(self, tag: str, line: int, page: Page, before: Statement | None) -> None:
        self._tag = tag
        self._line = line
        self._page = page
        self._of_message = True
        self._before = before
        self._head = Element(tag)
        self._balances: list[Balance] = []
        self._started = False
        self._count = 0

    @property
    def account(self) -> str:
        """IBAN or another id of the account, without spaces."""
        return text(self._head, *(f"Acct/Id/{each}" for each in ACCOUNTS)).replace(" ", "")

    @property
    def goes_on(self) -> bool:
        """Whether another page follows."""
        return not self._own_page.last

    @property
    def _own_page(self) -> Page:
        """Of a message in pages, a statement with its first and last balance is whole."""
        codes = {each.code for each in self._balances}
        if self._of_message and CLOSING in codes and not codes.isdisjoint(OPENING):
            return Page()
        return self._page

    def take(self, part: Part) -> Iterator[BankRecord]:
        """What a part of the statement adds."""
        if part.tag == "Ntry":
            yield from self.start()
            self._count += 1
            own = (self.account, self._currency())
            yield entries.entry(part.tree, part.folded, self._count, part.line, own)
        elif part.tag == "Bal":
            self._balances.append(_balance(part.tree))
        elif part.tag in PAGINATION:
            self._page, self._of_message = page(part.tree), False
        elif part.tag in ("Id", "CreDtTm", "FrToDt", "Acct", *SEQUENCE):
            self._head.append(part.tree)

    def end(self) -> Iterator[BankRecord]:
        """What is known at its end."""
        yield from self.start()
        opening, closing = self._ends()
        yield StatementEnd(entries=self._count, opening_micros=opening, closing_micros=closing)

    def start(self) -> Iterator[BankRecord]:
        """What is known before its first entry; nothing where that was said."""
        if self._started:
            return
        self._started = True
        before, self._before = self._before, None
        if before is not None and self._continues(before):
            self._count = before._count
            self._balances = [*before._balances, *self._balances]
            return
        if before is not None:
            yield from before.end()
        head, page = self._head, self._own_page
        opening, closing = self._ends()
        reference = identifier(head, "Id")
        yield StatementStart(
            kind=KINDS[self._tag],
            account=self.account,
            currency=self._currency(),
            reference=f"{reference}/{page.number}" if page.number > 1 else reference,
            number=next((n for n in (whole(text(head, each)) for each in SEQUENCE) if n), None),
            made_at=moment(text(head, "CreDtTm")) or self._closed_at(),
            # A page states the period of all pages, and holds a part of it.
            from_on=_period(head, "Fr") if page.whole else None,
            to_on=_period(head, "To") if page.whole else None,
            opening_micros=opening,
            closing_micros=closing,
            line=self._line,
        )

    def _continues(self, before: Statement) -> bool:
        """Whether this is the next page of that statement."""
        same = (self._tag, self.account, identifier(self._head, "Id"))
        return (
            same == (before._tag, before.account, identifier(before._head, "Id"))
            and self._page.number == before._page.number + 1
        )

    def _closed_at(self) -> datetime | None:
        """The day of its last balance, for one that says no time of making."""
        last = max((each.on for each in self._balances), default=date.min)
        return None if last == date.min else datetime.combine(last, time(), UTC)

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
