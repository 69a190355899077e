"""How the ledger reads as a plain-text journal: beancount's syntax and hledger's. Pure.

The coalition's clearing house is the reporting entity. In both syntaxes a positive amount debits
the account, so what it owes to wallets, pools and acceptors is negative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

import msgspec

from marketplace.ledger.domain import POINTS, Account
from marketplace.money import decimal_from_micros

TITLE: Final = "Coalition Rewards Marketplace"

PATHS: Final = {
    Account.WALLET_AVAILABLE: "Liabilities:Points:Wallets:{}:Available",
    Account.WALLET_HELD: "Liabilities:Points:Wallets:{}:Held",
    Account.ISSUER_ISSUED: "Expenses:Points:Issued:{}",
    Account.ISSUER_REDEEMED: "Income:Points:Redeemed:{}",
    Account.ISSUER_EXPIRED: "Income:Points:Expired:{}",
    Account.ISSUER_RECEIVABLE: "Assets:Receivable:{}",
    Account.ISSUER_POOL: "Liabilities:Pool:{}",
    Account.ISSUER_BREAKAGE: "Liabilities:Breakage:{}",
    Account.ACCEPTOR_PAYABLE: "Liabilities:Payable:{}",
    Account.OPERATOR_MARGIN: "Income:Margin:{}",
    Account.OPERATOR_BREAKAGE: "Income:Breakage:{}",
    Account.MEMBER_CLEARING: "Liabilities:Clearing:{}",
}
"""Path of each kind of account; the owner takes the braces."""


class Amount(msgspec.Struct, frozen=True):
    """What an entry books to one account: a positive amount debits it."""

    path: str
    unit: str
    amount: int
    """Points, or micros of money."""


class Entry(msgspec.Struct, frozen=True):
    """One event, ready to be written; its amounts sum to zero in each unit."""

    id: str
    id_of: str
    """What the id is of: `transfer` ..."""
    day: date
    code: str
    """Why: issue, hold, capture ..."""
    amounts: Sequence[Amount]
    facts: dict[str, str]
    """What it is about, by name: burn, offer, lot, debt, reference, window, those there are."""


class Journal(Protocol):
    """Writes the parts of a journal, each as text with its final newline."""

    def begin(self) -> str:
        """The head of the file."""
        ...

    def commodity(self, day: date, unit: str) -> str:
        """Declare a unit."""
        ...

    def account(self, day: date, path: str, units: Sequence[str]) -> str:
        """Open an account that holds these units, and no others; once."""
        ...

    def entry(self, entry: Entry) -> str:
        """One event."""
        ...

    def note(self, day: date, kind: str, facts: Mapping[str, str]) -> str:
        """A fact that moves nothing, of a plugin."""
        ...

    def balance(self, day: date, path: str, unit: str, amount: int) -> str:
        """Assert what an account holds at the beginning of `day`, exactly."""
        ...


class Format(StrEnum):
    """Syntaxes an export can have."""

    BEANCOUNT = "beancount"
    HLEDGER = "hledger"


def account_path(account: Account, owner: UUID, slugs: Mapping[UUID, str]) -> str:
    """Name of an account; valid in beancount, where each part begins with a capital or digit."""
    if account in (Account.WALLET_AVAILABLE, Account.WALLET_HELD):
        return PATHS[account].format(f"W-{owner}")
    slug = slugs.get(owner, f"M-{owner}")
    return PATHS[account].format(slug[0].upper() + slug[1:])


def amount_text(amount: int, unit: str) -> str:
    """`1500 POINTS`, `12.345678 EUR`."""
    number = str(amount) if unit == POINTS else decimal_from_micros(amount)
    return f"{number} {unit}"


class Beancount:
    """Beancount 2 and 3."""

    def begin(self) -> str:
        return f'option "title" "{TITLE}"\n\n'

    def commodity(self, day: date, unit: str) -> str:
        return f"{day} commodity {unit}\n"

    def account(self, day: date, path: str, units: Sequence[str]) -> str:
        return f"{day} open {path} {','.join(units)}\n"

    def entry(self, entry: Entry) -> str:
        known = {entry.id_of: entry.id, **entry.facts}
        facts = "".join(f'  {name}: "{value}"\n' for name, value in known.items())
        amounts = "".join(
            f"  {each.path}  {amount_text(each.amount, each.unit)}\n" for each in entry.amounts
        )
        return f'\n{entry.day} * "{entry.code}"\n{facts}{amounts}'

    def note(self, day: date, kind: str, facts: Mapping[str, str]) -> str:
        lines = "".join(f'  {name}: "{value}"\n' for name, value in facts.items())
        # Beancount stumbles over a `custom` without a value of its own.
        return f'\n{day} custom "{kind}" "{next(iter(facts.values()), "")}"\n{lines}'

    def balance(self, day: date, path: str, unit: str, amount: int) -> str:
        number, _ = amount_text(amount, unit).split()
        # Without a tolerance of zero beancount would accept a difference in the last decimal.
        return f"{day} balance {path}  {number} ~ 0 {unit}\n"


class Hledger:
    """hledger 1.x."""

    def begin(self) -> str:
        return f"; {TITLE}\n\ndecimal-mark .\n"

    def commodity(self, day: date, unit: str) -> str:
        return f"commodity {'1000.' if unit == POINTS else '1000.00'} {unit}\n"

    def account(self, day: date, path: str, units: Sequence[str]) -> str:
        return f"account {path.lower()}  ; unit:{' '.join(units)}\n"

    def entry(self, entry: Entry) -> str:
        facts = ", ".join(f"{name}:{value}" for name, value in entry.facts.items())
        amounts = "".join(
            f"    {each.path.lower()}  {amount_text(each.amount, each.unit)}\n"
            for each in entry.amounts
        )
        return f"\n{entry.day} * ({entry.id}) {entry.code}  ; {facts}\n{amounts}"

    def note(self, day: date, kind: str, facts: Mapping[str, str]) -> str:
        told = ", ".join(f"{name}:{value}" for name, value in facts.items())
        return f"\n; {day} {kind}  {told}\n"

    def balance(self, day: date, path: str, unit: str, amount: int) -> str:
        return (
            f"\n{day} * balance\n"
            f"    {path.lower()}  {amount_text(0, unit)} = {amount_text(amount, unit)}\n"
        )


JOURNALS: Final[dict[Format, Journal]] = {
    Format.BEANCOUNT: Beancount(),
    Format.HLEDGER: Hledger(),
}
