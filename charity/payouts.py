"""Payments to charities that failed, and their being paid anew: what givers are told of them.

The clearing house is asked by the clock through `marketplace_register_payout_tracers`. What was
told of a payment is kept in the transaction of the notices, so each is told once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from charity import telling
from charity.models import Charity, FailedPayment
from charity.notes import now_of
from marketplace.api import FailedPayout, PayoutTracer
from marketplace.host import PluginHost

log = logging.getLogger(__name__)


def tell_all(host: PluginHost) -> int:
    """Tell givers of payments that failed, and of those paid anew since; how many payments."""
    with host.transaction() as session:
        charities = {each.member_id: each.id for each in session.scalars(sa.select(Charity))}
    told = 0
    for slug, tracers in host.payout_tracers.items():
        for tracer in tracers:
            try:
                told += _tell_of(host, tracer, charities)
            except Exception:
                log.exception("plugin %s: its tracer of payments raised", slug)
    return told


def _tell_of(host: PluginHost, tracer: PayoutTracer, charities: Mapping[UUID, UUID]) -> int:
    failed = tracer.failed(list(charities))
    with host.transaction() as session:
        news = _untold(session, failed)
    for each in news:
        burns = list(_pages(tracer, each.reference))
        with host.transaction() as session:
            _tell(session, charities[each.payee_id], each, burns)
    return len(news)


def _untold(session: Session, failed: Sequence[FailedPayout]) -> list[FailedPayout]:
    """Those of which something was not told yet."""
    query = sa.select(FailedPayment.reference, FailedPayment.paid_by).where(
        FailedPayment.reference.in_([each.reference for each in failed])
    )
    known = {row.reference: row.paid_by for row in session.execute(query)}
    return [
        each
        for each in failed
        if each.reference not in known or (each.paid_by and not known[each.reference])
    ]


def _pages(tracer: PayoutTracer, reference: str) -> Iterator[Sequence[UUID]]:
    after: UUID | None = None
    while page := tracer.burns(reference, after):
        yield page
        after = page[-1]


def _tell(
    session: Session, charity_id: UUID, failed: FailedPayout, burns: Sequence[Sequence[UUID]]
) -> None:
    """Under the lock of the payment's row, for the clock may ask twice at once."""
    new = insert(FailedPayment).values(
        reference=failed.reference, charity_id=charity_id, told_at=now_of(session)
    )
    session.execute(new.on_conflict_do_nothing())
    row = session.get_one(FailedPayment, failed.reference, with_for_update=True)
    charity = session.get_one(Charity, charity_id)
    for page in burns:
        telling.payout_failed(session, charity, failed.reference, page)
        if failed.paid_by and failed.paid_on:
            telling.payout_made_good(session, charity, failed.paid_by, failed.paid_on, page)
    row.paid_by = failed.paid_by or row.paid_by
