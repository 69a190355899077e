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
    """`window`: it is in this settlement window; `settlement`: that is settled by this;
    `payout`: this payment goes to who is paid; `rejected`: this payment did not arrive."""
    reference: str
    """Of the window, the settlement, or the payment as the bank knows it."""
    status: str
    """How far it is, in the word of whoever knows it."""
    at: datetime | None = None
    """When it got there, where that is known."""
    booked_on: date | None = None
    """The day on which the bank booked a payment."""


@runtime_checkable
class BurnTracer(Protocol):
    """Knows where the money of burns went. Called in a thread, outside any transaction."""

    def trace(self, burn_ids: Sequence[UUID], payee_id: UUID) -> Mapping[UUID, Sequence[BurnStep]]:
        """The steps of each burn, in order, as the member that is paid for it may see them.

        A hundred burns at most. Burns that were not captured are left out. A raise is logged, and
        whoever asked is told that it is not known.
        """
        ...
