"""What a certificate says, and its code: signed, so that nobody writes one of their own. Pure.

    CC1 + base32( key 1 · event 16 · ticket 8 · signature 64 bytes )

The signature is Ed25519, by a key of the event, over all of that and a digest of every word on the
certificate: a row that was changed in the database does not verify.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PREFIX: Final = "CC1"
LAYOUT: Final = struct.Struct(">B16sQ")
SIGNATURE: Final = 64
LENGTH: Final = len(PREFIX) + -(-(LAYOUT.size + SIGNATURE) * 8 // 5)


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody attended a session."""

    number: str
    ticket_id: int
    event_id: UUID
    session_id: UUID
    key: int
    """Number of the event's key that signs it."""
    name: str
    event_name: str
    session_name: str
    starts_at: datetime
    ends_at: datetime
    issued_at: datetime


class Code(msgspec.Struct, frozen=True):
    """A code as it was read; it is worth nothing before `is_genuine`."""

    key: int
    event_id: UUID
    ticket_id: int
    signature: bytes


def sign(private: Ed25519PrivateKey, of: Certificate) -> str:
    """The code of a certificate."""
    head = LAYOUT.pack(of.key, of.event_id.bytes, of.ticket_id)
    raw = head + private.sign(_message(of))
    return PREFIX + base64.b32encode(raw).decode().rstrip("=")


def read(text: str) -> Code | None:
    """What was typed or scanned; None where it can be none of ours."""
    plain = text.strip().upper()
    if len(plain) != LENGTH or not plain.startswith(PREFIX):
        return None
    body = plain[len(PREFIX) :]
    try:
        raw = base64.b32decode(body + "=" * (-len(body) % 8))
    except (binascii.Error, ValueError):
        return None
    key, event, ticket = LAYOUT.unpack(raw[: LAYOUT.size])
    return Code(key, UUID(bytes=event), ticket, raw[LAYOUT.size :])


def is_genuine(code: Code, of: Certificate, keys: Mapping[int, bytes]) -> bool:
    """Whether a key of the event signed just this certificate; `keys` are public, by number."""
    raw = keys.get(code.key)
    if raw is None or (code.event_id, code.ticket_id, code.key) != (
        of.event_id,
        of.ticket_id,
        of.key,
    ):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(code.signature, _message(of))
    except InvalidSignature:
        return False
    return True


def _message(of: Certificate) -> bytes:
    times = [each.astimezone(UTC).isoformat() for each in (of.starts_at, of.ends_at, of.issued_at)]
    words = [of.number, of.name, of.event_name, of.session_name, str(of.session_id), *times]
    head = LAYOUT.pack(of.key, of.event_id.bytes, of.ticket_id)
    return PREFIX.encode() + head + hashlib.sha256(msgspec.json.encode(words)).digest()
