"""What is kept of each leg: written before it is sent, so that nothing is ever sent unknown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.api import Direction, Leg
from marketplace_stripe.accounts import Account
from marketplace_stripe.models import payment

SETTLED_S: Final = 600
"""Seconds after which nothing that was sent can still be on its way to Stripe."""
NOW: Final = sa.func.clock_timestamp()
COLUMNS: Final = (
    payment.c.reference,
    payment.c.direction,
    payment.c.amount_minor,
    payment.c.currency,
    payment.c.party,
    payment.c.tries,
    payment.c.first_sent_at,
    payment.c.sent_at > NOW - timedelta(seconds=SETTLED_S),
    payment.c.object_id,
)


class Payment(msgspec.Struct, frozen=True):
    """A leg that was sent, or was about to be."""

    reference: str
    direction: Direction
    amount_minor: int
    currency: str
    party: str
    """The customer that is charged, or the connected account that is paid."""
    tries: int
    """Numbers the keys: another one only after proof that the one before moved nothing."""
    first_sent_at: datetime
    fresh: bool
    """It was sent so lately that it may still be on its way."""
    object_id: str | None
    """What it is at Stripe: pi_ or tr_; None until that is known."""

    @property
    def key(self) -> str:
        """The idempotency key of the request."""
        return f"leg-{self.reference}-{self.tries}"

    def differs(self, leg: Leg) -> str:
        """In what a leg is not the one that was sent; empty where it is."""
        if self.direction is not leg.direction:
            return f"it was sent to {self.direction} the money"
        if (self.amount_minor, self.currency) != (leg.amount_minor, leg.currency):
            return f"it was sent with {self.amount_minor} {self.currency} in smallest units"
        return ""


def known(session: Session, references: Sequence[str]) -> dict[str, Payment]:
    """Legs that were sent, by reference."""
    rows = session.execute(sa.select(*COLUMNS).where(payment.c.reference.in_(references)))
    return {row[0]: Payment(row[0], Direction(row[1]), *row[2:]) for row in rows}


def begin(session: Session, leg: Leg) -> tuple[Payment, bool]:
    """Note that a leg is being sent, and whether this is the first time."""
    row = {
        "reference": leg.reference,
        "direction": leg.direction.value,
        "amount_minor": leg.amount_minor,
        "currency": leg.currency,
        "party": party_of(leg.account, leg.direction),
    }
    made = insert(payment).values(row).on_conflict_do_nothing().returning(payment.c.reference)
    first = session.execute(made).first() is not None
    return known(session, [leg.reference])[leg.reference], first


def party_of(account: Account, direction: Direction) -> str:
    """Whom Stripe charges or pays."""
    return account.customer if direction is Direction.COLLECT else account.connected


def sent_again(session: Session, sent: Payment) -> None:
    """It is being sent once more, under the same key."""
    session.execute(
        sa.update(payment).where(payment.c.reference == sent.reference).values(sent_at=NOW)
    )


def found(session: Session, reference: str, object_id: str, state: str, reason: str) -> None:
    """What a leg is at Stripe, and how that stands."""
    session.execute(
        sa.update(payment)
        .where(
            payment.c.reference == reference,
            sa.or_(payment.c.object_id.is_(None), payment.c.object_id == object_id),
        )
        .values(object_id=object_id, state=state, reason=reason, seen_at=NOW)
    )


def proved_absent(session: Session, sent: Payment, reason: str) -> None:
    """What was sent under this key moved nothing and never will: the next one has a new key."""
    session.execute(
        sa.update(payment)
        .where(
            payment.c.reference == sent.reference,
            payment.c.tries == sent.tries,
            payment.c.object_id.is_(None),
        )
        .values(tries=sent.tries + 1, state="not sent", reason=reason, seen_at=NOW)
    )


def references_of(session: Session, object_ids: Sequence[str]) -> list[str]:
    """Legs that are these objects at Stripe."""
    rows = session.scalars(
        sa.select(payment.c.reference).where(payment.c.object_id.in_(object_ids))
    )
    return list(rows)
