"""What callers of the burn engine are told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from marketplace.errors import IdempotencyKeyReused, MarketplaceError, NotAuthenticated
from marketplace.exchange import repository
from marketplace.exchange.decide import Accepted, BurnRequest, Decision, Refused, Replayed
from marketplace.exchange.errors import REJECTIONS, BurnRejected

log = logging.getLogger(__name__)


class Held(msgspec.Struct, frozen=True):
    """The answer to an accepted burn; the same again for every replay of its key."""

    id: UUID
    wallet_id: UUID
    offer_id: UUID
    quantity: int
    points: int
    effective_at: datetime
    hold_until: datetime
    status: str = "held"


class Answer(msgspec.Struct, frozen=True):
    """What the caller is told: `held` or the `error` that refuses; `replayed` on a repeat."""

    held: Held | None
    error: MarketplaceError | None
    replayed: bool = False


Waiting = tuple[BurnRequest, Callable[[Answer], None]]


async def replays(connection: Any, decisions: Sequence[Decision]) -> dict[UUID, Answer]:
    """Stored outcomes of keys that were used before, by burn id."""
    asked = [
        (each.earlier.burn_id, each.earlier.wallet_id)
        for each in decisions
        if isinstance(each, Replayed)
    ]
    if not asked:
        return {}
    rows = await connection.fetch(
        repository.OUTCOMES, [burn for burn, _ in asked], [wallet for _, wallet in asked]
    )
    found: dict[UUID, Answer] = {}
    for burn_id, wallet_id, offer_id, quantity, points, effective_at, until, code, why in rows:
        if code is None:
            held = Held(burn_id, wallet_id, offer_id, quantity, points, effective_at, until)
            found[burn_id] = Answer(held, None, replayed=True)
        else:
            error = REJECTIONS[code](why, burn_id=str(burn_id))
            found[burn_id] = Answer(None, error, replayed=True)
    return found


def answer(
    decision: Decision, now: datetime, hold_for: timedelta, replayed: Mapping[UUID, Answer]
) -> Answer:
    """What the caller is told of a decision that is durable."""
    request = decision.request
    match decision:
        case Accepted():
            return Answer(
                Held(
                    request.burn_id,
                    request.wallet_id,
                    request.offer_id,
                    request.quantity,
                    decision.points,
                    now,
                    now + hold_for,
                ),
                None,
            )
        case Refused():
            decision.error.extra["burn_id"] = str(request.burn_id)
            return Answer(None, decision.error)
        case Replayed(earlier=earlier):
            if earlier.request_hash != request.request_hash:
                return Answer(None, IdempotencyKeyReused())
            # A key of another operation (a refund) has no burn to replay.
            return replayed.get(earlier.burn_id, Answer(None, IdempotencyKeyReused()))
    return Answer(None, NotAuthenticated("The credential was revoked or has expired."))


def tell_all(waiting: Iterable[Waiting], answers: Sequence[Answer]) -> None:
    """Tell each caller its outcome; one that cannot be told harms no other."""
    for (_, tell), answer in zip(waiting, answers, strict=True):
        try:
            tell(answer)
        except Exception:
            log.exception("an outcome could not be told; its key will find it")


def outcome_of(answer: Answer) -> str:
    """What kind of outcome it is, for the tally."""
    if answer.replayed:
        return "replayed"
    if answer.held is not None:
        return "held"
    return "rejected" if isinstance(answer.error, BurnRejected) else "failed"
