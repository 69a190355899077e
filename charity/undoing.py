"""Gifts and matches whose money a charity gives back, because disputes about them were upheld.

The clearing house is asked by the clock which lines and debts were undone. How much that is of a
gift is read from the ledger, without what was refunded of the same lines, wherever a gift follows
its burn. Of a match it is the whole.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import groupby
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from charity import following, matching, models
from charity.domain import SLUG
from charity.models import Charity, Gift, UndoneGift
from charity.notes import now_of
from marketplace.api import PayoutTracer, UndoneDebt, UndoneLine
from marketplace.host import PluginHost
from marketplace.ledger.models import MemberDebt

log = logging.getLogger(__name__)


def hear_all(host: PluginHost) -> int:
    """Bring gifts and matches to what disputes undid of them; how many of both."""
    with host.transaction() as session:
        payees = list(session.scalars(sa.select(Charity.member_id)))
    heard = 0
    for slug, tracers in host.payout_tracers.items():
        for tracer in tracers:
            try:
                for page in _pages(tracer, payees):
                    heard += _hear(host, page)
                heard += sum(_hear_debt(host, each) for each in _new_debts(host, tracer))
            except Exception:
                log.exception("plugin %s: its tracer of payments raised", slug)
    return heard


def _pages(tracer: PayoutTracer, payees: Sequence[UUID]) -> Iterator[Sequence[UndoneLine]]:
    after: UUID | None = None
    while page := tracer.undone(payees, after):
        yield page
        after = page[-1].burn_id


def _new_debts(host: PluginHost, tracer: PayoutTracer) -> Iterator[UndoneDebt]:
    after: int | None = None
    while page := tracer.undone_debts(SLUG, after):
        asked = [each.reference for each in page]
        with host.transaction() as session:
            query = sa.select(models.UndoneDebt.reference)
            known = set(session.scalars(query.where(models.UndoneDebt.reference.in_(asked))))
        yield from (each for each in page if each.reference not in known)
        after = page[-1].id


def _hear_debt(host: PluginHost, debt: UndoneDebt) -> bool:
    with host.transaction() as session:
        new = insert(models.UndoneDebt).values(
            reference=debt.reference, undone_at=debt.undone_at, heard_at=now_of(session)
        )
        made = session.scalar(new.on_conflict_do_nothing().returning(models.UndoneDebt.reference))
        if made is None or _was_over(session, debt):
            return False
        name, _, number = debt.reference.rpartition(":")
        matching.debt_undone(session, name, int(number))
        return True


def _was_over(session: Session, debt: UndoneDebt) -> bool:
    """Whether it was not owed any more when the dispute was decided: undone, and another booked in
    its place, which was not disputed."""
    query = sa.select(MemberDebt.id).where(
        MemberDebt.undoes_id == debt.id, MemberDebt.effective_at < debt.undone_at
    )
    return session.scalar(query) is not None


def _hear(host: PluginHost, page: Sequence[UndoneLine]) -> int:
    asked = {each.burn_id for each in page}
    with host.transaction() as session:
        # A charity may accept points for other things too.
        gifts = set(session.scalars(sa.select(Gift.burn_id).where(Gift.burn_id.in_(asked))))
        known = sa.select(UndoneGift.wallet_id, UndoneGift.line_id).where(
            UndoneGift.burn_id.in_(gifts)
        )
        old = {(row.wallet_id, row.line_id) for row in session.execute(known)}
    new = [
        each for each in page if each.burn_id in gifts and (each.wallet_id, each.line_id) not in old
    ]
    done = 0
    for burn_id, lines in groupby(new, lambda each: each.burn_id):
        with host.transaction() as session:
            done += _undo(session, burn_id, list(lines))
    return done


def _undo(session: Session, burn_id: UUID, lines: Sequence[UndoneLine]) -> bool:
    """Under the lock of the gift, for the clock may ask twice at once."""
    session.get_one(Gift, burn_id, with_for_update=True)
    rows = [
        {
            "wallet_id": each.wallet_id,
            "line_id": each.line_id,
            "burn_id": burn_id,
            "heard_at": now_of(session),
        }
        for each in lines
    ]
    made = insert(UndoneGift).values(rows).on_conflict_do_nothing().returning(UndoneGift.line_id)
    if not session.scalars(made).all():
        return False
    following.follow(session, burn_id)
    return True
