"""A day of the balance at Stripe, written as a statement that settlement imports like a bank's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, BinaryIO, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.api import InvalidRequest, minor_digits
from marketplace_stripe.models import line, sweep, written
from marketplace_stripe.reading import CHARGES, FEE, FORMAT, Entry, Head, Own

MICROS_DIGITS: Final = 6
BETWEEN: Final = frozenset(
    {
        "payout",
        "payout_cancel",
        "payout_failure",
        "payout_reversal",
        "topup",
        "topup_reversal",
    }
)
"""Types and categories of Stripe's of what moves between its balance and the house's bank."""
RESERVES: Final = frozenset(
    {
        "reserve_transaction",
        "reserved_funds",
        "reserve_hold",
        "reserve_release",
        "risk_reserved_funds",
        "connect_reserved_funds",
        "payment_network_reserve_hold",
        "payment_network_reserve_release",
        "payout_minimum_balance_hold",
        "payout_minimum_balance_release",
    }
)
"""Of what Stripe keeps back and lets go: no cost, and of many movements one reserve."""
RESERVE: Final = "reserve"
KEPT: Final = timedelta(days=180)
"""How long a reserve is waited for: customers can dispute a charge that long. Stripe's lists of
movements do not say when one is let go."""
DAY: Final = timedelta(days=1)
SETTLES: Final = timedelta(hours=1)
"""How long after a day what was made in it is surely in Stripe's list, and clocks agree."""
STRIPES_DIGITS: Final = {"ISK": 2, "UGX": 2, "MGA": 0}
"""Decimals of Stripe's smallest unit, where that is not the one of ISO 4217."""
SHOWN_ON: Final = sa.func.coalesce(
    line.c.late_on, sa.cast(sa.func.timezone("UTC", line.c.made_at), sa.Date)
)
"""The day whose statement shows a line."""
LOCK: Final = 6_840_211_733
"""Advisory lock of whoever writes a statement down, or lines that may be of one."""


def account_of(platform: str) -> str:
    """How the clearing house knows the balance: `STRIPE/1ABC...` for `acct_1ABC...`."""
    return f"STRIPE/{platform.removeprefix('acct_').upper()}"


def over(moment: datetime) -> date:
    """The first day that is not surely over then."""
    return (moment.astimezone(UTC) - SETTLES).date()


