"""Tables of settlements, their legs, and the clearing house's own books."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.contract.rails import Direction
from marketplace.models import INSERT_ONLY, text_enum, utc_timestamp
from settlement.base import SettlementBase
from settlement.clearing.domain import (
    AccountKind,
    FlowKind,
    LegStatus,
    Mode,
    PayAccountStatus,
    PostingCode,
    SettlementKind,
    SettlementStatus,
)
from settlement.domain import PartyKind


class Settlement(SettlementBase):
    """Closed windows, netted together. `reference` is for people: `S-2026-0001`."""

    __tablename__ = "settlement_settlement"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[SettlementKind] = mapped_column(text_enum(SettlementKind, "settlement_kind"))
    mode: Mapped[Mode] = mapped_column(text_enum(Mode, "settlement_mode"))
    status: Mapped[SettlementStatus] = mapped_column(
        text_enum(SettlementStatus, "settlement_status")
    )
    origin_id: Mapped[UUID | None]
    """The settlement whose unpaid dues an exceptional one settles."""
    due_on: Mapped[date]
    """When legs are to be executed."""
    made_at: Mapped[datetime] = mapped_column(utc_timestamp())
    made_by: Mapped[str]
    recorded_by: Mapped[str | None]
    approved_by: Mapped[str | None]
    pay_before_collected: Mapped[bool] = mapped_column(server_default=sa.false())
    """Whether finance said to pay creditors before what debtors owe is there."""
    keep_prefund: Mapped[bool] = mapped_column(server_default=sa.false())
    """Whether finance said to leave alone what members have paid ahead."""
    recover: Mapped[bool] = mapped_column(server_default=sa.false())
    """Of an exceptional one: its debtor owes those who paid, in the window open at approval."""
    trouble: Mapped[str] = mapped_column(server_default="")
    """Why legs that could go do not, for finance; empty where nothing is wrong."""


class CoveredWindow(SettlementBase):
    """A window that a settlement settles; in at most one that is not aborted."""

    __tablename__ = "settlement_covered_window"
    __table_args__ = (
        sa.Index(
            "uq_settlement_covered_window_one_live",
            "window_id",
            unique=True,
            postgresql_where="live",
        ),
    )

    settlement_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("settlement_settlement.id"), primary_key=True
    )
    window_id: Mapped[UUID] = mapped_column(primary_key=True)
    live: Mapped[bool]


class SettledFlow(SettlementBase):
    """What one party owes another, gross, for one sort of reason: the matrix behind the positions.

    As netted; the operator's margin is a party of its own.
    """

    __tablename__ = "settlement_flow"
    __table_args__ = (
        sa.PrimaryKeyConstraint(
            "settlement_id",
            "currency",
            "payer",
            "payer_id",
            "payee",
            "payee_id",
            "what",
            name="pk_settlement_flow",
        ),
        sa.CheckConstraint("amount_micros > 0", name="amount_is_positive"),
        {"info": INSERT_ONLY},
    )

    settlement_id: Mapped[UUID] = mapped_column(sa.ForeignKey("settlement_settlement.id"))
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    payer: Mapped[PartyKind] = mapped_column(text_enum(PartyKind, "settlement_party"))
    payer_id: Mapped[UUID]
    payee: Mapped[PartyKind] = mapped_column(text_enum(PartyKind, "settlement_party"))
    payee_id: Mapped[UUID]
    what: Mapped[FlowKind] = mapped_column(text_enum(FlowKind, "settlement_flow_kind"))
    amount_micros: Mapped[int] = mapped_column(sa.BigInteger)


class SettledPosition(SettlementBase):
    """What one party owes or is owed in one settlement and currency; zero rows too.

    `net = credit - debit - fee`. The margin's fee is what all others pay, below zero: so fees and
    nets of a settlement and currency sum to zero, and debits are credits.
    """

    __tablename__ = "settlement_position"
    __table_args__ = (
        sa.PrimaryKeyConstraint("settlement_id", "currency", "party", "member_id"),
        {"info": INSERT_ONLY},
    )

    settlement_id: Mapped[UUID] = mapped_column(sa.ForeignKey("settlement_settlement.id"))
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    party: Mapped[PartyKind] = mapped_column(text_enum(PartyKind, "settlement_party"))
    member_id: Mapped[UUID]
    """The member, the issuer of the pool, or (margin) the operator."""
    debit_micros: Mapped[int] = mapped_column(sa.BigInteger)
    """Gross, not below zero: what it owes all others."""
    credit_micros: Mapped[int] = mapped_column(sa.BigInteger)
    """Gross, not below zero: what all others owe it."""
    fee_micros: Mapped[int] = mapped_column(sa.BigInteger)
    """The operator's fee on what is settled, by contract; below zero where refunds outweigh."""
    net_micros: Mapped[int] = mapped_column(sa.BigInteger)


