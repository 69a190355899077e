"""What finance sees of Stripe: the balance, what moved by month, accounts, the last payments."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import Host
from marketplace_stripe import onboarding, sweeping
from marketplace_stripe.client import client_of
from marketplace_stripe.models import line, payment, sweep
from marketplace_stripe.onboarding import State
from marketplace_stripe.settings import STRIPE, House
from marketplace_stripe.statement import account_of, micros

MOST_PAYMENTS = 50
MOST_MOVED = 120
SINCE_MONTHS = 12


class Pass(msgspec.Struct, frozen=True):
    """The last time that the balance was read."""

    account: str
    """As the clearing house knows it."""
    platform: str
    """At Stripe: acct_."""
    ended_at: datetime
    lines: int
    missed: int


class Moved(msgspec.Struct, frozen=True):
    """What moved in a month, of one kind, in micros."""

    month: datetime
    kind: str
    currency: str
    count: int
    amount_micros: int
    fee_micros: int


class Sent(msgspec.Struct, frozen=True):
    """A leg that was sent."""

    reference: str
    part: str
    """Which part of the leg, like `2/3`; empty: all of it."""
    collected: bool
    amount_micros: int
    currency: str
    object_id: str
    state: str
    reason: str
    sent_at: datetime


class Overview(msgspec.Struct, frozen=True):
    """All of it, as it was last read; Stripe is not asked for it."""

    double: bool
    """The settings name a double, not Stripe."""
    live: bool
    last: Pass | None
    balance: dict[str, int]
    """By currency, in micros: the sum of all lines."""
    moved: list[Moved]
    accounts: list[State]
    payments: list[Sent]


def overview(host: Host) -> Overview:
    """NotConfigured where the plugin has no settings yet."""
    house: House = host.settings()
    with host.transaction() as session:
        last = _last(session)
        moved = _moved(session, last.platform) if last else []
        balance = _balance(session, last.platform) if last else {}
        payments = _payments(session)
    return Overview(
        double=house.address.rstrip("/") != STRIPE,
        live=house.live,
        last=last,
        balance=balance,
        moved=moved,
        accounts=onboarding.states(host),
        payments=payments,
    )


def compare(host: Host, platform: str) -> dict[str, int]:
    """What Stripe says the balance is, less the sum of all lines, now; in micros, zeros left out.

    Raises StripeError.
    """
    client = client_of(host.settings())
    gaps = sweeping.differences(host, client, platform)
    return {currency: micros(gap, currency) for currency, gap in gaps.items()}


def _last(session: Session) -> Pass | None:
    row = session.execute(sa.select(sweep).order_by(sweep.c.id.desc()).limit(1)).first()
    if row is None:
        return None
    return Pass(account_of(row.account), row.account, row.ended_at, row.lines, row.missed)


def _balance(session: Session, platform: str) -> dict[str, int]:
    rows = session.execute(
        sa.select(line.c.currency, sa.func.sum(line.c.net_minor).label("net"))
        .where(line.c.account == platform)
        .group_by(line.c.currency)
        .order_by(line.c.currency)
    )
    return {row.currency: micros(int(row.net), row.currency) for row in rows}


def _moved(session: Session, platform: str) -> list[Moved]:
    month = sa.func.date_trunc("month", line.c.made_at, "UTC")
    rows = session.execute(
        sa.select(
            month.label("month"),
            line.c.category,
            line.c.currency,
            sa.func.count().label("lines"),
            sa.func.sum(line.c.amount_minor).label("amount"),
            sa.func.sum(line.c.fee_minor).label("fee"),
        )
        .where(
            line.c.account == platform,
            line.c.made_at > sa.func.now() - sa.text(f"interval '{SINCE_MONTHS} months'"),
        )
        .group_by("month", line.c.category, line.c.currency)
        .order_by(sa.desc("month"), line.c.currency, line.c.category)
        .limit(MOST_MOVED)
    )
    return [
        Moved(
            month=row.month,
            kind=row.category,
            currency=row.currency,
            count=row.lines,
            amount_micros=micros(int(row.amount), row.currency),
            fee_micros=micros(int(row.fee), row.currency),
        )
        for row in rows
    ]


def _payments(session: Session) -> list[Sent]:
    rows = session.execute(
        sa.select(payment)
        .order_by(payment.c.sent_at.desc(), payment.c.reference)
        .limit(MOST_PAYMENTS)
    )
    return [
        Sent(
            reference=row.reference,
            part=f"{row.part}/{row.parts}" if row.parts > 1 else "",
            collected=row.direction == "collect",
            amount_micros=micros(row.amount_minor, row.currency),
            currency=row.currency,
            object_id=row.object_id or "",
            state=row.state,
            reason=row.reason,
            sent_at=row.sent_at,
        )
        for row in rows
    ]
