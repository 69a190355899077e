"""Tables of the exchange: offers, burns and the keys their outcomes are remembered by."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.exchange.domain import BurnStatus, Cause, FulfilmentState, OfferStatus
from marketplace.ledger.models import HOT
from marketplace.models import INSERT_ONLY, Base, text_enum, utc_timestamp


class Offer(Base):
    """What the exchange can trade. `version` counts its changes (the engine caches by it)."""

    __tablename__ = "offer"
    __table_args__ = (
        sa.CheckConstraint("points > 0", name="points_are_positive"),
        sa.CheckConstraint("cost_micros >= 0", name="cost_is_not_negative"),
        sa.CheckConstraint("limit_per_wallet > 0", name="limit_is_positive"),
        sa.Index("ix_offer_acceptor_id", "acceptor_id"),
        sa.Index("ix_offer_plugin_sku", "plugin", "sku"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    """Reward kind: gift, voucher, seat, donation, or one a plugin registers."""
    name: Mapped[str]
    acceptor_id: Mapped[UUID] = mapped_column(sa.ForeignKey("member.id"))
    """The member that is paid for the reward."""
    plugin: Mapped[str]
    """Slug of the supplier that delivers it."""
    sku: Mapped[str]
    """The supplier's own name for the thing."""
    points: Mapped[int] = mapped_column(sa.BigInteger)
    cost_micros: Mapped[int] = mapped_column(sa.BigInteger)
    """What the acceptor is paid for one unit."""
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    limit_per_wallet: Mapped[int | None]
    """Units one wallet may hold or have had, voided and refunded ones excepted."""
    status: Mapped[OfferStatus] = mapped_column(text_enum(OfferStatus, "offer_status"))
    starts_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    ends_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    eligibility: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    """`marketplace.exchange.domain.Eligibility` as JSON."""
    closed: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """`marketplace.exchange.domain.Closed` as JSON: what its plugin's closures come to."""
    version: Mapped[int] = mapped_column(sa.BigInteger, server_default="1")


