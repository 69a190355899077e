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
from marketplace_pretix import repository
from marketplace_pretix.client import Pretix, Refused
from marketplace_pretix.domain import META
from marketplace_pretix.models import server
from marketplace_pretix.servers import enabled, guarded
from marketplace_pretix.settings import PretixSettings

log = logging.getLogger(__name__)

EVERY: Final = timedelta(minutes=5)
"""Where nobody tells of changes."""
OVERLAP: Final = timedelta(minutes=2)
"""Looked at again: an order is stamped when its transaction begins, and seen when it ends."""
COMPARED: Final = 500
"""Orders in a run whose burn is looked at, a round through all of a member's."""


class _Ticket(msgspec.Struct, frozen=True):
    addon_to: int | None = None


class Change(msgspec.Struct, frozen=True):
    """An order, as the list of changes has it."""

    code: str
    event: str
    status: str
    last_modified: datetime
    positions: list[_Ticket] = []
    api_meta: dict[str, Any] = {}

    @property
    def reference(self) -> str:
        """Ours, or empty."""
        found = self.api_meta.get(META)
        return found if isinstance(found, str) else ""

    @property
    def units(self) -> int:
        """Tickets that are in it."""
        return sum(each.addon_to is None for each in self.positions)


FIELDS: Final = (
    *("code", "event", "status", "last_modified", "api_meta"),
    *("positions.id", "positions.addon_to"),
)
NOTICED: Final[Mapping[str, api.Lazy]] = {
    "fewer": api.lazy("The organizer took tickets out of the order, or split it."),
    "unpaid": api.lazy("The organizer changed the order, and wants it paid for."),
}
"""What an organizer may have changed in an order that stands, by code."""


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
        due = row.swept_at is None or row.hinted_at is not None or row.swept_at < started - EVERY
        if due or now:
            work = partial(sweep, host, member_id, settings, row.seen_until, started)
            guarded("changes", member_id, work)
        _compare(host, member_id)


def sweep(
    host: api.Host,
    member_id: UUID,
    settings: PretixSettings,
    since: datetime | None,
    started: datetime,
) -> None:
    """Look at every order of a member that changed since. Refused, and what a call raises."""
    query = {"ordering": "last_modified", "page_size": "50"}
    if since is not None:
        query["modified_since"] = (since - OVERLAP).isoformat()
    path = "/orders/?" + "&".join(f"include={name}" for name in FIELDS)
    latest = since
    for raw in Pretix(host.outbound, settings).list(path, **query):
        try:
            change = msgspec.convert(raw, Change)
        except msgspec.ValidationError as error:
            raise Refused(f"an order cannot be read: {error}") from None
        latest = max(latest or change.last_modified, change.last_modified)
        if change.reference:
            with host.transaction() as session:
                _take(host, session, member_id, settings.place, change)
    with host.transaction() as session:
        session.execute(
            sa.update(server)
            .where(server.c.member_id == member_id, server.c.place == settings.place)
            .values(
                # A run beside this one may have seen more.
                seen_until=sa.func.greatest(server.c.seen_until, latest),
                swept_at=repository.NOW,
                hinted_at=sa.case((server.c.hinted_at <= started, None), else_=server.c.hinted_at),
            )
        )


def _take(host: api.Host, session: Session, member_id: UUID, place: str, change: Change) -> None:
    reference = change.reference
    burn = host.placed_orders(session, [reference]).get(reference)
    if burn is None or burn.acceptor_id != member_id:
        # Of another marketplace, or somebody wrote our mark into an order of their own.
        return
    known = repository.sent(session, [reference]).get(reference)
    if known is not None and (known.code, known.event) != (change.code, change.event):
        return
    host.wake(session, [reference], acceptor_id=member_id)
    if known is None:
        repository.found_there(session, member_id, place, change.event, reference, change.units)
        known = repository.sent(session, [reference])[reference]
    if change.status in ("c", "e"):
        _cancelled_there(host, session, known)
        return
    _notice(host, session, known, change)
    if _is_over(burn):
        # Nobody pays for it: it came late, or was made valid again.
        if known.cancelled_by is not None or known.cancel_asked_at is None:
            repository.ask_again(session, reference)
    elif known.cancelled_by == "us":
        repository.ask_again(session, reference)
    elif known.cancelled_by == "them":
        if repository.reactivated(session, reference):
            host.audit(session, actor="system:pretix", action="reactivated", subject=reference)
        else:
            # Too late: the points are back.
            repository.ask_again(session, reference)


def _is_over(burn: api.PlacedOrder) -> bool:
    return burn.voided or burn.refunded_points >= burn.points


def _notice(host: api.Host, session: Session, known: repository.Sent, change: Change) -> None:
    """An order that stands, and is not as it was delivered: people have to look at it."""
    if known.delivered_at is None:
        return
    code = "unpaid" if change.status != "p" else None
    code = "fewer" if change.units < known.quantity else code
    if not repository.notice(session, known.reference, code) or code is None:
        return
    host.audit(
        session,
        actor="system:pretix",
        action="changed_by_organizer",
        subject=known.reference,
        event=known.event,
        code=known.code,
        change=code,
    )
    log.warning("order %s/%s: %s", known.event, known.code, NOTICED[code].message)


def _cancelled_there(host: api.Host, session: Session, known: repository.Sent) -> None:
    by = "them" if known.cancel_asked_at is None else "us"
    if not repository.cancelled(session, known.reference, by):
        return
    action = "cancelled_by_organizer" if by == "them" else "cancelled"
    host.audit(
        session,
        actor="system:pretix",
        action=action,
        subject=known.reference,
        event=known.event,
        code=known.code,
    )
    if by == "them":
        log.warning(
            "order %s/%s was cancelled by its organizer: its points will be given back",
            known.event,
            known.code,
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
