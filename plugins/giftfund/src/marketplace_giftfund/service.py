"""Taking codes in: uploads, thresholds, and keeping the stock of offers what the pools hold."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from marketplace.api import Host, NotFound, OpenOrder
from marketplace_giftfund import repository
from marketplace_giftfund.errors import BadUpload
from marketplace_giftfund.models import LOW_AT
from marketplace_giftfund.parsing import NewCode, parse
from marketplace_giftfund.schemas import OwnPool, Pool, StockDay, Uploaded

log = logging.getLogger(__name__)

DAYS: Final = 60
"""Days that a pool's history shows."""


def upload(host: Host, sku: str, text: str, *, actor: str, dry_run: bool = False) -> Uploaded:
    """Take a CSV of codes into the pool of `sku`, all of it or nothing, and raise the stock.

    Raises NotFound where no offer of the gift fund names the sku, BadUpload for bad lines. A file
    whose every line is in this pool already changes nothing.
    """
    with host.transaction() as session:
        if host.offer_owner(session, sku) is None:
            raise NotFound(f"No offer of the gift fund has the sku {sku!r}.")
        today = host.now(session).date()
        codes = parse(text, today)
        repository.lock_pool(session, sku)
        new = _add(host, session, sku, codes)
        align(host, session, sku, today)
        free = repository.count_unpromised(session, sku, (), today)
        if new:
            repository.no_longer_low(session, sku, free)
            host.audit(session, actor=actor, action="codes_uploaded", subject=sku, codes=new)
        if dry_run:
            session.rollback()
    return Uploaded(sku=sku, new=new, already=len(codes) - new, free=free, dry_run=dry_run)


def _add(host: Host, session: Session, sku: str, codes: Sequence[NewCode]) -> int:
    """Insert the codes; returns how many are new: all of them or none."""
    by_print = {host.fingerprint(each.code): each for each in codes}
    known = repository.known_codes(session, list(by_print))
    errors = [
        (each.line, reason)
        for fingerprint, each in by_print.items()
        if (reason := _clash(each, sku, known.get(fingerprint), whole=len(known) == len(codes)))
    ]
    if errors:
        raise BadUpload(errors)
    if known:
        return 0
    rows = [
        repository.CodeRow(fingerprint, host.encrypt(each.code), each.label, each.expires_on)
        for fingerprint, each in by_print.items()
    ]
    added = repository.add_codes(session, sku, rows)
    if added < len(rows):
        raise BadUpload([(1, "another upload has just taken some of these codes; try again")])
    return added


def _clash(new: NewCode, sku: str, known: object, *, whole: bool) -> str | None:
    """Why a code that is known already cannot be taken; None where it can be, or was."""
    if known is None:
        return None
    if getattr(known, "sku", None) != sku:
        return "the code is in another pool"
    if not whole:
        return "the code is in this pool already, and other lines are not"
    if getattr(known, "expires_on", None) != new.expires_on:
        return "the code is in this pool already, with another expires_on"
    if getattr(known, "label", None) != new.label:
        return "the code is in this pool already, with another label"
    return None


def align(host: Host, session: Session, sku: str, today: date) -> None:
    """Make the stock of the sku's offers its free codes, less what held orders will get."""

    def free_units(orders: Sequence[OpenOrder]) -> int:
        return repository.count_unpromised(session, sku, orders, today)

    host.align_stock(session, sku, free_units)


def align_all(host: Host) -> None:
    """Align every pool: expired codes leave the stock, new offers of a pool get theirs."""
    with host.transaction() as session:
        today = host.now(session).date()
        skus = [row.sku for row in repository.pools(session, today)]
    for sku in skus:
        try:
            with host.transaction() as session:
                align(host, session, sku, today)
                warn_low(host, session, [sku], host.now(session))
        except Exception:
            # Other pools have stock too; the next run comes to this one again.
            log.exception("gift fund: pool %s is not aligned", sku)


def warn_low(host: Host, session: Session, skus: Iterable[str], now: datetime) -> None:
    """Log and audit pools that have just become low, once until they are filled again."""
    for sku, low_at in repository.gone_low(session, skus, now.date(), now):
        log.warning("gift fund: pool %s is down to %d codes or fewer", sku, low_at)
        host.audit(session, actor="system:giftfund", action="stock_low", subject=sku, low_at=low_at)


def set_low_at(host: Host, sku: str, low_at: int, *, actor: str) -> None:
    """Change the number of codes at which a pool counts as low."""
    with host.transaction() as session:
        if host.offers(session, sku=sku):
            repository.lock_pool(session, sku)  # one that has never held a code has a row from now
        if not repository.set_low_at(session, sku, low_at):
            raise NotFound(f"There is no pool {sku!r}.")
        host.audit(session, actor=actor, action="low_at_set", subject=sku, low_at=low_at)


def pools(host: Host) -> list[Pool]:
    """All pools, by sku."""
    with host.transaction() as session:
        return _pools(host, session)


def _pools(host: Host, session: Session) -> list[Pool]:
    today = host.now(session).date()
    return [
        Pool(
            sku=row.sku,
            free=row.free,
            given=row.given,
            expiring=row.expiring,
            expired=row.expired,
            low_at=row.low_at,
            low=row.free <= row.low_at,
            low_since=row.low_since,
            next_expiry=row.next_expiry,
        )
        for row in repository.pools(session, today)
    ]


def own_pools(host: Host, member_id: UUID) -> list[OwnPool]:
    """The pools of a member's offers by sku, empty ones that never had a code included."""
    with host.transaction() as session:
        names: dict[str, list[str]] = {}
        for offer in host.offers(session, member_id=member_id):
            names.setdefault(offer.sku, []).append(offer.name)
        found = {each.sku: each for each in _pools(host, session)}
    return [
        OwnPool(pool=found.get(sku) or _never_filled(sku), offers=tuple(names[sku]))
        for sku in sorted(names)
    ]


def _never_filled(sku: str) -> Pool:
    return Pool(
        sku=sku,
        free=0,
        given=0,
        expiring=0,
        expired=0,
        low_at=LOW_AT,
        low=True,
        low_since=None,
        next_expiry=None,
    )


def stocks(host: Host, session: Session, sku: str, member_id: UUID | None) -> bool:
    """Whether a member may stock this sku: every offer of it is the member's (None: anybody's)."""
    owners = {each.member_id for each in host.offers(session, sku=sku)}
    return bool(owners) and (member_id is None or owners == {member_id})


def stock_by_day(host: Host, sku: str, days: int = DAYS) -> list[StockDay]:
    """How a pool stood at the end of each of the last days, today included."""
    with host.transaction() as session:
        today = host.now(session).date()
        changes = {row.day: row for row in repository.changes_by_day(session, sku, today)}
    first = today - timedelta(days=days - 1)
    free = sum(_net(row) for day, row in changes.items() if day < first)
    shown = []
    for day in (first + timedelta(days=number) for number in range(days)):
        row = changes.get(day)
        free += _net(row) if row else 0
        counts = (row.uploaded, row.given, row.expired) if row else (0, 0, 0)
        shown.append(StockDay(day, max(free, 0), *map(int, counts)))
    return shown


def _net(row: Any) -> int:
    return int(row.uploaded - row.given - row.expired)
