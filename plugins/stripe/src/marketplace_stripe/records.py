"""What is kept of each leg: written before it is sent, so that nothing is ever sent unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.api import Direction
from marketplace_stripe.accounts import Account
from marketplace_stripe.models import payment
from marketplace_stripe.parts import Part

SETTLED_S: Final = 600
"""Seconds after which nothing that was sent can still be on its way to Stripe."""
NOT_SENT: Final = "not sent"
"""State of a leg of which it is proved that Stripe has nothing."""
MOVED: Final = frozenset({"succeeded", "partly taken back", "taken back"})
"""States of a payment intent whose leg was said to be booked."""
PART: Final = "part"
"""Name in metadata at Stripe of which part of a leg something is."""
IDS: Final = {Direction.COLLECT: "pi_", Direction.PAY: "tr_"}
"""How ids of what is made begin."""
NOW: Final = sa.func.clock_timestamp()
COLUMNS: Final = (
    payment.c.reference,
    payment.c.direction,
    payment.c.amount_minor,
    payment.c.currency,
    payment.c.party,
    payment.c.account,
    payment.c.tries,
    payment.c.first_sent_at,
    payment.c.sent_at > NOW - timedelta(seconds=SETTLED_S),
    payment.c.object_id,
    payment.c.state,
    payment.c.part,
    payment.c.parts,
)


class Payment(msgspec.Struct, frozen=True):
    """A leg, or a part of one, that was sent or was about to be."""

    reference: str
    direction: Direction
    amount_minor: int
    currency: str
    party: str
    """The customer that is charged, or the connected account that is paid."""
    account: str | None
    """The platform's account that it was sent from; None: before that was kept."""
    tries: int
    """Numbers the keys: another one only after proof that the one before moved nothing."""
    first_sent_at: datetime
    fresh: bool
    """It was sent so lately that it may still be on its way."""
    object_id: str | None
    """What it is at Stripe: pi_ or tr_; None until that is known."""
    state: str = ""
    """How it stood when Stripe was last asked."""
    part: int = 1
    parts: int = 1

    @property
    def key(self) -> str:
        """The idempotency key of the request."""
        part = f"-{self.part}of{self.parts}" if self.parts > 1 else ""
        return f"leg-{self.reference}{part}-{self.tries}"

    @property
    def label(self) -> str:
        """See `Part.label`."""
        return f"{self.part}/{self.parts}" if self.parts > 1 else ""

    @property
    def metadata(self) -> dict[str, str]:
        """By which it is known at Stripe."""
        part = {PART: self.label} if self.label else {}
        return {"reference": self.reference, **part}

    @property
    def here(self) -> Any:
        """The row it is kept in."""
        return sa.and_(payment.c.reference == self.reference, payment.c.part == self.part)

    @property
    def absent(self) -> bool:
        """Whether it is proved that nothing of it is at Stripe, or on its way there."""
        return self.object_id is None and (self.state == NOT_SENT or not self.fresh)

    def is_named_by(self, there: Any) -> bool:
        """Whether an object in a list of Stripe's is this leg; the list may not be narrowed."""
        said = dict_of(getattr(there, "metadata", None))
        named = said.get("reference") or getattr(there, "transfer_group", None)
        if named is not None and named != self.reference:
            return False
        if named is not None and PART in said:
            return said[PART] == self.label
        # One that says nothing of itself is rather ours than sent a second time.
        return (named is not None and not self.label) or there.amount == self.amount_minor

    def elsewhere(self, account: str) -> str:
        """Why nothing can be said of it with a key of this account, where it was sent from another:
        that one's lists are not seen. Empty where something can."""
        proved = self.object_id is None and self.state == NOT_SENT
        if self.account in (None, account) or proved:
            return ""
        return (
            f"it was sent from the Stripe account {self.account}, and the key is of {account} now; "
            f"put a key of {self.account} back until it is known what became of it"
        )

    def alien(self, there: Any) -> str:
        """Why an object of Stripe's is not this leg; empty where it is."""
        begins = IDS[self.direction]
        if not isinstance(there.id, str) or not there.id.startswith(begins):
            return f"Stripe answers with something whose id does not begin with {begins}"
        if self.object_id not in (None, there.id):
            return f"Stripe answers with {there.id} when asked for {self.object_id}"
        named = dict_of(getattr(there, "metadata", None)).get("reference", self.reference)
        if named != self.reference:
            return f"Stripe answers with {there.id}, which is of leg {named}"
        part = dict_of(getattr(there, "metadata", None)).get(PART, self.label)
        if part != self.label:
            return f"Stripe answers with {there.id}, which is part {part} of the leg"
        return ""

    def differs(self, leg: Part) -> str:
        """In what a leg is not the one that was sent; empty where it is."""
        if self.direction is not leg.direction:
            return f"it was sent to {self.direction} the money"
        if (self.amount_minor, self.currency) != (leg.amount_minor, leg.currency):
            return f"it was sent with {self.amount_minor} {self.currency} in smallest units"
        if self.party != party_of(leg.account, leg.direction) and self.state != NOT_SENT:
            return f"it was sent to {self.party}"
        return ""


