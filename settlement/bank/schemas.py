"""Bank accounts, statements, suggestions and breaks as JSON. Money is integer micros."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import msgspec

from marketplace.contract.bank_records import StatementKind
from settlement.bank.domain import BreakKind, BreakStatus, Rule
from settlement.bank.models import BankAccount, BankStatement, Break, Match, Suggestion
from settlement.bank.moves import OwnInTransit
from settlement.bank.transit import InTransit


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account of the clearing house itself."""

    id: UUID
    rail: str
    identifier: str
    currency: str
    name: str
    trouble: str = ""
    """Why its statements do not come in by themselves; empty where they do, or need not."""


class AccountBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to be made known."""

    identifier: str
    currency: str
    rail: str
    name: str
    as_written: bool = False
    """Take an identifier that looks like an IBAN though its check digits are wrong."""


class StatementView(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that was imported."""

    id: UUID
    account_id: UUID
    kind: StatementKind
    reference: str
    from_on: date
    to_on: date
    opening_micros: int | None
    closing_micros: int | None
    imported_by: str
    imported_at: datetime


class MatchView(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a statement is (part of) the money of a leg, of a member that paid ahead, of a move
    between accounts of the house; or, with none of the three, a charge of the bank."""

    id: UUID
    entry_id: UUID
    leg_id: UUID | None
    member_id: UUID | None
    move_id: UUID | None
    rule: Rule
    confidence: int
    """0 to 100."""
    reason: str
    amount_micros: int
    """Signed as on the statement; of a contra the other way round."""
    undoes_id: UUID | None
    """The match that this takes back."""
    undone_by_id: UUID | None
    """The contra that took this back."""
    actor: str
    at: datetime


class SuggestionView(msgspec.Struct, frozen=True, kw_only=True):
    """A match that a person takes or leaves."""

    id: UUID
    entry_id: UUID
    leg_id: UUID
    rule: Rule
    confidence: int
    """0 to 100."""
    reason: str


class BreakView(msgspec.Struct, frozen=True, kw_only=True):
    """What does not match."""

    id: UUID
    kind: BreakKind
    status: BreakStatus
    currency: str
    amount_micros: int
    reason: str
    opened_on: date
    note: str
    entry_id: UUID | None
    leg_id: UUID | None
    statement_id: UUID | None


class NoteBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    note: str = ""


class Accounts(msgspec.Struct, frozen=True):
    """By identifier."""

    accounts: list[AccountView]


class Statements(msgspec.Struct, frozen=True):
    """The newest first."""

    statements: list[StatementView]
    next: str | None
    """The cursor of the next page; null on the last."""


class Matches(msgspec.Struct, frozen=True):
    """The newest first."""

    matches: list[MatchView]
    next: str | None
    """The cursor of the next page; null on the last."""


class Suggestions(msgspec.Struct, frozen=True):
    """Those that nobody has decided."""

    suggestions: list[SuggestionView]


class Breaks(msgspec.Struct, frozen=True):
    """The oldest first."""

    breaks: list[BreakView]


class Transit(msgspec.Struct, frozen=True):
    """Legs whose money is with a rail, the oldest first."""

    legs: list[InTransit]


class Moves(msgspec.Struct, frozen=True):
    """What is on its way between accounts of the house, or kept back, the longest due first."""

    moves: list[OwnInTransit]


def account_view(row: BankAccount) -> AccountView:
    """An account."""
    return AccountView(
        id=row.id,
        rail=row.rail,
        identifier=row.identifier,
        currency=row.currency,
        name=row.name,
        trouble=row.trouble,
    )


def statement_view(row: BankStatement) -> StatementView:
    """A statement."""
    return StatementView(
        id=row.id,
        account_id=row.account_id,
        kind=row.kind,
        reference=row.reference,
        from_on=row.from_on,
        to_on=row.to_on,
        opening_micros=row.opening_micros,
        closing_micros=row.closing_micros,
        imported_by=row.imported_by,
        imported_at=row.imported_at,
    )


def match_view(row: Match, undone_by_id: UUID | None) -> MatchView:
    """A match."""
    return MatchView(
        id=row.id,
        entry_id=row.entry_id,
        leg_id=row.leg_id,
        member_id=row.member_id,
        move_id=row.move_id,
        rule=row.rule,
        confidence=row.confidence,
        reason=row.reason,
        amount_micros=row.amount_micros,
        undoes_id=row.undoes_id,
        undone_by_id=undone_by_id,
        actor=row.actor,
        at=row.at,
    )


def suggestion_view(row: Suggestion) -> SuggestionView:
    """A suggestion."""
    return SuggestionView(
        id=row.id,
        entry_id=row.entry_id,
        leg_id=row.leg_id,
        rule=row.rule,
        confidence=row.confidence,
        reason=row.reason,
    )


def break_view(row: Break) -> BreakView:
    """A break."""
    return BreakView(
        id=row.id,
        kind=row.kind,
        status=row.status,
        currency=row.currency,
        amount_micros=row.amount_micros,
        reason=row.reason,
        opened_on=row.opened_on,
        note=row.note,
        entry_id=row.entry_id,
        leg_id=row.leg_id,
        statement_id=row.statement_id,
    )
