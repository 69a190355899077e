"""The balance at Stripe, movement by movement: what webhooks missed is found, fees are told apart.

Stripe's list of balance transactions is its ledger: whatever moves money is there. A pass reads it
from some days before the end of the last one, so that what came late is not left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import msgspec
import sqlalchemy as sa
import stripe
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.api import Host
from marketplace_stripe import records
from marketplace_stripe.client import client_of
from marketplace_stripe.collecting import dict_of
from marketplace_stripe.models import event, line, sweep
from marketplace_stripe.settings import House

EVERY: Final = timedelta(hours=24)
OVERLAP: Final = timedelta(days=3)
PAGE: Final = 100
LONGEST_TEXT: Final = 200


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
    """Whether a day has gone by since the last pass, or something was told since."""
    with host.transaction() as session:
        ended = session.scalar(sa.select(sa.func.max(sweep.c.ended_at)))
        if ended is None:
            return True
        now = session.scalar(sa.select(sa.func.clock_timestamp()))
        told = session.scalar(sa.select(event.c.id).where(event.c.received_at > ended).limit(1))
    return told is not None or (now is not None and now - ended >= EVERY)


def run(host: Host) -> Swept:
    """One pass, from some days before the last one to now. Safe to run twice at once."""
    house: House = host.settings()
    client = client_of(house)
    account = client.v1.accounts.retrieve_current().id
    began = datetime.now(UTC)
    with host.transaction() as session:
        since = session.scalar(
            sa.select(sa.func.max(sweep.c.swept_to)).where(sweep.c.account == account)
        )
    new = missed = 0
    for page in _pages(client, since):
        with host.transaction() as session:
            added = _keep(session, account, page)
            unheard = _unheard(session, added)
            told = {row["reference"] for row in added} | set(_of_sources(session, added))
            host.ask_about_legs(session, sorted(told))
        new, missed = new + len(added), missed + unheard
    with host.transaction() as session:
        row = {"account": account, "swept_to": began, "lines": new, "missed": missed}
        session.execute(sa.insert(sweep).values(row))
    return Swept(lines=new, missed=missed, differences=differences(host, client, account))


def differences(host: Host, client: stripe.StripeClient, account: str) -> dict[str, int]:
    """What Stripe says is there, less what all lines come to, by currency; zeros left out."""
    balance = client.v1.balance.retrieve()
    said: dict[str, int] = {}
    for part in (balance.available, balance.pending):
        for each in part:
            currency = each.currency.upper()
            said[currency] = said.get(currency, 0) + each.amount
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
    asked: Any = {"limit": PAGE, "expand": ["data.source"]}
    if since is not None:
        asked["created"] = {"gte": int((since - OVERLAP).timestamp())}
    found = client.v1.balance_transactions.list(asked).auto_paging_iter()
    while page := list(islice(found, PAGE)):
        yield page


def _keep(session: Session, account: str, page: Sequence[Any]) -> list[dict[str, Any]]:
    """Write down what is new; returns it."""
    rows = [{**_row(each), "account": account} for each in page]
    made = insert(line).values(rows).on_conflict_do_nothing().returning(line.c.id)
    new = set(session.scalars(made))
    return [row for row in rows if row["id"] in new]


def _row(entry: Any) -> dict[str, Any]:
    source = entry.source
    metadata = dict_of(getattr(source, "metadata", None))
    return {
        "id": entry.id,
        "type": entry.type,
        "category": entry.reporting_category,
        "amount_minor": entry.amount,
        "fee_minor": entry.fee,
        "net_minor": entry.net,
        "currency": entry.currency.upper(),
        "source": source if isinstance(source, str) else getattr(source, "id", "") or "",
        "reference": str(metadata.get("reference", ""))[:LONGEST_TEXT],
        "text": (entry.description or entry.type)[:LONGEST_TEXT],
        "made_at": datetime.fromtimestamp(entry.created, UTC),
        "available_at": datetime.fromtimestamp(entry.available_on, UTC),
    }


def _unheard(session: Session, added: Sequence[dict[str, Any]]) -> int:
    """How many are about things that no event was about."""
    sources = {row["source"] for row in added}
    heard = set(session.scalars(sa.select(event.c.object_id).where(event.c.object_id.in_(sources))))
    return sum(row["source"] not in heard for row in added)


def _of_sources(session: Session, added: Sequence[dict[str, Any]]) -> list[str]:
    return records.references_of(session, [row["source"] for row in added])
