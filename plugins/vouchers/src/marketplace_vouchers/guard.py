"""Makes guessing hopeless: wrong codes are counted, and whoever has too many waits.

A till (an API key, or a person) that reaches its limit is locked out, twice as long each time. A
member, an address and all tills together have limits too, against somebody with many keys; while
one of these is reached, a till waits that has had a wrong code itself in the same window, and
everybody else goes on. What counts is a wrong code, never a right one; that a code is mistyped
(its checksum says so) counts a third of one that no voucher has. Success forgives nothing, or a
guesser with one voucher would wipe the slate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import Host, MarketplaceError
from marketplace_vouchers.errors import LockedOut, MistypedCode, UnknownVoucher
from marketplace_vouchers.models import strike
from marketplace_vouchers.tills import Till

WINDOW = timedelta(minutes=15)
LOCK_OUT = timedelta(minutes=15)
LONGEST_LOCK_OUT = timedelta(days=1)
MOST_DOUBLINGS = 7
POINTS: dict[type[MarketplaceError], int] = {UnknownVoucher: 3, MistypedCode: 1}
TILL_LIMIT = 30
"""Ten codes that no voucher has, or thirty mistyped ones."""
SHARED_LIMITS = {"member": 150, "address": 150, "all": 1_500}


class Standing(msgspec.Struct, frozen=True):
    """How a subject stands in the present window."""

    points: int
    window_ends: datetime
    locked_until: datetime | None


# One statement, so that wrong codes at the same moment are all counted. A window that is over is
# begun anew; lock-outs are forgotten after the longest one.
COUNT = sa.text("""
insert into vouchers_strike as s (subject, since, points)
values (:subject, :now, :points)
on conflict (subject) do update set
    points = case when s.since <= :now - cast(:window as interval) then :points
                  else s.points + :points end,
    since = case when s.since <= :now - cast(:window as interval) then :now else s.since end,
    lock_outs = case when s.since <= :now - cast(:longest as interval) then 0
                     else s.lock_outs end
returning points, lock_outs
""").bindparams(sa.bindparam("now", type_=sa.DateTime(timezone=True)))


@contextmanager
def watch(host: Host, till: Till) -> Iterator[None]:
    """Let a till try a code: LockedOut where it must wait; a wrong code is counted."""
    subjects = _subjects(host, till)
    with host.transaction() as session:
        _require_free(session, subjects, host.now(session))
    try:
        yield
    except (UnknownVoucher, MistypedCode) as error:
        # The transaction that found nothing is over: counting is one of its own.
        with host.transaction() as session:
            _count(session, subjects, POINTS[type(error)], host.now(session))
        raise


def _subjects(host: Host, till: Till) -> list[str]:
    """The till itself first, then whom it shares a limit with."""
    return [
        till.subject,
        f"member:{till.member_id}",
        f"address:{host.fingerprint(till.address).hex()}",
        "all",
    ]


def _require_free(session: Session, subjects: Sequence[str], now: datetime) -> None:
    found = _standings(session, subjects)
    mine = found.get(subjects[0])
    if mine is None:
        return
    if mine.locked_until is not None and mine.locked_until > now:
        raise LockedOut(_seconds(mine.locked_until - now))
    if mine.window_ends <= now or mine.points == 0:
        return
    for subject in subjects[1:]:
        shared = found.get(subject)
        limit = SHARED_LIMITS[subject.split(":")[0]]
        if shared is not None and shared.window_ends > now and shared.points >= limit:
            raise LockedOut(_seconds(shared.window_ends - now))


def _count(session: Session, subjects: Sequence[str], points: int, now: datetime) -> None:
    # In one order everywhere, the row that all share last, so that two never wait for each other.
    for subject in subjects:
        row = session.execute(
            COUNT,
            {
                "subject": subject,
                "now": now,
                "points": points,
                "window": WINDOW,
                "longest": 2 * LONGEST_LOCK_OUT,
            },
        ).one()
        if subject == subjects[0] and row.points >= TILL_LIMIT:
            doubled = LOCK_OUT * 2 ** min(row.lock_outs, MOST_DOUBLINGS)
            _change(
                session,
                subject,
                points=0,
                lock_outs=strike.c.lock_outs + 1,
                locked_until=now + min(doubled, LONGEST_LOCK_OUT),
            )


def _standings(session: Session, subjects: Sequence[str]) -> dict[str, Standing]:
    rows = session.execute(sa.select(strike).where(strike.c.subject.in_(subjects)))
    return {row.subject: Standing(row.points, row.since + WINDOW, row.locked_until) for row in rows}


def _change(session: Session, subject: str, **values: Any) -> int:
    done = session.execute(
        sa.update(strike)
        .where(strike.c.subject == subject)
        .values(values)
        .returning(strike.c.subject)
    )
    return len(done.all())


def _seconds(wait: timedelta) -> int:
    return max(math.ceil(wait.total_seconds()), 1)


def locked_out(session: Session, now: datetime) -> list[tuple[str, datetime]]:
    """Tills that must wait, and until when."""
    rows = session.execute(
        sa.select(strike.c.subject, strike.c.locked_until)
        .where(strike.c.locked_until > now)
        .order_by(strike.c.subject)
    )
    return [(row.subject, row.locked_until) for row in rows]


def forget(host: Host) -> None:
    """Delete what no longer counts for anybody."""
    with host.transaction() as session:
        long_ago = host.now(session) - 2 * LONGEST_LOCK_OUT
        session.execute(sa.delete(strike).where(strike.c.since < long_ago))


def forgive(session: Session, subject: str) -> bool:
    """Let a till try again at once; False where it has done nothing wrong."""
    return _change(session, subject, points=0, lock_outs=0, locked_until=None) > 0
