"""What changed at a pretix: orders that its organizer cancelled, and what our own books missed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import api
from marketplace_pretix import news, parts, repository
from marketplace_pretix.client import Pretix, Refused
from marketplace_pretix.domain import order_code, parse_sku
from marketplace_pretix.models import server
from marketplace_pretix.parts import Change, Whole
from marketplace_pretix.servers import enabled, guarded
from marketplace_pretix.settings import PretixSettings

log = logging.getLogger(__name__)

EVERY: Final = timedelta(seconds=45)
"""Where nobody tells of changes."""
OVERLAP: Final = timedelta(minutes=2)
"""Looked at again: an order is stamped when its transaction begins, and seen when it ends."""
BEFORE: Final = timedelta(days=30)
"""So far back the first look goes at least."""
COMPARED: Final = 500
"""Orders in a run whose burn is looked at, a round through all of a member's."""


def hint(host: api.Host, member_id: UUID, settings: PretixSettings) -> None:
    """Somebody says that something changed: it is looked at soon."""
    row = insert(server).values(member_id=member_id, place=settings.place, hinted_at=repository.NOW)
    with host.transaction() as session:
        session.execute(
            row.on_conflict_do_update(
                index_elements=["member_id"], set_={"hinted_at": repository.NOW}
            )
        )


def run(host: api.Host, *, now: bool = False) -> None:
    """Look through the servers that are due, or through all. May run twice at once."""
    for member_id, settings in enabled(host):
        with host.transaction() as session:
            row = _state(session, member_id, settings.place)
            started = repository.moment(session)
            since = row.seen_until or _first_look(session, member_id, started)
        due = row.swept_at is None or row.hinted_at is not None or row.swept_at < started - EVERY
        if due or now:
            work = partial(sweep, host, member_id, settings, since, started)
            guarded("changes", member_id, work)
        guarded("orders in our books", member_id, partial(_compare, host, member_id))


def sweep(
    host: api.Host,
    member_id: UUID,
    settings: PretixSettings,
    since: datetime,
    started: datetime,
) -> None:
    """Look at every order of a member that changed since. Refused, and what a call raises.

    By when they were made, for that never changes: what is changed while the pages are read moves
    nothing from one page to another.
    """
    query = {"ordering": "datetime", "page_size": "50", "include_canceled_positions": "true"}
    query["modified_since"] = (since - OVERLAP).isoformat()
    path = "/orders/?" + "&".join(f"include={name}" for name in parts.FIELDS)
    latest = since
    begun: datetime | None = None
    touched: dict[str, datetime] = {}
    for headers, rows in Pretix(host.outbound, settings).pages(path, **query):
        begun = begun or _generated(headers)
        for raw in rows:
            change = _change(raw)
            latest = max(latest, change.last_modified)
            if change.reference:
                with host.transaction() as session:
                    if _take(host, session, member_id, settings.place, change):
                        touched[change.reference] = change.last_modified
    # All orders are read: what one lacks is in another, which was split from it.
    for reference, when in touched.items():
        with host.transaction() as session:
            _settle(host, session, settings, reference, when)
    if begun is not None:
        # What changed while we read was perhaps read before it changed.
        latest = min(latest, begun)
    _seen(host, member_id, settings.place, latest, started)


def _first_look(session: Session, member_id: UUID, now: datetime) -> datetime:
    """From when on a server is looked through for the first time: it may have sold for years, and
    of ours there is nothing from before our first order. Books that were restored may lack some.
    """
    return min(repository.first_sent(session, member_id) or now, now - BEFORE)


def _change(raw: Any) -> Change:
    try:
        return msgspec.convert(raw, Change)
    except msgspec.ValidationError as error:
        raise Refused(f"an order cannot be read: {error}") from None


def _generated(headers: Mapping[str, str]) -> datetime | None:
    """When pretix made a page, by its own clock."""
    try:
        found = datetime.fromisoformat(headers.get("x-page-generated", ""))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _seen(host: api.Host, member_id: UUID, place: str, latest: datetime, started: datetime) -> None:
    """Note how far a server was looked through."""
    with host.transaction() as session:
        session.execute(
            sa.update(server)
            .where(server.c.member_id == member_id, server.c.place == place)
            .values(
                # A run beside this one may have seen more.
                seen_until=sa.func.greatest(server.c.seen_until, latest),
                swept_at=repository.NOW,
                hinted_at=sa.case((server.c.hinted_at <= started, None), else_=server.c.hinted_at),
            )
        )


def _take(host: api.Host, session: Session, member_id: UUID, place: str, change: Change) -> bool:
    """Keep what an order of ours, or one that was split from it, is like; False for all others."""
    reference = change.reference
    burn = host.placed_orders(session, [reference]).get(reference)
    if burn is None or burn.acceptor_id != member_id:
        # Of another marketplace, or somebody wrote our mark into an order of their own.
        return False
    known = repository.sent(session, [reference]).get(reference)
    if known is None:
        if change.code != order_code(reference):
            return False
        host.wake(session, [reference], acceptor_id=member_id)
        units = len(change.tickets)
        repository.found_there(session, member_id, place, change.event, reference, units)
        known = repository.sent(session, [reference])[reference]
    elif change.event != known.event:
        return False
    elif change.code == known.code:
        host.wake(session, [reference], acceptor_id=member_id)
    parts.keep(session, reference, parts.part_of(change, parse_sku(known.sku)))
    return True


