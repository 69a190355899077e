"""What a supplier is asked and answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeAlias, runtime_checkable
from uuid import UUID

import msgspec


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One burn to deliver. `reference` is ours, stable over every try: your idempotency key."""

    reference: str
    """The burn's id; the same for every attempt and look-up."""
    offer_reference: str
    sku: str
    """Your own name for the thing."""
    quantity: int
    points: int
    """Points of the whole burn."""
    cost_micros: int
    """What you are paid for the whole burn, in micros of `currency`."""
    currency: str
    """ISO 4217."""
    attempt: int
    """1 for the first try."""
    acceptor_id: UUID
    """The member that is paid: its settings apply (`Host.member_settings`)."""
    sandbox: bool = False
    """A trial order: nobody pays for it, and it must deliver nothing of value. Sent only to a
    supplier with an attribute `takes_trials = True`; use the member's sandbox settings:
    `host.member_settings(order.acceptor_id, sandbox=order.sandbox)`."""
    selection: str | None = None
    """What was chosen with you before the burn, as you named it: letters, digits, `_` and `-`, 64
    at most. Whoever burns may send anything, so it must be one that you gave, hard to guess, and
    for this sku and quantity. Since 1.2."""


class Artefact(msgspec.Struct, frozen=True, kw_only=True):
    """What the participant gets. `secret` is encrypted at rest and every reveal is audited."""

    kind: str
    """`code`, `ticket`, `link` or `receipt`."""
    label: str
    """Shown in clear, e.g. the name of the certificate."""
    secret: str
    expires_at: datetime | None = None


class Fulfilled(msgspec.Struct, frozen=True, kw_only=True, tag="fulfilled"):
    """Delivered: the points are captured. One artefact per unit, or none."""

    reference: str
    supplier_reference: str
    """Your id of the order."""
    artefacts: tuple[Artefact, ...] = ()


class Pending(msgspec.Struct, frozen=True, kw_only=True, tag="pending"):
    """Accepted, not delivered yet: we ask `lookup` again after `after_s` seconds."""

    reference: str
    after_s: int = 60


class Rejected(msgspec.Struct, frozen=True, kw_only=True, tag="rejected"):
    """Refused for good, and nothing was delivered: the burn is voided, the points go back."""

    reference: str
    reason: str
    """Words the participant may read."""


class Retry(msgspec.Struct, frozen=True, kw_only=True, tag="retry"):
    """Certainly not taken, but worth another try after `after_s` seconds."""

    reference: str
    reason: str
    after_s: int = 30


class Unknown(msgspec.Struct, frozen=True, kw_only=True, tag="unknown"):
    """You cannot tell. Points stay held and we ask `lookup`; nothing is voided or ordered again."""

    reference: str
    reason: str
    after_s: int = 30


class NeverOrdered(msgspec.Struct, frozen=True, kw_only=True, tag="never_ordered"):
    """Answer of `lookup` only: proof that no such order exists, so it may be ordered (again)."""

    reference: str


Outcome: TypeAlias = Fulfilled | Pending | Rejected | Retry | Unknown | NeverOrdered


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the supplier is doing, for the health page."""

    ok: bool
    message: str = ""


@runtime_checkable
class Supplier(Protocol):
    """Delivers rewards. Called in a worker, outside any transaction, under a time limit."""

    slug: str
    """The plugin's slug; offers name it in `plugin`."""

    def fulfil(self, orders: Sequence[Order]) -> Sequence[Outcome]:
        """Deliver up to 200 orders; one outcome per order, in any order.

        Must be idempotent by `Order.reference`: a second call with a reference already delivered
        answers the same `Fulfilled`. An order left unanswered, or a raise, counts as unknown.
        """
        ...

    def lookup(self, orders: Sequence[Order]) -> Sequence[Outcome]:
        """Say what became of orders you may have seen; never delivers anything new."""
        ...

    def health(self) -> Health:
        """A quick check, a second at most."""
        ...


@runtime_checkable
class MemberHealth(Protocol):
    """A supplier that can also tell how it is doing for one member; write it beside `health`."""

    def member_health(self, member_id: UUID, *, sandbox: bool) -> Health:
        """Whether this member's settings work: asked before the plugin is enabled for it.

        `Host.member_settings` answers what is being tried, in the thread of this call. A second at
        most; nothing is ordered.
        """
        ...
