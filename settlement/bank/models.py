"""Tables of the clearing house's bank accounts, their statements, matches and breaks."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.contract.bank_records import EntryState, StatementKind
from marketplace.models import INSERT_ONLY, text_enum, utc_timestamp
from settlement.bank.domain import (
    Action,
    BreakKind,
    BreakStatus,
    LineStatus,
    Rule,
    SuggestionStatus,
)
from settlement.base import SettlementBase


class BankAccount(SettlementBase):
    """An account of the clearing house itself; its id owns the `bank` account of the books."""

    __tablename__ = "settlement_bank_account"
    __table_args__ = (
        sa.UniqueConstraint(
            "identifier", "currency", name="uq_settlement_bank_account_identifier_currency"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    rail: Mapped[str]
    """Slug of the plugin that reads its statements."""
    identifier: Mapped[str]
    """IBAN or another id, without spaces, in capitals."""
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    name: Mapped[str]
    made_by: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(utc_timestamp())
    trouble: Mapped[str] = mapped_column(sa.Text(), server_default="")
    """Why its statements do not come in by themselves; empty where they do, or need not."""


class BankStatement(SettlementBase):
    """A statement as it was imported, whole. A notification has no balances."""

    __tablename__ = "settlement_bank_statement"
    __table_args__ = (
        sa.UniqueConstraint(
            "account_id", "content_hash", name="uq_settlement_bank_statement_content"
        ),
        sa.Index("ix_settlement_bank_statement_to_on", "account_id", "to_on", "id"),
        {"info": INSERT_ONLY},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("settlement_bank_account.id"))
    kind: Mapped[StatementKind] = mapped_column(
        text_enum(StatementKind, "settlement_statement_kind")
    )
    reference: Mapped[str]
    """The bank's id of it."""
    number: Mapped[int | None] = mapped_column(sa.BigInteger)
    from_on: Mapped[date]
    to_on: Mapped[date]
    opening_micros: Mapped[int | None] = mapped_column(sa.BigInteger)
    closing_micros: Mapped[int | None] = mapped_column(sa.BigInteger)
    entries: Mapped[int]
    content_hash: Mapped[str]
    """SHA-256 of what it says, without names and times that change when it is fetched again."""
    file_name: Mapped[str]
    file_sha256: Mapped[str]
    imported_by: Mapped[str]
    imported_at: Mapped[datetime] = mapped_column(utc_timestamp())