def _settle(
    host: api.Host, session: Session, settings: PretixSettings, reference: str, when: datetime
) -> None:
    """Draw the conclusions from what all orders that bear a reference are like now."""
    burn = host.placed_orders(session, [reference]).get(reference)
    known = repository.sent(session, [reference]).get(reference)
    if burn is None or known is None:
        return
    whole = parts.weigh(known.quantity, parts.of(session, reference))
    if not whole.good and not whole.unseen:
        _cancelled_there(host, session, settings, known, when)
        return
    if known.delivered_at is not None:
        _notice(host, session, settings, known, whole, when)
    if _is_over(burn):
        # Nobody pays for it: it came late, or was made valid again.
        if known.cancelled_by is not None or known.cancel_asked_at is None:
            repository.ask_again(session, reference)
    elif known.cancelled_by == "us":
        repository.ask_again(session, reference)
    elif known.cancelled_by == "them":
        if repository.reactivated(session, reference):
            host.audit(session, actor="system:pretix", action="reactivated", subject=reference)
            news.tell(host, session, news.AGAIN, known, when)
        else:
            # Too late: the points are back.
            repository.ask_again(session, reference)


def _is_over(burn: api.PlacedOrder) -> bool:
    return burn.voided or burn.refunded_points >= burn.points


def _notice(
    host: api.Host,
    session: Session,
    settings: PretixSettings,
    known: repository.Sent,
    whole: Whole,
    when: datetime,
) -> None:
    """An order that stands, and is perhaps not as it was delivered."""
    more = repository.note_gone(session, known.reference, whole.gone)
    if more > 0:
        hours = settings.give_back_after_h
        told = {"gone": whole.gone, "all": known.quantity, "hours": hours}
        news.tell(host, session, news.TAKEN_OUT, known, when, **told)
    code = _noticed(known, whole)
    is_new = repository.notice(session, known.reference, code)
    if is_new and code == "moved":
        news.tell(host, session, news.MOVED, known, when)
    if more > 0 or (is_new and code is not None):
        changed = code or "taken_out"
        _audit(host, session, "changed_by_organizer", known, change=changed, gone=whole.gone)
        log.warning("order %s/%s was changed by its organizer: %s", *_name(known), changed)


def _noticed(known: repository.Sent, whole: Whole) -> str | None:
    """What people have to look at: a code of `words.NOTICED`."""
    found = (
        (whole.unseen > 0, "fewer"),
        (whole.is_unpaid, "unpaid"),
        (whole.gone < known.gone_given_back, "back"),
        (whole.is_moved, "moved"),
    )
    return next((code for applies, code in found if applies), None)


def _cancelled_there(
    host: api.Host,
    session: Session,
    settings: PretixSettings,
    known: repository.Sent,
    when: datetime,
) -> None:
    by = "them" if known.cancel_asked_at is None else "us"
    if not repository.cancelled(session, known.reference, by):
        return
    _audit(host, session, "cancelled_by_organizer" if by == "them" else "cancelled", known)
    if by == "them":
        log.warning(
            "order %s/%s was cancelled by its organizer: its points will be given back",
            *_name(known),
        )
    if by == "them" and known.delivered_at is not None:
        hours = settings.give_back_after_h
        news.tell(host, session, news.CANCELLED, known, when, hours=hours)


def _name(known: repository.Sent) -> tuple[str, str]:
    return known.event, known.code


def _audit(
    host: api.Host, session: Session, action: str, known: repository.Sent, **details: Any
) -> None:
    host.audit(
        session,
        actor="system:pretix",
        action=action,
        subject=known.reference,
        event=known.event,
        code=known.code,
        **details,
    )


def _compare(host: api.Host, member_id: UUID) -> None:
    """What observers were not told, as when a process was killed: refunds on either side."""
    with host.transaction() as session:
        cancelled = [r.reference for r in repository.not_given_back(session, member_id)]
        repository.given_back(session, _refunded(host, session, cancelled))
        after = session.scalar(
            sa.select(server.c.compared_to).where(server.c.member_id == member_id)
        )
        standing = repository.live_after(session, member_id, after or "", COMPARED)
        for reference in _refunded(host, session, standing):
            repository.ask_to_cancel(session, reference, "refunded")
        session.execute(
            sa.update(server)
            .where(server.c.member_id == member_id)
            .values(compared_to=standing[-1] if len(standing) == COMPARED else "")
        )


def _refunded(host: api.Host, session: Session, references: Sequence[str]) -> list[str]:
    placed = host.placed_orders(session, references)
    return [r for r, each in placed.items() if _is_over(each)]


def _state(session: Session, member_id: UUID, place: str) -> Any:
    """How far a server was looked through; another server than before is looked through afresh."""
    row = insert(server).values(member_id=member_id, place=place)
    session.execute(
        row.on_conflict_do_update(
            index_elements=["member_id"],
            set_={"place": place, "seen_until": None, "swept_at": None},
            where=server.c.place != place,
        )
    )
    return session.execute(sa.select(server).where(server.c.member_id == member_id)).one()
