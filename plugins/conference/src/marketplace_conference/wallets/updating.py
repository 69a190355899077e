"""Tells wallets of passes that changed: phones by Apple's push service, Google by its interface.

A periodic task, so nothing that changes a ticket waits for it. Each copy of a pass is told until it
is told; what fails is tried again later and later. Told twice does no harm.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session as Transaction

from marketplace.api import Host, MarketplaceError
from marketplace_conference.settings import ConferenceSettings
from marketplace_conference.wallets import apple, google, knowing
from marketplace_conference.wallets.google_calls import Google
from marketplace_conference.wallets.knowing import Claimed
from marketplace_conference.wallets.push import Push
from marketplace_conference.wallets.tables import copy, shown

log = logging.getLogger(__name__)

AT_ONCE: Final = 200
LEASE: Final = timedelta(minutes=5)
MOST_FAILURES: Final = 3
"""One after the other, and the rest is left for later: the other side is not there."""
SHORTEST, LONGEST = timedelta(seconds=30), timedelta(hours=6)
"""Until a copy is tried again: twice as long each time."""


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the others are."""

    push: str = "https://api.push.apple.com"
    token: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
    objects: str = "https://walletobjects.googleapis.com/walletobjects/v1"


class Told(Enum):
    """What became of telling a copy."""

    DONE = "done"
    GONE = "gone"
    """The phone has the pass no more: it is not told again."""
    LATER = "later"
    NOT_TRIED = "not_tried"
    NEVER_SAVED = "never_saved"
    """There is none; it may be saved yet, from a page that is still open."""


Tell = Callable[[Claimed], Told]


def saved_at_google(session: Transaction, ticket_id: int, now: datetime) -> None:
    """The link that saves it was opened: what Google has is what the pass shows now."""
    knowing.remember(session, ticket_id, now)
    face = sa.select(shown.c.face).where(shown.c.ticket_id == ticket_id).scalar_subquery()
    values = {"ticket_id": ticket_id, "wallet": "google", "told": face}
    made = insert(copy).values(**values, due_at=now, made_at=now)
    # Of a link that is opened again Google keeps what it has: then it is told after all.
    session.execute(made.on_conflict_do_nothing())


def run(host: Host, addresses: Addresses | None = None) -> int:
    """Note what changed and tell some copies of it; how many were told. Nothing without keys."""
    settings: ConferenceSettings | None = host.settings()
    others = addresses or Addresses()
    if settings is None:
        return 0
    pushes, saves = apple.is_updating(settings), google.is_set_up(settings)
    if not (pushes or saves):
        return 0
    with host.transaction() as session:
        knowing.note(session, host.now(session))
    told = 0
    if pushes:
        told += _tell(host, "apple", lambda some: _by_push(host, settings, others, some))
    if saves:
        told += _tell(host, "google", lambda some: _at_google(host, settings, others, some))
    return told


def _tell(host: Host, wallet: str, work: Callable[[Sequence[Claimed]], int]) -> int:
    with host.transaction() as session:
        some = knowing.claim(session, wallet, host.now(session), LEASE, AT_ONCE)
    if not some:
        return 0
    try:
        return work(some)
    except MarketplaceError as error:
        log.warning("conference: passes of %s wait: %s", wallet, error.detail or error.title)
        for each in some:
            _write(host, each, Told.LATER)
        return 0


def _by_push(
    host: Host, settings: ConferenceSettings, others: Addresses, some: Sequence[Claimed]
) -> int:
    with Push.opened(host, settings, others.push) as push:
        return _one_by_one(host, some, lambda each: push.tell(host.decrypt(each.push_token or b"")))


def _at_google(
    host: Host, settings: ConferenceSettings, others: Addresses, some: Sequence[Claimed]
) -> int:
    with Google.opened(host, settings, others.token, others.objects) as calls:
        return _one_by_one(host, some, lambda each: calls.tell(each.ticket_id))


def _one_by_one(host: Host, some: Sequence[Claimed], tell: Callable[[Claimed], str]) -> int:
    """Tell each; after MOST_FAILURES in a row the others keep for later."""
    told = failures = 0
    for each in some:
        try:
            outcome = Told.NOT_TRIED if failures >= MOST_FAILURES else Told(tell(each))
        except MarketplaceError as error:
            log.warning("conference: a pass was not updated: %s", error.detail or error.title)
            outcome = Told.LATER
        failures = failures + 1 if outcome in (Told.LATER, Told.NOT_TRIED) else 0
        told += outcome is Told.DONE
        _write(host, each, outcome)
    return told


def _write(host: Host, of: Claimed, outcome: Told) -> None:
    mine = copy.c.id == of.id
    with host.transaction() as session:
        now = host.now(session)
        if outcome is Told.GONE:
            session.execute(sa.delete(copy).where(mine))
            return
        if outcome is Told.DONE:
            values = {"told": of.face, "attempts": 0, "due_at": now}
        elif outcome is Told.NOT_TRIED:
            values = {"due_at": now + SHORTEST}
        else:
            wait = LONGEST if outcome is Told.NEVER_SAVED else pause(of.attempts)
            values = {"attempts": of.attempts + 1, "due_at": now + wait}
        session.execute(sa.update(copy).where(mine).values(values))


def pause(attempts: int) -> timedelta:
    """How long to wait after so many attempts before this one."""
    waited: timedelta = SHORTEST * 2 ** min(attempts, 20)
    return min(waited, LONGEST)
