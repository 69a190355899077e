"""Plain burns: those that can be written without a look before.

Most burns are of an offer that is on sale to everybody, at its price, from one lot that covers
them. Their terms are known by the offer's version, and whether all the rest is so is asked by the
statement that writes them (`holding_repository.hold_plain`). It holds what is plain and leaves
alone what is not, which is then read and decided like any other burn: only `decide.py` refuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from marketplace.exchange.answering import Waiting
from marketplace.exchange.decide import MAX_QUANTITY, Accepted, BurnRequest
from marketplace.exchange.domain import OfferStatus, OfferTerms


def plain_burns(batch: Sequence[Waiting], offers: Mapping[UUID, OfferTerms]) -> list[Accepted]:
    """The burns of the batch that are plain by what is known of their offers, without their draws.

    One of each wallet, the first that came: a second one must see what the first one took.
    """
    found: dict[UUID, Accepted | None] = {}
    for request, _ in batch:
        if request.wallet_id not in found:
            offer = offers.get(request.offer_id)
            found[request.wallet_id] = None if offer is None else _accepted(request, offer)
    return [each for each in found.values() if each is not None]


def _accepted(request: BurnRequest, offer: OfferTerms) -> Accepted | None:
    points = offer.points * request.quantity
    if (
        offer.status is OfferStatus.ON_SALE
        and offer.starts_at is None
        and offer.ends_at is None
        and offer.closed is None
        and offer.eligibility.open_to_all
        and request.selection is None
        and request.expected_points in (None, points)
        and (request.quantity <= MAX_QUANTITY or offer.points == 1)
    ):
        return Accepted(request, offer, points, [])
    return None
