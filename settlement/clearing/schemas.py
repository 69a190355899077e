"""What the routes and commands of settlements take and give. Money in micros of its currency."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from marketplace.contract.rails import Direction
from settlement.clearing.defaulting import Cover
from settlement.clearing.domain import (
    FlowKind,
    LegStatus,
    Mode,
    PayAccountStatus,
    SettlementKind,
    SettlementStatus,
)
from settlement.domain import PartyKind

LONGEST_NOTE = 500
Note = Annotated[str, msgspec.Meta(max_length=LONGEST_NOTE)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NOTE)]
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", description="ISO 4217")]


class DraftBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /v1/settlement/settlements`."""

    windows: Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=1_000)] | None = None
    """Closed windows, oldest first without a gap; every closed one if absent."""
    mode: Mode = Mode.MULTILATERAL
    due_on: date | None = None
    """When legs are executed; in three days if absent."""
    note: Note = ""


class StepBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of recording and approving."""

    note: Note = ""


class WhyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of what needs a reason: aborting, rejecting, refusing."""

    reason: Reason


class SubmitBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of submitting."""

    note: Note = ""
    pay_before_collected: bool = False
    """Pay creditors before what debtors owe is there."""
    keep_prefund: bool = False
    """Do not use what members have paid ahead."""
    without_account: bool = False
    """Members without an approved account pay and are paid by hand."""


class BookBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of booking a leg by hand: no bank statement shows it."""

    booked_on: date
    rail_reference: Annotated[str, msgspec.Meta(max_length=200)] = ""
    note: Note = ""


class DefaultBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of opening an exceptional settlement."""

    cover: Cover
    reason: Reason
    recover: bool = True
    """Let the debtor owe those who cover, from the approval on."""


class AccountBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of proposing an account."""

    member: str
    """Slug."""
    currency: Currency
    rail: str
    account: dict[str, Any]
    """As the rail asks for it."""


class MemberView(msgspec.Struct, frozen=True):
    """A member, for people to read."""

    id: UUID
    slug: str
    name: str


class SettlementView(msgspec.Struct, frozen=True):
    """A settlement as it stands."""

    id: UUID
    reference: str
    kind: SettlementKind
    mode: Mode
    status: SettlementStatus
    due_on: date
    made_at: datetime
    made_by: str
    recorded_by: str | None
    approved_by: str | None
    origin: str | None
    """Reference of the settlement whose unpaid due this one covers."""
    windows: list[UUID]
    trouble: str
    """Why legs that could go do not; empty where nothing is wrong."""


class PositionView(msgspec.Struct, frozen=True):
    """What a party owes or is owed. `net = credit - debit - fee`; above zero it is owed."""

    currency: str
    party: PartyKind
    member: MemberView
    debit_micros: int
    credit_micros: int
    fee_micros: int
    net_micros: int


class FlowView(msgspec.Struct, frozen=True):
    """A cell of the gross matrix: what `payer` owes `payee` for one sort of reason."""

    currency: str
    payer_party: PartyKind
    payer: MemberView
    payee_party: PartyKind
    payee: MemberView
    what: FlowKind
    amount_micros: int


class LegView(msgspec.Struct, frozen=True):
    """A payment of a settlement."""

    id: UUID
    reference: str
    member: MemberView
    counterparty: MemberView | None
    """The creditor of a bilateral leg."""
    currency: str
    direction: Direction
    net_micros: int
    """Below zero the member pays."""
    amount_minor: int
    """In the smallest unit of the currency, rounded once, half to even."""
    remainder_micros: int
    """What rounding left on the rounding account, signed as the net."""
    status: LegStatus
    rail: str | None
    rail_reference: str
    due_on: date
    booked_on: date | None
    replaces: UUID | None
    """The failed leg that this one pays again, or stands for."""
    reason: str


class EventView(msgspec.Struct, frozen=True):
    """A change of a status."""

    before: str | None
    after: str
    actor: str
    note: str
    at: datetime


class SettlementDetail(msgspec.Struct, frozen=True):
    """A settlement, whole."""

    settlement: SettlementView
    positions: list[PositionView]
    legs: list[LegView]
    history: list[EventView]


class Settlements(msgspec.Struct, frozen=True):
    """All settlements, newest first."""

    settlements: list[SettlementView]


class Matrix(msgspec.Struct, frozen=True):
    """Who owes whom, gross."""

    reference: str
    flows: list[FlowView]


class LegHistory(msgspec.Struct, frozen=True):
    """A leg and what became of it."""

    leg: LegView
    history: list[EventView]


class FileView(msgspec.Struct, frozen=True):
    """A file that was made for a bank."""

    id: UUID
    name: str
    media_type: str
    sha256: str
    size_bytes: int
    rail: str
    legs: list[str]
    """References of the legs it pays."""
    made_at: datetime


class Files(msgspec.Struct, frozen=True):
    """Files of a settlement, oldest first."""

    files: list[FileView]


class RemadeView(msgspec.Struct, frozen=True):
    """A file made again from what was kept."""

    name: str
    batch: str
    sha256: str
    same: bool


class FileCheck(msgspec.Struct, frozen=True):
    """Whether files made again are the same to the byte."""

    same: bool
    files: list[RemadeView]


class AccountView(msgspec.Struct, frozen=True):
    """Where a member pays from and is paid to."""

    id: UUID
    member: MemberView
    currency: str
    rail: str
    account: dict[str, Any]
    status: PayAccountStatus
    made_by: str
    made_at: datetime
    approved_by: str | None


class Accounts(msgspec.Struct, frozen=True):
    """Accounts, newest first."""

    accounts: list[AccountView]


class CapView(msgspec.Struct, frozen=True):
    """How much of its cap a member uses."""

    member: MemberView
    currency: str
    used_micros: int
    cap_micros: int
    """With what it has paid ahead."""
    alarming: bool


class PrefundView(msgspec.Struct, frozen=True):
    """What a member has paid ahead."""

    member: MemberView
    currency: str
    prefunded_micros: int


class Caps(msgspec.Struct, frozen=True):
    """Capped members and money paid ahead."""

    caps: list[CapView]
    prefunds: list[PrefundView]
