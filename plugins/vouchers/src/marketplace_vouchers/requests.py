"""Idempotency keys: what a caller's key made is made once, whoever sends it again."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import IdempotencyKeyReused
from marketplace_vouchers.models import request

ONE_AT_A_TIME = sa.text("select pg_advisory_xact_lock(hashtextextended(:text, 0))")


class Request(msgspec.Struct, frozen=True):
    """A request as its key knows it."""

    caller_id: UUID
    key: str
    fingerprint: bytes
    """Of what is asked."""


def make(caller_id: UUID, key: str, kind: str, *asked: Any) -> Request:
    """The request that asks `kind` with these values."""
    text = msgspec.json.encode([kind, *asked])
    return Request(caller_id, key, hashlib.blake2b(text, digest_size=16).digest())


def made_before(session: Session, asked: Request) -> str | None:
    """What the key made earlier; IdempotencyKeyReused where that was another request.

    The same key at the same moment waits here until the first one is committed or undone.
    """
    session.execute(ONE_AT_A_TIME, {"text": f"vouchers:{asked.caller_id}:{asked.key}"})
    row = session.execute(
        sa.select(request.c.request_hash, request.c.subject).where(
            request.c.caller_id == asked.caller_id, request.c.key == asked.key
        )
    ).one_or_none()
    if row is None:
        return None
    if bytes(row.request_hash) != asked.fingerprint:
        raise IdempotencyKeyReused
    subject: str = row.subject
    return subject


def remember(session: Session, asked: Request, subject: object) -> None:
    """The key has made `subject`."""
    session.execute(
        sa.insert(request).values(
            caller_id=asked.caller_id,
            key=asked.key,
            request_hash=asked.fingerprint,
            subject=str(subject),
        )
    )