def known(session: Session, references: Sequence[str]) -> dict[str, dict[int, Payment]]:
    """Legs that were sent: their parts by number, by reference."""
    rows = session.execute(sa.select(*COLUMNS).where(payment.c.reference.in_(references)))
    found: dict[str, dict[int, Payment]] = {}
    for row in rows:
        sent = Payment(row[0], Direction(row[1]), *row[2:])
        found.setdefault(sent.reference, {})[sent.part] = sent
    return found


def begin(session: Session, leg: Part, account: str) -> tuple[Payment, bool]:
    """Note that a leg is being sent from this account, and whether this is the first time."""
    row = {
        "reference": leg.reference,
        "direction": leg.direction.value,
        "amount_minor": leg.amount_minor,
        "currency": leg.currency,
        "party": party_of(leg.account, leg.direction),
        "account": account,
        "part": leg.number,
        "parts": leg.of,
    }
    made = insert(payment).values(row).on_conflict_do_nothing().returning(payment.c.reference)
    first = session.execute(made).first() is not None
    return known(session, [leg.reference])[leg.reference][leg.number], first


def party_of(account: Account, direction: Direction) -> str:
    """Whom Stripe charges or pays."""
    return account.customer if direction is Direction.COLLECT else account.connected


def sent_again(session: Session, sent: Payment, leg: Part, account: str) -> Payment:
    """It is being sent once more, under the same key; `sent` as it is then."""
    party = party_of(leg.account, leg.direction)
    session.execute(
        sa.update(payment)
        .where(sent.here)
        .values(sent_at=NOW, party=party, account=account, state="")
    )
    return msgspec.structs.replace(sent, party=party, account=account)


def found(session: Session, sent: Payment, object_id: str, state: str, reason: str) -> None:
    """What a leg is at Stripe, and how that stands."""
    session.execute(
        sa.update(payment)
        .where(
            sent.here,
            sa.or_(payment.c.object_id.is_(None), payment.c.object_id == object_id),
        )
        .values(object_id=object_id, state=state, reason=reason, seen_at=NOW)
    )


def proved_absent(session: Session, sent: Payment, reason: str, *, key_spent: bool = True) -> None:
    """What was sent under this key moved nothing and never will; the next one has a new key where
    Stripe keeps its answer.
    """
    session.execute(
        sa.update(payment)
        .where(
            sent.here,
            payment.c.tries == sent.tries,
            payment.c.object_id.is_(None),
        )
        .values(tries=sent.tries + key_spent, state=NOT_SENT, reason=reason, seen_at=NOW)
    )


def references_of(session: Session, object_ids: Sequence[str]) -> dict[str, str]:
    """Legs that are these objects at Stripe, by object."""
    rows = session.execute(
        sa.select(payment.c.object_id, payment.c.reference).where(
            payment.c.object_id.in_(object_ids)
        )
    )
    return {row.object_id: row.reference for row in rows}


def dict_of(found: Any) -> Mapping[str, str]:
    """A mapping of Stripe's as one of ours."""
    if not found:
        return {}
    if isinstance(found, Mapping):
        return found
    # What is no mapping says nothing.
    return found.to_dict() if hasattr(found, "to_dict") else {}