class SettlementLeg(SettlementBase):
    """One payment of a settlement, between a member and the clearing house (or, bilaterally,
    another member). A leg of nothing is recorded too.
    """

    __tablename__ = "settlement_leg"
    __table_args__ = (
        sa.CheckConstraint("amount_minor >= 0", name="amount_is_not_negative"),
        sa.Index("ix_settlement_leg_settlement_id", "settlement_id"),
        sa.Index(
            "ix_settlement_leg_under_way",
            "status",
            postgresql_where="status in ('planned', 'submitted', 'accepted', 'unknown')",
        ),
        sa.Index(
            "ix_settlement_leg_failed",
            "status",
            postgresql_where="status in ('rejected', 'returned')",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    settlement_id: Mapped[UUID] = mapped_column(sa.ForeignKey("settlement_settlement.id"))
    reference: Mapped[str] = mapped_column(unique=True)
    """`Leg.reference`: at most 35 capital letters, digits and dashes; the EndToEndId."""
    member_id: Mapped[UUID]
    counterparty_id: Mapped[UUID | None]
    """The other member of a bilateral leg: the creditor, where `member_id` is the debtor."""
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    direction: Mapped[Direction] = mapped_column(text_enum(Direction, "settlement_direction"))
    net_micros: Mapped[int] = mapped_column(sa.BigInteger)
    """Signed as positions are: below zero the member pays."""
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    """In the smallest unit of the currency, rounded once."""
    remainder_micros: Mapped[int] = mapped_column(sa.BigInteger)
    """`net_micros` less what is paid, signed alike: on the rounding account."""
    status: Mapped[LegStatus] = mapped_column(text_enum(LegStatus, "settlement_leg_status"))
    rail: Mapped[str | None]
    """Slug of the plugin that moves it; null until chosen, or where no money moves."""
    account: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """The member's account as it was when the leg was submitted."""
    rail_reference: Mapped[str]
    due_on: Mapped[date]
    booked_on: Mapped[date | None]
    replaces_id: Mapped[UUID | None] = mapped_column(unique=True)
    """The rejected or returned leg that this one pays again."""
    reason: Mapped[str]
    """Why it was rejected or returned, with the bank's code."""
    name: Mapped[str] = mapped_column(server_default="")
    """The member's legal name as it was when the leg was submitted."""
    text: Mapped[str] = mapped_column(server_default="")
    """What the statement says, as it was when the leg was submitted."""
    batch_id: Mapped[UUID | None]
    """The batch whose file pays it."""
    due_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """When its rail is asked (again), by the real clock."""


class Posting(SettlementBase):
    """Moves money between two accounts of the clearing house's own books."""

    __tablename__ = "settlement_posting"
    __table_args__ = (
        sa.CheckConstraint("amount_micros > 0", name="amount_is_positive"),
        sa.Index("ix_settlement_posting_settlement_id", "settlement_id"),
        sa.Index("ix_settlement_posting_leg_id", "leg_id"),
        sa.Index("ix_settlement_posting_entry_id", "entry_id"),
        {"info": INSERT_ONLY},
    )

    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    code: Mapped[PostingCode] = mapped_column(text_enum(PostingCode, "settlement_posting_code"))
    debit_account: Mapped[AccountKind] = mapped_column(text_enum(AccountKind, "settlement_account"))
    debit_owner: Mapped[UUID]
    """Member of due, pool, margin, prefund; leg of in transit; bank account of bank; the operator
    of rounding and suspense."""
    credit_account: Mapped[AccountKind] = mapped_column(
        text_enum(AccountKind, "settlement_account")
    )
    credit_owner: Mapped[UUID]
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    amount_micros: Mapped[int] = mapped_column(sa.BigInteger)
    settlement_id: Mapped[UUID | None]
    leg_id: Mapped[UUID | None]
    entry_id: Mapped[UUID | None]
    """The bank entry that shows it."""
    effective_at: Mapped[datetime] = mapped_column(utc_timestamp())
    posted_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class PayAccount(SettlementBase):
    """Where a member pays from and is paid to. A change needs two people, and is a new row."""

    __tablename__ = "settlement_pay_account"
    __table_args__ = (
        sa.Index(
            "uq_settlement_pay_account_one_active",
            "member_id",
            "currency",
            unique=True,
            postgresql_where="status = 'active'",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    rail: Mapped[str]
    account: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The rail's own struct, as JSON."""
    status: Mapped[PayAccountStatus] = mapped_column(
        text_enum(PayAccountStatus, "settlement_pay_account_status")
    )
    made_by: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(utc_timestamp())
    approved_by: Mapped[str | None]


class SentBatch(SettlementBase):
    """Legs that went into files together, and all that the files were made from besides them."""

    __tablename__ = "settlement_batch"
    __table_args__ = ({"info": INSERT_ONLY},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    settlement_id: Mapped[UUID] = mapped_column(sa.ForeignKey("settlement_settlement.id"))
    reference: Mapped[str] = mapped_column(unique=True)
    rail: Mapped[str]
    house: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The clearing house's own side, as the rail's settings were."""
    made_at: Mapped[datetime] = mapped_column(utc_timestamp())
    made_by: Mapped[str]


class SentFile(SettlementBase):
    """A file for the bank, as it was handed out: made again it is the same to the byte."""

    __tablename__ = "settlement_file"
    __table_args__ = (
        sa.UniqueConstraint("batch_id", "name", name="uq_settlement_file_batch_id"),
        sa.Index("ix_settlement_file_message_id", "message_id"),
        sa.Index("ix_settlement_file_blocks", "blocks", postgresql_using="gin"),
        {"info": INSERT_ONLY},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    settlement_id: Mapped[UUID] = mapped_column(sa.ForeignKey("settlement_settlement.id"))
    batch_id: Mapped[UUID] = mapped_column(sa.ForeignKey("settlement_batch.id"))
    rail: Mapped[str]
    name: Mapped[str]
    media_type: Mapped[str]
    sha256: Mapped[str]
    content: Mapped[bytes]
    references: Mapped[list[str]] = mapped_column("leg_references", ARRAY(sa.Text))
    """Of its legs."""
    message_id: Mapped[str] = mapped_column(server_default="")
    """What the bank calls it; empty where its rail does not say."""
    blocks: Mapped[dict[str, list[str]]] = mapped_column(JSONB, server_default="{}")
    """What the bank calls the blocks of payments in it -> references of their legs."""
    made_at: Mapped[datetime] = mapped_column(utc_timestamp())


class CapAlert(SettlementBase):
    """A member that has used so much of its cap that it was told; gone once it uses less."""

    __tablename__ = "settlement_cap_alert"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID]
    """Of this crossing: people are told of it once."""
    used_micros: Mapped[int] = mapped_column(sa.BigInteger)
    cap_micros: Mapped[int] = mapped_column(sa.BigInteger)
    raised_at: Mapped[datetime] = mapped_column(utc_timestamp())