class PluginClosure(Base):
    """Why the offers of a plugin cannot be burnt on, for one acceptor or for all."""

    __tablename__ = "plugin_closure"
    __table_args__ = (
        sa.UniqueConstraint("plugin", "member_id", "cause", postgresql_nulls_not_distinct=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    plugin: Mapped[str]
    member_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("member.id"))
    """The acceptor whose offers it closes; null: everybody's."""
    cause: Mapped[Cause] = mapped_column(text_enum(Cause, "closure_cause"))
    words: Mapped[str]
    actor: Mapped[str]
    closed_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class OfferStock(Base):
    """Units left of an offer with limited stock; an offer without a row never sells out."""

    __tablename__ = "offer_stock"
    __table_args__ = (
        sa.CheckConstraint("remaining >= 0", name="remaining_is_not_negative"),
        {"postgresql_with": {"fillfactor": 20}},
    )

    offer_id: Mapped[UUID] = mapped_column(primary_key=True)
    remaining: Mapped[int] = mapped_column(sa.BigInteger)


class PricePromise(Base):
    """What a unit of an offer costs, whatever it costs others, for a burn that names a selection.

    `until` is business time; rows of long ago are deleted when others are made.
    """

    __tablename__ = "price_promise"
    __table_args__ = (
        sa.CheckConstraint("points > 0", name="points_are_positive"),
        sa.Index("ix_price_promise_until", "until"),
    )

    selection: Mapped[str] = mapped_column(primary_key=True)
    offer_id: Mapped[UUID] = mapped_column(primary_key=True)
    points: Mapped[int] = mapped_column(sa.BigInteger)
    cost_micros: Mapped[int] = mapped_column(sa.BigInteger)
    until: Mapped[datetime] = mapped_column(utc_timestamp())


class Burn(Base):
    """One request to burn points and what became of it; a held burn is its own outbox row."""

    __tablename__ = "burn"
    __table_args__ = (
        sa.CheckConstraint("quantity > 0", name="quantity_is_positive"),
        sa.CheckConstraint("refunded_points between 0 and points", name="refund_is_within"),
        sa.CheckConstraint(
            "(status = 'rejected') = (rejection is not null)", name="rejection_has_code"
        ),
        sa.Index("ix_burn_due", "due_at", postgresql_where="due_at is not null"),
        sa.Index("ix_burn_limit", "wallet_id", "offer_id", postgresql_where="limited"),
        # For the member that is paid. A burn that is held is not in it, so that burning does not
        # write it; those are found by `ix_burn_due`.
        sa.Index(
            "ix_burn_by_acceptor",
            "acceptor_id",
            "effective_at",
            "id",
            postgresql_where="status in ('captured', 'voided')",
        ),
        {"postgresql_with": HOT},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    wallet_id: Mapped[UUID] = mapped_column(primary_key=True)
    offer_id: Mapped[UUID]
    caller_id: Mapped[UUID]
    """The member or person that asked."""
    acceptor_id: Mapped[UUID | None]
    plugin: Mapped[str | None]
    quantity: Mapped[int]
    selection: Mapped[str | None]
    """What was chosen beforehand with the supplier, in its own words."""
    points: Mapped[int] = mapped_column(sa.BigInteger)
    cost_micros: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str | None] = mapped_column(sa.CHAR(3))
    limited: Mapped[bool]
    status: Mapped[BurnStatus] = mapped_column(text_enum(BurnStatus, "burn_status"))
    rejection: Mapped[str | None]
    """Error code of a rejected burn; `detail` is what the caller was told."""
    detail: Mapped[str | None]
    fulfilment: Mapped[FulfilmentState] = mapped_column(
        text_enum(FulfilmentState, "fulfilment_state")
    )
    attempts: Mapped[int] = mapped_column(sa.SmallInteger, server_default="0")
    refunded_points: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    effective_at: Mapped[datetime] = mapped_column(utc_timestamp())
    hold_until: Mapped[datetime | None] = mapped_column(utc_timestamp())
    due_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """When the relay next publishes it (real clock); null when nothing is due."""
    posted_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class IdempotencyKey(Base):
    """The first outcome of a caller's key. Distributed by its own caller, not by wallet."""

    __tablename__ = "idempotency_key"
    __table_args__ = ({"info": INSERT_ONLY},)

    caller_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    subject_id: Mapped[UUID]
    """The burn or refund the key made."""
    wallet_id: Mapped[UUID]
    posted_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class BurnResolution(Base):
    """How a held burn ended; at most one row per burn decides races."""

    __tablename__ = "burn_resolution"
    __table_args__ = ({"info": INSERT_ONLY},)

    burn_id: Mapped[UUID] = mapped_column(primary_key=True)
    wallet_id: Mapped[UUID] = mapped_column(primary_key=True)
    outcome: Mapped[BurnStatus] = mapped_column(text_enum(BurnStatus, "burn_status"))
    reason: Mapped[str]
    effective_at: Mapped[datetime] = mapped_column(utc_timestamp())
    posted_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class Refund(Base):
    """Points of a captured burn given back, in whole or in part."""

    __tablename__ = "refund"
    __table_args__ = (
        sa.CheckConstraint("points > 0", name="points_are_positive"),
        sa.Index("ix_refund_burn_id", "burn_id"),
        {"info": INSERT_ONLY},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    wallet_id: Mapped[UUID] = mapped_column(primary_key=True)
    burn_id: Mapped[UUID]
    caller_id: Mapped[UUID]
    points: Mapped[int] = mapped_column(sa.BigInteger)
    reason: Mapped[str]
    effective_at: Mapped[datetime] = mapped_column(utc_timestamp())
    posted_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class BurnGift(Base):
    """A reward given to a colleague: who may reveal it, while it is not undone.

    Changes nothing in the ledger: the points were the giver's, and a refund goes back to them.
    """

    __tablename__ = "burn_gift"
    __table_args__ = (
        sa.CheckConstraint("accepted_at is null or undone_at is null", name="ends_once"),
        sa.CheckConstraint("from_participant_id <> to_participant_id", name="is_for_somebody_else"),
        sa.Index(
            "uq_burn_gift_one_in_force",
            "burn_id",
            "wallet_id",
            unique=True,
            postgresql_where="undone_at is null",
        ),
        sa.Index("ix_burn_gift_from_participant_id", "from_participant_id", "id"),
        sa.Index("ix_burn_gift_to_participant_id", "to_participant_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    wallet_id: Mapped[UUID] = mapped_column(primary_key=True)
    """The giver's."""
    burn_id: Mapped[UUID]
    from_participant_id: Mapped[UUID]
    to_participant_id: Mapped[UUID]
    message: Mapped[str]
    """A line from the giver; may be empty."""
    given_at: Mapped[datetime] = mapped_column(utc_timestamp())
    accepted_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """When the colleague accepted or first revealed it; it cannot be undone any more."""
    undone_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """When the giver took it back, or the colleague declined."""


class OfferTally(Base):
    """Burns of an offer made in one hour, refused ones left out; counted behind a watermark."""

    __tablename__ = "offer_tally"

    offer_id: Mapped[UUID] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(utc_timestamp(), primary_key=True)
    burns: Mapped[int] = mapped_column(sa.BigInteger)
    units: Mapped[int] = mapped_column(sa.BigInteger)
    points: Mapped[int] = mapped_column(sa.BigInteger)


class OfferTallyMark(Base):
    """One row: burns with ids below `counted_to` are in the tally."""

    __tablename__ = "offer_tally_mark"
    __table_args__ = (sa.CheckConstraint("id = 1", name="mark_is_one_row"),)

    id: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    counted_to: Mapped[UUID]
