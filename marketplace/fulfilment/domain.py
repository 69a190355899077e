"""What a worker may do with an order, and what an answer is worth: pure rules, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from marketplace import api
from marketplace.contract.judging import LONGEST_WORDS, well_formed
from marketplace.exchange.domain import FulfilmentState
from marketplace.letters import hidden_in, without_hidden

REVEALED = "fulfilment.revealed"
"""Action of the audit entry of each reveal; its subject is the burn."""
MAX_DELAY_S = 3600.0
"""Longest wait between two tries of an order whose outcome is unknown."""
MAX_PENDING_S = 86_400
"""Longest a supplier may ask us to wait before we look again."""
JITTER = 0.2
GIVE_UP_ATTEMPTS = 50
GIVE_UP_AFTER = timedelta(days=3)
"""An order is dead after so many attempts and this long: a person looks at it then."""
MARGIN_S = 15.0
"""What claiming and resolving may take besides the supplier's own time."""
CLAIMED_SOON_S = 15.0
"""Within so long after it was published an order is claimed unless workers are behind."""

LONGEST_REFERENCE = 200
"""Characters of a supplier's own reference."""
LONGEST_LABEL = 200
LONGEST_SECRET = 20_000
"""Characters of a code, link or ticket."""
KINDS = ("code", "ticket", "link", "receipt")
FIRST_YEAR, LAST_YEAR = 2000, 9000
"""Of an artefact's expiry; what lies outside is nonsense, and more than a database bears."""

ANSWERS = (
    api.Fulfilled,
    api.Pending,
    api.Rejected,
    api.Retry,
    api.Unknown,
    api.NeverOrdered,
)


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """An order this worker alone may resolve while its lease lasts."""

    burn_id: UUID
    wallet_id: UUID
    plugin: str
    prior: FulfilmentState
    """Its state before the claim: says whether a supplier may have seen it."""
    order: api.Order
    posted_at: datetime
    due_at: datetime
    """When the lease ends, as it was claimed: whoever has news of the order moves that a little."""

    @property
    def may_be_known(self) -> bool:
        """Whether the supplier may have it already, so that only a look-up is safe."""
        return self.prior not in (FulfilmentState.QUEUED, FulfilmentState.RETRY)


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """An order that stays held: its next state and when it is due again."""

    claimed: Claimed
    state: FulfilmentState
    delay_s: float


def lease_s(supplier_timeout_s: float) -> float:
    """How long a claim lasts: a look-up, an order after it, and our own work."""
    return 2 * supplier_timeout_s + MARGIN_S


def stale_s(supplier_timeout_s: float) -> float:
    """After how long a published order that nobody claimed is published again.

    Longer than a lease by CLAIMED_SOON_S: a claim that comes that soon need not move the time, and
    a row whose index entries stay as they are is written for half.
    """
    return max(60.0, lease_s(supplier_timeout_s) + CLAIMED_SOON_S)


def waiting(claimed: Claimed, outcome: api.Outcome, *, now: datetime, chance: float) -> Waiting:
    """The next state of an order that is not resolved; `chance` in [0, 1) spreads the retries."""
    attempt = claimed.order.attempt
    if attempt >= GIVE_UP_ATTEMPTS and now - claimed.posted_at > GIVE_UP_AFTER:
        return Waiting(claimed=claimed, state=FulfilmentState.DEAD, delay_s=0)
    spread = 1 - JITTER + 2 * JITTER * chance
    if isinstance(outcome, api.Pending):
        wait_s = float(min(max(outcome.after_s, 1), MAX_PENDING_S))
        return Waiting(claimed=claimed, state=FulfilmentState.PENDING, delay_s=wait_s * spread)
    asked_s = outcome.after_s if isinstance(outcome, api.Retry | api.Unknown) else 1
    first_s = float(min(max(asked_s, 1), MAX_PENDING_S))
    wait_s = max(first_s, min(first_s * 2 ** min(attempt - 1, 12), MAX_DELAY_S))
    retry = isinstance(outcome, api.Retry | api.NeverOrdered)
    state = FulfilmentState.RETRY if retry else FulfilmentState.UNKNOWN
    return Waiting(claimed=claimed, state=state, delay_s=wait_s * spread)


def judge(
    orders: Sequence[api.Order], answers: Iterable[Any], *, lookup: bool
) -> tuple[dict[str, api.Outcome], list[str]]:
    """What a supplier's answers are worth: an outcome per order, and what was wrong with them.

    An order without exactly one well-formed answer is Unknown: the supplier may have delivered it.
    """
    asked = {order.reference: order for order in orders}

    def check(outcome: api.Outcome) -> None:
        if isinstance(outcome, api.NeverOrdered) and not lookup:
            raise ValueError("NeverOrdered is an answer of lookup only")
        if isinstance(outcome, api.Fulfilled):
            _check_delivery(outcome, asked[outcome.reference])
        elif len(getattr(outcome, "reason", "")) > LONGEST_WORDS:
            raise ValueError(f"a reason of more than {LONGEST_WORDS} characters")

    found, faults = well_formed(asked, answers, ANSWERS, check)
    why = faults[0] if faults else "no well-formed answer"
    unknown = {r: api.Unknown(reference=r, reason=why) for r in asked if r not in found}
    return found | unknown, faults


def _check_delivery(outcome: api.Fulfilled, order: api.Order) -> None:
    if not outcome.supplier_reference.strip():
        raise ValueError("Fulfilled without a supplier reference")
    _check_text("a supplier reference", outcome.supplier_reference, LONGEST_REFERENCE)
    if len(outcome.artefacts) not in (0, order.quantity):
        raise ValueError(f"{len(outcome.artefacts)} artefacts for {order.quantity} units")
    for artefact in outcome.artefacts:
        if artefact.kind not in KINDS:
            raise ValueError(f"an artefact of kind {artefact.kind[:40]!r}; it may be {KINDS}")
        if not artefact.secret:
            raise ValueError("an artefact that is empty")
        if len(artefact.secret) > LONGEST_SECRET:
            raise ValueError(f"a secret of more than {LONGEST_SECRET} characters")
        if "\0" in artefact.secret:
            raise ValueError("a secret with a zero byte")
        # What only decorates is taken away where the label is kept.
        _check_text("an artefact's label", without_hidden(artefact.label), LONGEST_LABEL)
        _check_expiry(artefact.expires_at)


def _check_expiry(expires_at: datetime | None) -> None:
    if expires_at is None:
        return
    if expires_at.tzinfo is None:
        raise ValueError("an artefact's expires_at has no time zone")
    if not FIRST_YEAR <= expires_at.year <= LAST_YEAR:
        raise ValueError(f"an artefact's expires_at is in the year {expires_at.year}")


def _check_text(what: str, text: str, longest: int) -> None:
    """What is shown to people and written to logs is short and of one line."""
    if len(text) > longest:
        raise ValueError(f"{what} of {len(text)} characters; {longest} is the most")
    if hidden_in(text) is not None:
        raise ValueError(f"{what} with control characters or others that are not seen")
