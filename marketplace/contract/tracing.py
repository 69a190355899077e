"""Where the money of a burn went after its capture, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Protocol, runtime_checkable
from uuid import UUID

import msgspec


class BurnStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step on the way of a burn's money to who is paid for it."""

    stage: str
    """`window`: it is in this settlement window; `disputed`: a dispute keeps it out of settlements;
    `settlement`: it is settled by this; `payout`: this payment goes to who is paid; `rejected`:
    this payment did not arrive; `refund`: what was refunded is taken off here; `adjusted`: a
    dispute was upheld, and who was paid gives it back here."""
    reference: str
    """Of the window, the settlement, or the payment as the bank knows it."""
    status: str
    """How far it is, in the word of whoever knows it."""
    at: datetime | None = None
    """When it got there, where that is known."""
    booked_on: date | None = None
    """The day on which the bank booked a payment."""
    points: int = 0
    """Points of the burn that this step is about; 0: not known."""
    undone_points: int = 0
    """Of `points`: those that were refunded since, or undone after a dispute."""
    replaces: str | None = None
    """Of a payment made anew: the reference of the one that did not arrive."""


@runtime_checkable
class BurnTracer(Protocol):
    """Knows where the money of burns went. Called in a thread, outside any transaction."""

    def trace(self, burn_ids: Sequence[UUID], payee_id: UUID) -> Mapping[UUID, Sequence[BurnStep]]:
        """The steps of each burn, in order, as the member that is paid for it may see them.

        A hundred burns at most. Burns that were not captured are left out. A raise is logged, and
        whoever asked is told that it is not known.
        """
        ...


class FailedPayout(msgspec.Struct, frozen=True, kw_only=True):
    """A payment to a member that did not arrive, or came back."""

    reference: str
    """Names this payment and no other."""
    payee_id: UUID
    """The member that should have been paid."""
    paid_by: str | None = None
    """Reference of the payment that paid it anew, once the bank has booked that."""
    paid_on: date | None = None
    """The day on which it did."""


class UndoneLine(msgspec.Struct, frozen=True, kw_only=True):
    """What was captured of one lot for a burn, undone whole because a dispute about it was upheld.

    Refunds of it are undone with it.
    """

    burn_id: UUID
    wallet_id: UUID
    line_id: int
    """Of the obligation, in its wallet."""


class UndoneDebt(msgspec.Struct, frozen=True, kw_only=True):
    """A debt between members, undone whole because a dispute about it was upheld. Since 1.3."""

    id: int
    """Of the debt; later ones have larger ids."""
    reference: str
    """As whoever booked it named it."""
    undone_at: datetime
    """Business time of what undoes it."""


@runtime_checkable
class PayoutTracer(Protocol):
    """Knows which payments to members failed, and what members gave back after disputes.

    Called in a thread, outside any transaction.
    """

    def failed(self, payee_ids: Sequence[UUID]) -> Sequence[FailedPayout]:
        """Every payment to these members that failed, those that were paid anew too; in order."""
        ...

    def burns(self, reference: str, after: UUID | None) -> Sequence[UUID]:
        """Burns whose capture a failed payment was to pay, in order of their ids.

        Some at once, of those after `after`; an empty answer is the end.
        """
        ...

    def undone(self, payee_ids: Sequence[UUID], after: UUID | None) -> Sequence[UndoneLine]:
        """Every line that these members were to be paid for and that was undone, by burn.

        All of some burns at once, of those after `after`; an empty answer is the end.
        """
        ...

    def undone_debts(self, plugin: str, after: int | None) -> Sequence[UndoneDebt]:
        """Every debt between members that this plugin booked and that was undone, by id.

        Some at once, of those after `after`; an empty answer is the end. Debts that undo others are
        left out. Since 1.3.
        """
        ...
