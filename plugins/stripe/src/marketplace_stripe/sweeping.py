"""The balance at Stripe, movement by movement: what webhooks missed is found, fees are told apart.

Stripe's list of balance transactions is its ledger: whatever moves money is there. A pass reads it
from some days before the end of the last one, so that what came late is not left out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import sqlalchemy as sa
import stripe
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.api import Host
from marketplace_stripe import asking, records, statement
from marketplace_stripe.client import client_of, platform_of
from marketplace_stripe.models import event, line, sweep
from marketplace_stripe.records import dict_of
from marketplace_stripe.settings import House

OVERLAP: Final = timedelta(days=3)
LONGEST_TEXT: Final = 200
PASSES: Final = 3
"""How often it is read until it agrees with the balance: money moves meanwhile."""
RELATED: Final = ("payment_intent", "transfer", "source_transfer")
"""What a charge, a dispute, a refund or a reversal belongs to."""

OURS: Final = (None, "payments")
"""Balances whose movements are read. What Stripe keeps back, prefunds or issues cards from are
others: ours has a movement of its own for what goes there."""

UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)
"""What reading a line raises that is not as Stripe's API says."""
CODE_LENGTH: Final = 3

log = logging.getLogger(__name__)


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass found."""

    lines: int
    """Movements that were not known."""
    missed: int
    """Of them, those that no webhook had told of."""
    differences: dict[str, int]
    """By currency, in smallest units: what Stripe says the balance is, less the sum of all lines;
    only those that are not zero."""


def due(host: Host) -> bool:
    """Whether a day has ended since the last pass, and is not read to its end; or something was
    told since."""
    with host.transaction() as session:
        ended = session.scalar(sa.select(sa.func.max(sweep.c.ended_at)))
        if ended is None:
            return True
        now = session.scalars(sa.select(sa.func.clock_timestamp())).one()
        told = session.scalar(sa.select(event.c.id).where(event.c.received_at > ended).limit(1))
    return told is not None or statement.over(now) > statement.over(ended)


def run(host: Host) -> Swept:
    """One pass, from some days before the last one to now. Safe to run twice at once."""
    house: House = host.settings()
    client = client_of(house)
    account = platform_of(client)
    new = missed = 0
    for number in range(PASSES):
        began = datetime.now(UTC)
        lines, unheard = _read(host, client, account)
        new, missed = new + lines, missed + unheard
        with host.transaction() as session:
            row = {"account": account, "swept_to": began, "lines": lines, "missed": unheard}
            session.execute(sa.insert(sweep).values(row))
        gaps = differences(host, client, account)
        if not gaps or (number and not lines):
            break
    return Swept(lines=new, missed=missed, differences=gaps)


def _read(host: Host, client: stripe.StripeClient, account: str) -> tuple[int, int]:
    """Read the list once; how many lines are new, and how many of them no event was about."""
    with host.transaction() as session:
        since = session.scalar(
            sa.select(sa.func.max(sweep.c.swept_to)).where(sweep.c.account == account)
        )
    new = missed = 0
    for page in _pages(client, since):
        with host.transaction() as session:
            added = _keep(session, account, page)
            missed += _unheard(session, added)
            told = {row["reference"] for row in added if row["reference"]}
            host.ask_about_legs(session, sorted(told))
        new += len(added)
    return new, missed


def differences(host: Host, client: stripe.StripeClient, account: str) -> dict[str, int]:
    """What Stripe says is there, less what all lines come to, by currency; zeros left out."""
    balance = client.v1.balance.retrieve()
    said: dict[str, int] = {}
    for part in ("available", "pending"):
        for each in getattr(balance, part, None) or []:
            currency, amount = _currency(each.currency), getattr(each, "amount", None)
            if currency is not None and isinstance(amount, int):
                said[currency] = said.get(currency, 0) + amount
    with host.transaction() as session:
        rows = session.execute(
            sa.select(line.c.currency, sa.func.sum(line.c.net_minor))
            .where(line.c.account == account)
            .group_by(line.c.currency)
        )
        kept = {currency: int(total) for currency, total in rows}
    gaps = {each: said.get(each, 0) - kept.get(each, 0) for each in sorted({*said, *kept})}
    return {currency: gap for currency, gap in gaps.items() if gap}


def _pages(client: stripe.StripeClient, since: datetime | None) -> Iterator[list[Any]]:
    asked: Any = {"expand": ["data.source"]}
    if since is not None:
        asked["created"] = {"gte": int((since - OVERLAP).timestamp())}
    return asking.pages(client.v1.balance_transactions.list, asked)


def _keep(session: Session, account: str, page: Sequence[Any]) -> list[dict[str, Any]]:
    """Write down what is new; returns it. What does not add up is left out, and so a difference."""
    rows = []
    for each in page:
        if getattr(each, "balance_type", None) not in OURS:
            continue
        try:
            rows.append({**_row(each), "account": account})
        except UNREADABLE as error:
            shown = getattr(each, "id", "a line without an id")
            log.error("%s of Stripe's balance is left out: %s", shown, error)
    if not rows:
        return []
    known = records.references_of(session, [one for row in rows for one in row["related"]])
    for row in rows:
        of = (known[one] for one in row.pop("related") if one in known)
        row["reference"] = row["reference"] or next(of, "")
    statement.lock(session)
    ends = statement.ends(session, account)
    for row in rows:
        row["late_on"] = statement.late_on(row, ends)
    made = insert(line).values(rows).on_conflict_do_nothing().returning(line.c.id)
    new = set(session.scalars(made))
    return [row for row in rows if row["id"] in new]


def _row(entry: Any) -> dict[str, Any]:
    """A line; `related`: ids by which its leg is found where it does not name it.

    One of `UNREADABLE` where it is not as Stripe's API says, or does not add up.
    """
    amounts = [_whole(entry.amount), _whole(entry.fee), _whole(entry.net)]
    if amounts[2] != amounts[0] - amounts[1]:
        raise ValueError("it does not add up")
    currency = _currency(entry.currency)
    if currency is None:
        raise ValueError(f"{entry.currency!r} is no currency of ISO 4217")
    source = getattr(entry, "source", None)
    source_id = source if isinstance(source, str) else getattr(source, "id", "")
    source_id = source_id if isinstance(source_id, str) else ""
    metadata = dict_of(getattr(source, "metadata", None))
    available_on = getattr(entry, "available_on", None) or entry.created
    return {
        "id": _word(entry.id),
        "type": _word(entry.type),
        "category": _word(getattr(entry, "reporting_category", None) or entry.type),
        "amount_minor": amounts[0],
        "fee_minor": amounts[1],
        "net_minor": amounts[2],
        "currency": currency,
        "source": source_id,
        "reference": str(metadata.get("reference", ""))[:LONGEST_TEXT],
        "text": str(getattr(entry, "description", None) or entry.type)[:LONGEST_TEXT],
        "made_at": datetime.fromtimestamp(entry.created, UTC),
        "available_at": datetime.fromtimestamp(available_on, UTC),
        "related": [source_id, *_related(source)],
        **_of_payout(source),
    }


def _word(value: Any) -> str:
    if not isinstance(value, str) or not value or "\x00" in value:
        raise ValueError(f"{value!r} is no name")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is no number of smallest units")
    return value


def _currency(value: Any) -> str | None:
    """The code, or None: Stripe keeps balances in units of no country too, which no leg is in."""
    code = value.upper() if isinstance(value, str) else ""
    return code if len(code) == CODE_LENGTH and code.isascii() and code.isalpha() else None


def _of_payout(source: Any) -> dict[str, Any]:
    """When a payout arrives, and how the bank's statement names it; nothing of others."""
    due = getattr(source, "arrival_date", None)
    traced = getattr(getattr(source, "trace_id", None), "value", None)
    return {
        "arrives_on": datetime.fromtimestamp(due, UTC).date() if isinstance(due, int) else None,
        "bank_reference": str(traced)[:LONGEST_TEXT] if traced else None,
    }


def _related(source: Any) -> Iterator[str]:
    for name in RELATED:
        value = getattr(source, name, None)
        value = value if isinstance(value, str) else getattr(value, "id", None)
        if isinstance(value, str) and value:
            yield value


def _unheard(session: Session, added: Sequence[dict[str, Any]]) -> int:
    """How many are about things that no event was about."""
    sources = {row["source"] for row in added}
    heard = set(session.scalars(sa.select(event.c.object_id).where(event.c.object_id.in_(sources))))
    return sum(row["source"] not in heard for row in added)