class BankLine(SettlementBase):
    """One entry of a statement, or one detail of an entry whose details say their amounts.

    `(statement_id, position, detail)` tells lines apart: two that are alike both count.
    """

    __tablename__ = "settlement_bank_entry"
    __table_args__ = (
        sa.UniqueConstraint(
            "statement_id", "position", "detail", name="uq_settlement_bank_entry_place"
        ),
        sa.Index("ix_settlement_bank_entry_account", "account_id", "booked_on"),
        {"info": INSERT_ONLY},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    statement_id: Mapped[UUID] = mapped_column(sa.ForeignKey("settlement_bank_statement.id"))
    account_id: Mapped[UUID]
    position: Mapped[int]
    """Of the entry in its statement, from 1."""
    detail: Mapped[int]
    """Of the detail in its entry, from 1; 0 where the row is the whole entry."""
    amount_micros: Mapped[int] = mapped_column(sa.BigInteger)
    """Above zero is money for the account."""
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    booked_on: Mapped[date]
    valued_on: Mapped[date | None]
    state: Mapped[EntryState] = mapped_column(text_enum(EntryState, "settlement_entry_state"))
    reversal: Mapped[bool]
    end_to_end_ids: Mapped[list[str]] = mapped_column(ARRAY(sa.Text))
    """Of the detail; of all details where the row is the whole entry."""
    instruction_id: Mapped[str]
    message_id: Mapped[str]
    payment_information_id: Mapped[str]
    mandate_id: Mapped[str]
    bank_reference: Mapped[str]
    entry_reference: Mapped[str]
    structured_reference: Mapped[str]
    counterparty_name: Mapped[str]
    counterparty_account: Mapped[str]
    remittance: Mapped[str]
    text: Mapped[str]
    code: Mapped[str]
    return_code: Mapped[str]
    return_text: Mapped[str]
    payments: Mapped[int | None] = mapped_column(sa.BigInteger)
    """How many payments the bank says it booked in one sum."""
    charge: Mapped[bool] = mapped_column(server_default=sa.false())
    """The bank's own, without doubt."""
    own: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    """An `OwnMove`: it is a side of that."""


class LineState(SettlementBase):
    """How far a line has come; only booked lines of statements, and hints of notifications."""

    __tablename__ = "settlement_bank_line_state"
    __table_args__ = (
        sa.Index(
            "ix_settlement_bank_line_state_waiting",
            "status",
            "place",
            postgresql_where="status in ('new', 'open', 'hint')",
        ),
    )

    entry_id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[LineStatus] = mapped_column(text_enum(LineStatus, "settlement_line_status"))
    place: Mapped[int] = mapped_column(sa.BigInteger)
    """In the order of import."""


class Match(SettlementBase):
    """A line is (part of) the money of a leg; a row that undoes another is its contra."""

    __tablename__ = "settlement_bank_match"
    __table_args__ = (
        sa.Index("ix_settlement_bank_match_entry_id", "entry_id"),
        sa.Index("ix_settlement_bank_match_leg_id", "leg_id"),
        sa.Index(
            "ix_settlement_bank_match_move_id",
            "move_id",
            postgresql_where="move_id is not null",
        ),
        sa.CheckConstraint("confidence between 0 and 100", name="confidence_is_percent"),
        {"info": INSERT_ONLY},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    entry_id: Mapped[UUID] = mapped_column(sa.ForeignKey("settlement_bank_entry.id"))
    leg_id: Mapped[UUID | None]
    member_id: Mapped[UUID | None]
    """Who paid ahead."""
    move_id: Mapped[UUID | None]
    """Of money between accounts of the house. No leg, no member, no move: a charge of the bank."""
    undoes_id: Mapped[UUID | None] = mapped_column(unique=True)
    rule: Mapped[Rule] = mapped_column(text_enum(Rule, "settlement_match_rule"))
    confidence: Mapped[int]
    reason: Mapped[str]
    amount_micros: Mapped[int] = mapped_column(sa.BigInteger)
    """How much of the line; a contra's is the other way round."""
    actor: Mapped[str]
    at: Mapped[datetime] = mapped_column(utc_timestamp())


class Move(SettlementBase):
    """Money on its way between accounts of the house, or kept back: in transit until its lines come
    to nothing together. Its id owns the account of it in the books."""

    __tablename__ = "settlement_bank_move"
    __table_args__ = (
        sa.UniqueConstraint("account_id", "name", name="uq_settlement_bank_move_name"),
        sa.Index("ix_settlement_bank_move_open", "account_id", postgresql_where="open_micros <> 0"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("settlement_bank_account.id"))
    """Whose statements name it."""
    name: Mapped[str]
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    open_micros: Mapped[int] = mapped_column(sa.BigInteger)
    """What statements have yet to show, signed as they will; the sum of its matches, negated."""
    elsewhere: Mapped[bool]
    references: Mapped[list[str]] = mapped_column(ARRAY(sa.Text))
    party: Mapped[str]
    booked_on: Mapped[date]
    """Of the line that named it last."""
    due_on: Mapped[date]
    """As that line says."""


class Suggestion(SettlementBase):
    """A match that is not certain: a person takes it or leaves it, once."""

    __tablename__ = "settlement_bank_suggestion"
    __table_args__ = (
        sa.UniqueConstraint("entry_id", "leg_id", name="uq_settlement_bank_suggestion_pair"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    entry_id: Mapped[UUID]
    leg_id: Mapped[UUID]
    rule: Mapped[Rule] = mapped_column(text_enum(Rule, "settlement_match_rule"))
    confidence: Mapped[int]
    reason: Mapped[str]
    status: Mapped[SuggestionStatus] = mapped_column(
        text_enum(SuggestionStatus, "settlement_suggestion_status")
    )
    made_at: Mapped[datetime] = mapped_column(utc_timestamp())
    decided_by: Mapped[str | None]


class Break(SettlementBase):
    """What does not match, of one line, leg or statement; once per kind and subject."""

    __tablename__ = "settlement_bank_break"
    __table_args__ = (
        sa.UniqueConstraint("kind", "subject_id", name="uq_settlement_bank_break_subject"),
        sa.Index(
            "ix_settlement_bank_break_open",
            "kind",
            "opened_at",
            postgresql_where="status in ('open', 'proposed')",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[BreakKind] = mapped_column(text_enum(BreakKind, "settlement_break_kind"))
    subject_id: Mapped[UUID]
    """The line, leg or statement."""
    entry_id: Mapped[UUID | None]
    leg_id: Mapped[UUID | None]
    statement_id: Mapped[UUID | None]
    account_id: Mapped[UUID | None]
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    amount_micros: Mapped[int] = mapped_column(sa.BigInteger)
    """Signed as on a statement; of a gap, what is missing."""
    reason: Mapped[str]
    status: Mapped[BreakStatus] = mapped_column(text_enum(BreakStatus, "settlement_break_status"))
    opened_on: Mapped[date]
    """The day it is of: booked, due."""
    opened_at: Mapped[datetime] = mapped_column(utc_timestamp())
    action: Mapped[Action | None] = mapped_column(text_enum(Action, "settlement_break_action"))
    note: Mapped[str]
    proposed_by: Mapped[str | None]
    resolved_by: Mapped[str | None]
    resolved_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
