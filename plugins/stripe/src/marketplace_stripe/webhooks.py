"""What Stripe sends: its signature is checked, it is stored, and legs are asked about.

An event is never applied: it may be old, doubled or out of order. It names objects, and what they
are now is what Stripe answers when it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
import stripe
from sqlalchemy.dialects.postgresql import insert

from marketplace.api import BadSignature, Host, InvalidRequest
from marketplace_stripe import records
from marketplace_stripe.models import account, event
from marketplace_stripe.settings import House

TOLERANCE_S: Final = 300
LONGEST_ID: Final = 255
HEADER: Final = "stripe-signature"


class Data(msgspec.Struct, frozen=True):
    """What an event is about, as it was then."""

    object: dict[str, Any] = {}


class Event(msgspec.Struct, frozen=True):
    """The parts of an event that are read; thin ones name their object and do not show it."""

    id: str
    type: str
    created: int | datetime
    livemode: bool
    data: Data | None = None
    related_object: dict[str, Any] | None = None
    account: str | None = None
    """The connected account that it happened on."""

    @property
    def about(self) -> dict[str, Any]:
        """Its object, or what is said of that."""
        return (self.data.object if self.data else {}) or self.related_object or {}

    @property
    def happened_at(self) -> datetime:
        """Raises ValueError, OverflowError and OSError where that is no time."""
        if isinstance(self.created, datetime):
            return self.created.astimezone(UTC)
        return datetime.fromtimestamp(self.created, UTC)


class Noted(msgspec.Struct, frozen=True):
    """The answer to Stripe."""

    new: bool
    """False: the event came before, or is of another mode's connected accounts."""


def take(host: Host, body: bytes, signature: str) -> Noted:
    """Keep an event and have legs asked about. BadSignature, InvalidRequest."""
    house: House = host.settings()
    if not any(_fits(body, signature, key) for key in house.webhook_keys):
        raise BadSignature("No webhook secret fits, or the time is more than five minutes off.")
    try:
        found = msgspec.json.decode(body, type=Event)
        moment = found.happened_at
    except (msgspec.MsgspecError, ValueError, OverflowError, OSError, RecursionError) as error:
        raise InvalidRequest(f"This is no event of Stripe's: {error}") from None
    if found.data is None and found.related_object is None:
        raise InvalidRequest("This is no event of Stripe's: it is about nothing.")
    if found.livemode is not house.live and found.account:
        # A live webhook of connected accounts is sent events of both modes; refused ones would be
        # sent again for days, and the webhook disabled.
        return Noted(new=False)
    if found.livemode is not house.live:
        mode = "live" if house.live else "test"
        raise InvalidRequest(f"The event is of the other mode; the key is a {mode} key.")
    if not 0 < len(found.id) <= LONGEST_ID or "\x00" in found.id + found.type:
        raise InvalidRequest("The event has no id.")
    return Noted(new=_keep(host, found, moment, body))


def _fits(body: bytes, signature: str, key: str) -> bool:
    try:
        text = body.decode()
        stripe.WebhookSignature.verify_header(text, signature, key, TOLERANCE_S)
    except (stripe.SignatureVerificationError, TypeError, ValueError):
        # TypeError: a header that is not ASCII.
        return False
    return True


def _keep(host: Host, found: Event, moment: datetime, body: bytes) -> bool:
    ids = [each for each in _ids(found) if "\x00" not in each]
    row = {
        "id": found.id,
        "type": found.type,
        "object_id": ids[0] if ids else "",
        "happened_at": moment,
        "body": host.encrypt(body.decode()),
    }
    with host.transaction() as session:
        made = insert(event).values(row).on_conflict_do_nothing().returning(event.c.id)
        if session.execute(made).first() is None:
            return False
        # Connected accounts are looked at by the next pass of the periodic task.
        session.execute(sa.update(account).where(account.c.id.in_(ids)).values(stale=True))
        told = set(records.references_of(session, ids).values())
        metadata = found.about.get("metadata")
        named = metadata.get("reference") if isinstance(metadata, dict) else None
        if isinstance(named, str) and "\x00" not in named:
            told.add(named)
        host.ask_about_legs(session, sorted(told))
    return True


def _ids(found: Event) -> Iterator[str]:
    """The object of an event and what it belongs to: a charge to its payment intent, what happened
    on a connected account to that."""
    about = found.about
    values = [about.get(name) for name in ("id", "payment_intent", "transfer", "account")]
    for value in (*values, found.account):
        if isinstance(value, dict):
            value = value.get("id")
        if isinstance(value, str) and 0 < len(value) <= LONGEST_ID:
            yield value
