"""Obligations, debts and the clearing house's own postings as double-entry. Pure.

The clearing house is the reporting entity, and a positive amount debits an account, as in
`marketplace/ledger/journal.py`: what members owe it is an asset, what it owes them a liability.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final
from uuid import UUID

import msgspec

from marketplace.ledger.domain import POINTS, Account, ObligationKind
from marketplace.ledger.journal import Amount, Entry, account_path
from settlement.clearing.domain import AccountKind, PostingCode
from settlement.domain import DebtFlow, Flow, PartyKind, legs

OUTSTANDING: Final = "Liabilities:Points:Outstanding:{}"
"""Points of an issuer in wallets, by issuer; single wallets are in `marketplace ledger export`."""
POINT_ACCOUNTS: Final = {
    ObligationKind.ISSUANCE: Account.ISSUER_ISSUED,
    ObligationKind.CAPTURE: Account.ISSUER_REDEEMED,
    ObligationKind.REFUND: Account.ISSUER_REDEEMED,
    ObligationKind.EXPIRY: Account.ISSUER_EXPIRED,
}
HOUSE: Final = {
    AccountKind.MEMBER_DUE: "Assets:Clearing:Due:{}",
    AccountKind.POOL: "Liabilities:Clearing:Pool:{}",
    AccountKind.MARGIN: "Income:Clearing:Margin:{}",
    AccountKind.PREFUND: "Liabilities:Clearing:Prefund:{}",
    AccountKind.IN_TRANSIT: "Assets:Clearing:Transit:{}",
    AccountKind.BANK: "Assets:Clearing:Bank:{}",
    AccountKind.ROUNDING: "Equity:Clearing:Rounding:{}",
    AccountKind.SUSPENSE: "Liabilities:Clearing:Suspense:{}",
}
"""Path of each account of the clearing house's own books; the owner takes the braces."""


class ObligationFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An obligation as it is booked."""

    wallet_id: UUID
    id: int
    window_id: UUID
    day: date
    flow: Flow
    issuer_id: UUID
    acceptor_id: UUID | None
    burn_id: UUID | None
    lot_id: int
    points: int


class DebtFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A debt as it is booked."""

    id: int
    window_id: UUID
    day: date
    flow: DebtFlow
    plugin: str
    reference: str


class PostingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A posting of the clearing house's own books."""

    id: int
    day: date
    code: PostingCode
    debit: tuple[AccountKind, UUID]
    credit: tuple[AccountKind, UUID]
    currency: str
    amount_micros: int
    settlement: str | None
    leg: str | None
    entry_id: UUID | None


class Names(msgspec.Struct, frozen=True):
    """What owners of accounts are called."""

    slugs: Mapping[UUID, str]
    legs: Mapping[UUID, str]
    """References of legs."""
    operator_id: UUID

    def capital(self, owner: UUID) -> str:
        """A part of a path: begins with a capital or digit, holds letters, digits and dashes."""
        name = self.slugs.get(owner) or self.legs.get(owner) or f"A-{owner}"
        return name[0].upper() + name[1:]


def obligation_entry(facts: ObligationFacts, names: Names) -> Entry:
    """Points by issuer, and money by member: as the capture, refund, issue or expiry moved it."""
    own = account_path(POINT_ACCOUNTS[facts.flow.kind], facts.issuer_id, names.slugs)
    out = OUTSTANDING.format(names.capital(facts.issuer_id))
    issued = facts.flow.kind is ObligationKind.ISSUANCE
    points = facts.points if not issued else -facts.points
    known = {"burn": facts.burn_id, "lot": facts.lot_id, "window": facts.window_id}
    return Entry(
        id=f"{facts.wallet_id}.{facts.id}",
        id_of="obligation",
        day=facts.day,
        code=facts.flow.kind.value,
        amounts=_joined(
            [
                Amount(out, POINTS, points),
                Amount(own, POINTS, -points),
                *_money(facts, names),
            ]
        ),
        facts={name: str(value) for name, value in known.items() if value is not None},
    )


def _money(facts: ObligationFacts, names: Names) -> list[Amount]:
    """What each party's account is booked: the same accounts as the ledger's transfers move."""
    flow, found = facts.flow, []
    expiry = flow.kind is ObligationKind.EXPIRY
    for place, (party, micros) in enumerate(legs(flow)):
        if party.kind is PartyKind.OPERATOR:
            account = Account.OPERATOR_BREAKAGE if expiry else Account.OPERATOR_MARGIN
            owner = names.operator_id
        elif party.kind is PartyKind.POOL:
            account, owner = Account.ISSUER_POOL, facts.issuer_id
        elif place == 0:
            # Who pays for its own reward is payer and payee: the first is the payer.
            account, owner = Account.ISSUER_RECEIVABLE, facts.issuer_id
        else:
            account = Account.ISSUER_BREAKAGE if expiry else Account.ACCEPTOR_PAYABLE
            owner = facts.acceptor_id or facts.issuer_id
        path = account_path(account, owner, names.slugs)
        found.append(Amount(path, flow.currency, -micros))
    return found


def _joined(amounts: list[Amount]) -> tuple[Amount, ...]:
    """Without zeros, those of one account and unit together."""
    found: dict[tuple[str, str], int] = {}
    for each in amounts:
        found[each.path, each.unit] = found.get((each.path, each.unit), 0) + each.amount
    return tuple(Amount(*key, amount) for key, amount in found.items() if amount)


def debt_entry(facts: DebtFacts, names: Names, members: tuple[UUID, UUID]) -> Entry:
    """From the debtor's account with the clearing house to the creditor's."""
    debtor, creditor = (
        account_path(Account.MEMBER_CLEARING, each, names.slugs) for each in members
    )
    amount, unit = facts.flow.amount_micros, facts.flow.currency
    return Entry(
        id=f"debt.{facts.id}",
        id_of="obligation",
        day=facts.day,
        code="owe",
        amounts=(Amount(debtor, unit, amount), Amount(creditor, unit, -amount)),
        facts={"plugin": facts.plugin, "window": str(facts.window_id)},
    )


def posting_entry(facts: PostingFacts, names: Names) -> Entry:
    """One posting of the clearing house's own books."""
    debit, credit = house_path(*facts.debit, names), house_path(*facts.credit, names)
    known = {"settlement": facts.settlement, "leg": facts.leg, "entry": facts.entry_id}
    return Entry(
        id=str(facts.id),
        id_of="posting",
        day=facts.day,
        code=facts.code.value,
        amounts=(
            Amount(debit, facts.currency, facts.amount_micros),
            Amount(credit, facts.currency, -facts.amount_micros),
        ),
        facts={name: str(value) for name, value in known.items() if value is not None},
    )


def house_path(account: AccountKind, owner: UUID, names: Names) -> str:
    """Name of an account of the clearing house's own books."""
    return HOUSE[account].format(names.capital(owner))
