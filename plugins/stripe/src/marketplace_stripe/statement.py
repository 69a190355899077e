"""A day of the balance at Stripe, written as a statement that settlement imports like a bank's."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import InvalidRequest, minor_digits
from marketplace_stripe.models import line, sweep
from marketplace_stripe.reading import FEE, FORMAT, Entry, Head, Own

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


def account_of(platform: str) -> str:
    """How the clearing house knows the balance: `STRIPE/1ABC...` for `acct_1ABC...`."""
    return f"STRIPE/{platform.removeprefix('acct_').upper()}"


def write(session: Session, day: date, currency: str) -> bytes:
    """The statement of a day (UTC); the same for ever. InvalidRequest where the day is not over,
    or not swept to its end.
    """
    began = datetime.combine(day, time(), UTC)
    ended = began + DAY
    swept = session.execute(
        sa.select(sweep.c.account, sweep.c.swept_to).order_by(sweep.c.swept_to.desc()).limit(1)
    ).first()
    if swept is None or swept.swept_to < ended:
        raise InvalidRequest(
            f"The balance was not read past the end of {day}: run marketplace stripe sweep once "
            "the day is over."
        )
    opening = micros(_sum_before(session, swept.account, began, currency), currency)
    entries = [
        each for row in _lines(session, swept.account, began, currency) for each in _entries(row)
    ]
    account = account_of(swept.account)
    head = Head(
        format=FORMAT,
        account=account,
        currency=currency,
        reference=f"{account}-{currency}-{day}",
        day=day,
        made_at=ended,
        opening_micros=opening,
        closing_micros=opening + sum(each.amount_micros for each in entries),
    )
    return b"".join(msgspec.json.encode(each) + b"\n" for each in (head, *entries))


def _sum_before(session: Session, account: str, moment: datetime, currency: str) -> int:
    total = session.scalar(
        sa.select(sa.func.sum(line.c.net_minor)).where(
            line.c.account == account, line.c.made_at < moment, line.c.currency == currency
        )
    )
    return int(total or 0)


def _lines(session: Session, account: str, began: datetime, currency: str) -> list[Any]:
    """Movements of the day that begins then."""
    rows = session.execute(
        sa.select(line)
        .where(
            line.c.account == account,
            line.c.made_at >= began,
            line.c.made_at < began + DAY,
            line.c.currency == currency,
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
                kind=row.category,
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
    micros_per_unit: int = 10 ** (MICROS_DIGITS - minor_digits(currency))
    return amount_minor * micros_per_unit