def lock(session: Session) -> None:
    """No statement is written down, and no line, by others until the session ends."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))


def ends(session: Session, platform: str) -> dict[str, date]:
    """The newest day that was written, by currency."""
    rows = session.execute(
        sa.select(written.c.currency, sa.func.max(written.c.day).label("day"))
        .where(written.c.account == platform)
        .group_by(written.c.currency)
    )
    return {row.currency: row.day for row in rows}


def late_on(row: Mapping[str, Any], ends: Mapping[str, date]) -> date | None:
    """The day whose statement shows a new line, where those of its own day are written already."""
    end = ends.get(row["currency"])
    made_on = row["made_at"].astimezone(UTC).date()
    return end + DAY if end is not None and made_on <= end else None


def write(session: Session, day: date, currency: str, platform: str | None = None) -> bytes:
    """The statement of a day (UTC); the same for ever, for nothing is added to it from now on.
    Of the account that was read last, unless another is named. InvalidRequest where the day is not
    over, or not swept to its end.
    """
    lock(session)
    swept = _swept(session, platform)
    if swept is None or swept.swept_to < datetime.combine(day, time(), UTC) + DAY:
        raise InvalidRequest(
            f"The balance was not read past the end of {day}: run marketplace stripe sweep once "
            "the day is over."
        )
    note = {"account": swept.account, "currency": currency, "day": day}
    session.execute(insert(written).values(note).on_conflict_do_nothing())
    opening = micros(_sum_before(session, swept.account, day, currency), currency)
    entries = [
        each for row in _lines(session, swept.account, day, currency) for each in _entries(row)
    ]
    account = account_of(swept.account)
    head = Head(
        format=FORMAT,
        account=account,
        currency=currency,
        reference=f"{account}-{currency}-{day}",
        day=day,
        made_at=datetime.combine(day, time(), UTC) + DAY,
        opening_micros=opening,
        closing_micros=opening + sum(each.amount_micros for each in entries),
    )
    return b"".join(msgspec.json.encode(each) + b"\n" for each in (head, *entries))


def write_next(
    session: Session, account: str, currency: str, after: date | None, into: BinaryIO
) -> str:
    """Write the statement of the next day on which something moved, if that is surely over and was
    read to its end; its name as a file, or nothing."""
    lock(session)
    platforms = session.scalars(sa.select(sweep.c.account).distinct())
    platform = next((each for each in platforms if account_of(each) == account), None)
    if platform is None:
        return ""
    mine = sa.and_(line.c.account == platform, line.c.currency == currency)
    days = sa.select(sa.func.min(SHOWN_ON)).where(mine)
    day = session.scalar(days if after is None else days.where(after < SHOWN_ON))
    swept = _swept(session, platform)
    if day is None or swept is None or over(swept.swept_to) <= day:
        return ""
    into.write(write(session, day, currency, platform))
    return f"{platform}-{currency}-{day}.jsonl"


def _swept(session: Session, platform: str | None) -> Any | None:
    """The pass that read furthest."""
    query = sa.select(sweep.c.account, sweep.c.swept_to).order_by(sweep.c.swept_to.desc()).limit(1)
    if platform is not None:
        query = query.where(sweep.c.account == platform)
    return session.execute(query).first()


def _sum_before(session: Session, account: str, day: date, currency: str) -> int:
    total = session.scalar(
        sa.select(sa.func.sum(line.c.net_minor)).where(
            line.c.account == account, day > SHOWN_ON, line.c.currency == currency
        )
    )
    return int(total or 0)


def _lines(session: Session, account: str, day: date, currency: str) -> list[Any]:
    """Movements that the statement of a day shows."""
    began = datetime.combine(day, time(), UTC)
    in_time = sa.and_(
        line.c.late_on.is_(None), line.c.made_at >= began, line.c.made_at < began + DAY
    )
    rows = session.execute(
        sa.select(line)
        .where(
            line.c.account == account,
            line.c.currency == currency,
            sa.or_(in_time, line.c.late_on == day),
        )
        .order_by(line.c.made_at, line.c.id)
    )
    return list(rows)


def _entries(row: Any) -> list[Entry]:
    """A movement as it is, and its fee beside: then the movement is what was asked for."""
    made = []
    if row.amount_minor:
        made.append(
            Entry(
                id=row.id,
                amount_micros=micros(row.amount_minor, row.currency),
                # Taxes on fees and the like have a category of their own, which may be new.
                kind=row.type if row.type in CHARGES else row.category,
                text=row.text,
                reference=row.reference,
                own=_own(row),
            )
        )
    if row.fee_minor:
        made.append(
            Entry(
                id=f"{row.id}-fee",
                amount_micros=-micros(row.fee_minor, row.currency),
                kind=FEE,
                text=f"Stripe's fee for {row.id}",
            )
        )
    return made


def _own(row: Any) -> Own | msgspec.UnsetType:
    """Of what goes to or comes from the house's bank, or is kept back for a while."""
    if {row.type, row.category} & RESERVES:
        held = row.made_at.astimezone(UTC).date() + KEPT if row.amount_minor < 0 else None
        return Own(name=f"{RESERVE} {row.currency}", elsewhere=False, due_on=held)
    if row.source and {row.type, row.category} & BETWEEN:
        references = (row.bank_reference,) if row.bank_reference else ()
        return Own(name=row.source, due_on=row.arrives_on, references=references)
    return msgspec.UNSET


def micros(amount_minor: int, currency: str) -> int:
    """An amount as Stripe counts it, in millionths of the currency."""
    digits = STRIPES_DIGITS.get(currency)
    micros_per_unit: int = 10 ** (
        MICROS_DIGITS - (minor_digits(currency) if digits is None else digits)
    )
    return amount_minor * micros_per_unit
