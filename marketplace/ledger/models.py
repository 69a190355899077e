"""Tables of the ledger.

Hot tables carry no foreign keys (`marketplace ledger verify` proves what they would) and every
primary key and unique constraint holds the distribution column `wallet_id`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.coalition.domain import Funding
from marketplace.ledger.domain import Account, DrawKind, ObligationKind, TransferCode, WindowStatus
from marketplace.models import INSERT_ONLY, Base, text_enum, utc_timestamp

FOREVER = "infinity"
"""`expires_at` of a lot that never expires, so that ordering by expiry needs no special case."""

HOT = {"fillfactor": 70}

OWN_TXID = "(pg_current_xact_id()::text::bigint)"
"""Number of the transaction that writes a row: what running totals count by. A bigint, for BRIN
indexes cannot hold an xid8."""
TXID_BRIN = {"autosummarize": "on", "pages_per_range": "32"}


class Wallet(Base):
    """Balance row of a participant (or of a firm's pool).

    `version` changes with everything that changes what may be burnt (available points and lots);
    the burn engine checks it. Captures only lower `held` and leave it alone.
    """

    __tablename__ = "wallet"
    __table_args__ = (
        sa.CheckConstraint("available >= 0", name="available_is_not_negative"),
        sa.CheckConstraint("held >= 0", name="held_is_not_negative"),
        sa.CheckConstraint("num_nonnulls(participant_id, firm_id) = 1", name="has_one_owner"),
        sa.Index("ix_wallet_participant_id", "participant_id"),
        sa.Index("ix_wallet_firm_id", "firm_id"),
        {"postgresql_with": HOT},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    participant_id: Mapped[UUID | None]
    firm_id: Mapped[UUID | None]
    """Owner of a pooled wallet; null for a participant's own."""
    sponsor_id: Mapped[UUID | None]
    """The sponsor of the owner's firm, copied here for the burn engine."""
    available: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    held: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    version: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    last_hold_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    """The transfer of its latest burn; the others follow from there."""


class Lot(Base):
    """Points of one issue: knows its issuer, contract, price and expiry. `remaining` is mutable."""

    __tablename__ = "lot"
    __table_args__ = (
        sa.CheckConstraint("remaining between 0 and points", name="remaining_is_within"),
        sa.CheckConstraint("open = (remaining > 0)", name="open_means_points_left"),
        sa.CheckConstraint(
            "pooled_price_micros between 0 and price_micros", name="pooled_is_within_price"
        ),
        sa.UniqueConstraint("issuer_id", "reference", "wallet_id"),
        # The draw order. `open` changes only when a lot empties, so other updates stay HOT.
        sa.Index(
            "ix_lot_draw_order",
            "wallet_id",
            "expires_at",
            "effective_at",
            "id",
            postgresql_where="open",
        ),
        sa.Index(
            "ix_lot_to_expire", "expires_at", postgresql_where="open and expires_at < 'infinity'"
        ),
        {"postgresql_with": HOT},
    )

    wallet_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    issuer_id: Mapped[UUID]
    contract_id: Mapped[UUID]
    reference: Mapped[str]
    """The issuer's reference of the issuance; unique per issuer."""
    points: Mapped[int] = mapped_column(sa.BigInteger)
    remaining: Mapped[int] = mapped_column(sa.BigInteger)
    open: Mapped[bool]
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    price_micros: Mapped[int] = mapped_column(sa.BigInteger)
    pooled_price_micros: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    """The part of the price that was paid into the pool at issue: nothing, all, or a share."""
    funding: Mapped[Funding] = mapped_column(text_enum(Funding, "funding"))
    effective_at: Mapped[datetime] = mapped_column(utc_timestamp())
    expires_at: Mapped[datetime] = mapped_column(utc_timestamp(), server_default=FOREVER)
    posted_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class Draw(Base):
    """Points a burn took from a lot, or gave back to it.

    A burn's points are numbered from 0 in draw order; a draw covers `position` to
    `position + points`. Restores cover the same numbers, so what each point cost is exact.
    """

    __tablename__ = "draw"
    __table_args__ = (
        # The burn first: burns are made in order of time, so new draws go to the end of the index.
        sa.PrimaryKeyConstraint("burn_id", "id", "wallet_id"),
        sa.CheckConstraint("points > 0", name="points_are_positive"),
        {"info": INSERT_ONLY},
    )

    wallet_id: Mapped[UUID]
    burn_id: Mapped[UUID]
    id: Mapped[int] = mapped_column(sa.BigInteger, autoincrement=False)
    lot_id: Mapped[int] = mapped_column(sa.BigInteger)
    issuer_id: Mapped[UUID]
    kind: Mapped[DrawKind] = mapped_column(text_enum(DrawKind, "draw_kind"))
    position: Mapped[int] = mapped_column(sa.BigInteger)
    points: Mapped[int] = mapped_column(sa.BigInteger)
    effective_at: Mapped[datetime] = mapped_column(utc_timestamp())
    posted_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class Transfer(Base):
    """Moves `amount` of one unit from the account debited to the account credited."""

    __tablename__ = "transfer"
    __table_args__ = (
        sa.CheckConstraint("amount > 0", name="amount_is_positive"),
        sa.CheckConstraint("num_nonnulls(burn_id, lot_id, debt_id) = 1", name="has_one_event"),
        # In order of time: new rows go to the end of the index, whatever their wallet.
        sa.PrimaryKeyConstraint("id", "wallet_id"),
        sa.Index("ix_transfer_posted_at", "posted_at", postgresql_using="brin"),
        # Points transfers of a wallet that `previous_hold_id` does not lead to.
        sa.Index(
            "ix_transfer_of_wallet",
            "wallet_id",
            "id",
            postgresql_where="previous_hold_id is null and unit = 'POINTS'",
        ),
        {"info": INSERT_ONLY},
    )

    wallet_id: Mapped[UUID]
    """The wallet whose event this is; also for money transfers (distribution column).

    Of a debt between members, which no wallet has to do with: the debtor's id."""
    id: Mapped[int] = mapped_column(sa.BigInteger, autoincrement=False)
    code: Mapped[TransferCode] = mapped_column(text_enum(TransferCode, "transfer_code"))
    debit_account: Mapped[Account] = mapped_column(text_enum(Account, "account"))
    debit_owner: Mapped[UUID]
    credit_account: Mapped[Account] = mapped_column(text_enum(Account, "account"))
    credit_owner: Mapped[UUID]
    unit: Mapped[str]
    amount: Mapped[int] = mapped_column(sa.BigInteger)
    burn_id: Mapped[UUID | None]
    lot_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    """The lot of an issue or expiry."""
    debt_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    """What one member owes another outside burns."""
    window_id: Mapped[UUID | None]
    """The settlement window of a money transfer."""
    previous_hold_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    """Of a hold: the hold before it of the same wallet, 0 where it is the first that knows (see
    `by_wallet.py`). Null for everything else, and for holds made before there was this column."""
    effective_at: Mapped[datetime] = mapped_column(utc_timestamp())
    posted_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class SettlementWindow(Base):
    """A settlement window. Captures and refunds write into the one that is open."""

    __tablename__ = "settlement_window"
    __table_args__ = (
        sa.Index(
            "uq_settlement_window_one_open",
            "status",
            unique=True,
            postgresql_where="status = 'open'",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[WindowStatus] = mapped_column(text_enum(WindowStatus, "window_status"))
    opened_at: Mapped[datetime] = mapped_column(utc_timestamp())
    closed_at: Mapped[datetime | None] = mapped_column(utc_timestamp())


class Obligation(Base):
    """Money that one draw (or issuance, refund, expiry) makes members owe each other.

    `funded_micros` leaves the payer (the issuer, or its pool when funded at issuance);
    `cost_micros` of it goes to the acceptor; the rest is the operator's. Refunds are negative.
    """

    __tablename__ = "obligation"
    __table_args__ = (
        # In order of time, as transfers are; burns are captured nearly in the order of their ids.
        sa.PrimaryKeyConstraint("id", "wallet_id"),
        sa.Index("ix_obligation_burn_id", "burn_id", postgresql_where="burn_id is not null"),
        sa.Index("ix_obligation_posted_at", "posted_at", postgresql_using="brin"),
        sa.Index("ix_obligation_txid", "txid", postgresql_using="brin", postgresql_with=TXID_BRIN),
        {"info": INSERT_ONLY},
    )

    wallet_id: Mapped[UUID]
    id: Mapped[int] = mapped_column(sa.BigInteger, autoincrement=False)
    window_id: Mapped[UUID]
    kind: Mapped[ObligationKind] = mapped_column(text_enum(ObligationKind, "obligation_kind"))
    funding: Mapped[Funding] = mapped_column(text_enum(Funding, "funding"))
    """Who pays: the issuer (redemption) or its pool (issuance). Never `mixed`: points of a mixed
    lot make one obligation of each, both naming the same points."""
    issuer_id: Mapped[UUID]
    acceptor_id: Mapped[UUID | None]
    """Who `cost_micros` goes to; the issuer itself where breakage is its own."""
    contract_id: Mapped[UUID]
    """The issuer's, of the lot."""
    acceptor_contract_id: Mapped[UUID | None]
    """The acceptor's, in force when the burn was captured; a refund has its capture's."""
    burn_id: Mapped[UUID | None]
    lot_id: Mapped[int] = mapped_column(sa.BigInteger)
    points: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    funded_micros: Mapped[int] = mapped_column(sa.BigInteger)
    cost_micros: Mapped[int] = mapped_column(sa.BigInteger)
    effective_at: Mapped[datetime] = mapped_column(utc_timestamp())
    posted_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
    txid: Mapped[int] = mapped_column(sa.BigInteger, server_default=sa.text(OWN_TXID))


class MemberDebt(Base):
    """Money that one member owes another outside burns, as a plugin booked it.

    A contra is negative and undoes one earlier debt whole; a debt is undone once at most.
    """

    __tablename__ = "member_debt"
    __table_args__ = (
        sa.UniqueConstraint("plugin", "reference"),
        sa.UniqueConstraint("undoes_id"),
        sa.CheckConstraint("debtor_id <> creditor_id", name="has_two_sides"),
        sa.CheckConstraint(
            "(amount_micros > 0) = (undoes_id is null) and amount_micros <> 0",
            name="only_contras_are_negative",
        ),
        sa.Index("ix_member_debt_posted_at", "posted_at", postgresql_using="brin"),
        sa.Index("ix_member_debt_txid", "txid", postgresql_using="brin", postgresql_with=TXID_BRIN),
        {"info": INSERT_ONLY},
    )

    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    plugin: Mapped[str]
    reference: Mapped[str]
    """The plugin's own: its idempotency key."""
    undoes_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    window_id: Mapped[UUID]
    debtor_id: Mapped[UUID]
    creditor_id: Mapped[UUID]
    amount_micros: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    reason: Mapped[str]
    effective_at: Mapped[datetime] = mapped_column(utc_timestamp())
    posted_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
    txid: Mapped[int] = mapped_column(sa.BigInteger, server_default=sa.text(OWN_TXID))


TOTAL_KEY: Final = (
    "window_id",
    "currency",
    "kind",
    "funding",
    "issuer_id",
    "acceptor_id",
    "contract_id",
    "acceptor_contract_id",
)
"""What the rows that one total counts have in common."""


class WindowTotal(Base):
    """Obligations and debts of a window, summed by what they have in common; see `totals.py`.

    Of a debt between members the debtor is the issuer, the creditor the acceptor, and its amount
    both what is funded and what it costs. The sums are numeric: they may pass 2^63.
    """

    __tablename__ = "window_total"
    __table_args__ = (
        sa.UniqueConstraint(
            *TOTAL_KEY, name="uq_window_total_key", postgresql_nulls_not_distinct=True
        ),
        # A close may change every total at once: there is room for each of them on its page.
        {"postgresql_with": {"fillfactor": 45}},
    )
    __mapper_args__ = {"primary_key": TOTAL_KEY}  # noqa: RUF012 - read by SQLAlchemy

    window_id: Mapped[UUID]
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    kind: Mapped[str]
    """An `ObligationKind`, or `debt`."""
    funding: Mapped[Funding | None] = mapped_column(text_enum(Funding, "funding"))
    issuer_id: Mapped[UUID]
    acceptor_id: Mapped[UUID | None]
    contract_id: Mapped[UUID | None]
    acceptor_contract_id: Mapped[UUID | None]
    count: Mapped[int] = mapped_column(sa.BigInteger)
    points: Mapped[Decimal]
    funded_micros: Mapped[Decimal]
    cost_micros: Mapped[Decimal]
    first_txid: Mapped[int] = mapped_column(sa.BigInteger)
    last_txid: Mapped[int] = mapped_column(sa.BigInteger)
    """The rows that it counts are among those of transactions `first_txid` to `last_txid`."""


class WindowTotalMark(Base):
    """One row: how far the totals have counted. Whoever counts locks it.

    They hold every row of a window that is over, and of the open one those of transactions below
    `watermark` and those posted until `rebuilt_at`.
    """

    __tablename__ = "window_total_mark"
    __table_args__ = (sa.CheckConstraint("id = 1", name="mark_is_one_row"),)

    id: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    watermark: Mapped[int] = mapped_column(sa.BigInteger)
    rebuilt_at: Mapped[datetime] = mapped_column(utc_timestamp(), server_default="-infinity")
    """When the last of the rows was posted that were there at the last count from scratch, from
    which on transactions are numbered anew."""
    system_identifier: Mapped[int | None] = mapped_column(sa.BigInteger)
    """The database cluster whose transactions are numbered; null before the first count."""
    rolled_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
    """Real time of the last count."""


class PeriodLock(Base):
    """A change of the moment before which nothing may be dated; the latest row counts."""

    __tablename__ = "period_lock"
    __table_args__ = ({"info": INSERT_ONLY},)

    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    locked_until: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """Exclusive; null: nothing is locked any more."""
    actor: Mapped[str]
    reason: Mapped[str]
    """Why it was unlocked; may be empty where it was locked."""
    at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class Exposure(Base):
    """What a capped issuer owes for held and unsettled burns, in micros of its contract's currency.

    Only issuers that have ever had a cap have a row, so uncapped issuers cost a burn nothing.
    """

    __tablename__ = "exposure"
    __table_args__ = (
        sa.CheckConstraint("prefunded_micros >= 0", name="prefunded_is_not_negative"),
        {"postgresql_with": {"fillfactor": 20}},
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    used_micros: Mapped[int] = mapped_column(sa.BigInteger)
    prefunded_micros: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    """Money the member has paid ahead: it may owe that much more than its contract's cap."""
