"""The keys that sign tickets: one pair for each event, made when its first ticket is."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from uuid import UUID

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session as Transaction

from marketplace.api import Host
from marketplace_conference.tickets.codes import MOST_KEYS
from marketplace_conference.tickets.tables import key

Signer = tuple[int, Ed25519PrivateKey]
"""A key's number within its event, and the key."""


def signer(host: Host, session: Transaction, event_id: UUID) -> Signer:
    """The key that signs what is issued for an event now; made where there is none."""
    found = _newest(session, event_id)
    if found is None:
        _add(host, session, event_id, 1)
        found = _newest(session, event_id)
    assert found is not None  # noqa: S101 - ours, or that of whoever was quicker
    return found[0], _opened(host, found[1])


def signers(host: Host, session: Transaction, event_id: UUID) -> dict[int, Ed25519PrivateKey]:
    """Every key of an event by number, to make the codes of tickets that are out already."""
    rows = session.execute(sa.select(key.c.number, key.c.secret).where(key.c.event_id == event_id))
    return {number: _opened(host, bytes(secret)) for number, secret in rows}


def public_keys(session: Transaction, event_id: UUID) -> Mapping[int, bytes]:
    """What a door of this event believes, by number."""
    rows = session.execute(sa.select(key.c.number, key.c.public).where(key.c.event_id == event_id))
    return {number: bytes(public) for number, public in rows}


def renew(host: Host, session: Transaction, event_id: UUID) -> int:
    """Sign with a new key from now on; tickets that are out stay good. Returns its number."""
    found = _newest(session, event_id)
    number = 1 if found is None else min(found[0] + 1, MOST_KEYS)
    _add(host, session, event_id, number)
    return number


def _newest(session: Transaction, event_id: UUID) -> tuple[int, bytes] | None:
    row = session.execute(
        sa.select(key.c.number, key.c.secret)
        .where(key.c.event_id == event_id)
        .order_by(key.c.number.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.number, bytes(row.secret))


def _add(host: Host, session: Transaction, event_id: UUID, number: int) -> None:
    made = Ed25519PrivateKey.generate()
    session.execute(
        insert(key)
        .values(
            event_id=event_id,
            number=number,
            public=made.public_key().public_bytes_raw(),
            secret=host.encrypt(base64.b64encode(made.private_bytes_raw()).decode()),
        )
        .on_conflict_do_nothing()
    )


def _opened(host: Host, secret: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(host.decrypt(secret)))
