"""Phones with a pass of ours: what Apple's pass web service asks for.

Format: https://developer.apple.com/documentation/walletpasses/adding-a-web-service-to-update-passes.
A pass holds a token of its own; with it, and with nothing else, a phone registers the pass and gets
the latest one. Of passes that are none it learns as little as of those with another token.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session as Transaction

from marketplace.api import Host, NotFound
from marketplace_conference.settings import ConferenceSettings
from marketplace_conference.tickets import issuing, repository
from marketplace_conference.tickets.domain import Ticket
from marketplace_conference.wallets import apple, knowing
from marketplace_conference.wallets.errors import PassTokenRefused
from marketplace_conference.wallets.tables import copy, shown

SCHEME: Final = "ApplePass "
SERVICE: Final = "/v1/conference/wallet"
MOST_DEVICES: Final = 20
"""Phones with the same pass; of more the one that registered first is forgotten."""


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """A pass as it is now."""

    file: bytes
    changed_at: datetime


def updates_of(host: Host, ticket: Ticket, settings: ConferenceSettings) -> apple.Updates | None:
    """What is in a pass so that its phone asks for newer ones; None where nobody set that up."""
    if not apple.is_updating(settings):
        return None
    address = (settings.apple_updates or "").rstrip("/") + SERVICE
    return apple.Updates(address=address, token=token_of(host, apple.serial_of(ticket)))


def token_of(host: Host, serial: str) -> str:
    """The token in a pass: the same whenever its file is made, and nobody else can make it."""
    return base64.urlsafe_b64encode(host.fingerprint(f"pass:{serial}")).decode().rstrip("=")


def set_up(host: Host, pass_type: str) -> ConferenceSettings:
    """The settings; NotFound where passes are not updated, or are of another type."""
    settings: ConferenceSettings | None = host.settings()
    if settings is None or not apple.is_updating(settings):
        raise NotFound
    if settings.apple_pass_type != pass_type:
        raise NotFound
    return settings


def register(host: Host, device: str, serial: str, authorization: str, push_token: str) -> bool:
    """A phone has this pass and wants to be told of changes; whether that is news.

    It is told of the pass once at the next run: the file that it added may be of last week.
    """
    with host.transaction() as session:
        of = _let_in(host, session, serial, authorization)
        now = host.now(session)
        knowing.remember(session, of.id, now)
        token = host.encrypt(push_token)
        values = {
            "ticket_id": of.id,
            "wallet": "apple",
            "device": device,
            "push_token": token,
            "due_at": now,
            "made_at": now,
        }
        made = insert(copy).values(values)
        again = made.on_conflict_do_update(
            index_elements=["ticket_id", "wallet", "device"],
            set_={"push_token": token, "attempts": 0, "due_at": now},
        )
        known = session.execute(
            again.returning(sa.literal_column("xmax <> 0", sa.Boolean))
        ).scalar_one()
        _forget_oldest(session, of.id)
        return not known


def _forget_oldest(session: Transaction, ticket_id: int) -> None:
    theirs = sa.and_(copy.c.ticket_id == ticket_id, copy.c.wallet == "apple")
    newest = sa.select(copy.c.id).where(theirs).order_by(copy.c.id.desc()).limit(MOST_DEVICES)
    session.execute(sa.delete(copy).where(theirs, copy.c.id.not_in(newest.scalar_subquery())))


def unregister(host: Host, device: str, serial: str, authorization: str) -> None:
    """The pass was taken off the phone; again changes nothing."""
    with host.transaction() as session:
        of = _let_in(host, session, serial, authorization)
        session.execute(
            sa.delete(copy).where(
                copy.c.ticket_id == of.id, copy.c.wallet == "apple", copy.c.device == device
            )
        )


def updated(host: Host, device: str, since: str) -> tuple[Sequence[str], str]:
    """Serial numbers of a phone's passes that changed after the tag `since`, and the next tag."""
    known = int(since) if since.isascii() and since.isdigit() and len(since) < 19 else -1
    query = (
        sa.select(repository.place.c.order_reference, repository.place.c.position, shown.c.version)
        .join(shown, shown.c.ticket_id == copy.c.ticket_id)
        .join(repository.place, repository.place.c.id == copy.c.ticket_id)
        .where(copy.c.wallet == "apple", copy.c.device == device, shown.c.version > known)
        .order_by(shown.c.version, copy.c.ticket_id)
    )
    with host.transaction() as session:
        rows = session.execute(query).all()
    serials = [f"{row.order_reference}-{row.position}" for row in rows]
    return serials, str(max((row.version for row in rows), default=known))


def latest(
    host: Host,
    serial: str,
    authorization: str,
    settings: ConferenceSettings,
    since: datetime | None,
) -> Latest | None:
    """The pass as it is now; None where it has not changed since."""
    with host.transaction() as session:
        of = _let_in(host, session, serial, authorization)
        knowing.remember(session, of.id, host.now(session))
        changed_at, language = session.execute(
            sa.select(shown.c.changed_at, shown.c.language).where(shown.c.ticket_id == of.id)
        ).one()
        if since is not None and changed_at.replace(microsecond=0) <= since:
            return None
        (sheet,) = issuing.sheets(host, session, [of])
        sheet = sheet.in_language(language or sheet.event.language)
    made = apple.make(sheet, settings, updates_of(host, of, settings))
    return Latest(file=made, changed_at=changed_at)


def _let_in(host: Host, session: Transaction, serial: str, authorization: str) -> Ticket:
    """The ticket of a pass; PassTokenRefused where the token is not that pass's."""
    token = authorization.removeprefix(SCHEME).strip()
    good = hmac.compare_digest(token.encode(), token_of(host, serial).encode())
    reference, _, position = serial.rpartition("-")
    found = None
    if good and position.isascii() and position.isdigit() and len(position) < 6:
        found = repository.one(session, reference, int(position))
    if found is None:
        raise PassTokenRefused
    return found
