"""The code of a ticket: what its QR code says, signed, so that a door needs to ask nobody. Pure.

    CT1 + base32( edition 1 · key 1 · event 16 · session 16 · ticket 8 · signature 64 bytes )

`1` is the version of this layout. The text has letters and digits only, so a QR code holds it in
its dense alphanumeric mode (45 modules a side), and a reader that trims or changes case does no
harm. The signature is Ed25519 over everything before it, the version too. No name is in it: a
ticket whose attendee is renamed keeps its code. A ticket that moves to another session gets a new
**edition**, and the older one is void. `key` counts the keys of one event: a door downloads the
public ones of its own event and believes no others.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PREFIX: Final = "CT1"
SIGNATURE: Final = 64
LAYOUT: Final = struct.Struct(">BB16s16sQ")
LENGTH: Final = len(PREFIX) + -(-(LAYOUT.size + SIGNATURE) * 8 // 5)
LONGEST_INPUT: Final = 400
"""Characters read of what somebody scanned; more can be no ticket."""
MOST_EDITIONS: Final = 255
MOST_KEYS: Final = 255

_BETWEEN = re.compile(r"[\s-]+")


class Stub(msgspec.Struct, frozen=True):
    """What a code says of its ticket."""

    event_id: UUID
    session_id: UUID
    ticket: int
    """Number of the ticket, unique in the house."""
    edition: int = 1
    key: int = 1


class Signed(msgspec.Struct, frozen=True):
    """A code as it was read; what it says is worth nothing before `is_genuine`."""

    stub: Stub
    message: bytes
    signature: bytes


def sign(key: Ed25519PrivateKey, stub: Stub) -> str:
    """The code of a ticket; the same for the same key and stub."""
    message = _message(stub)
    return PREFIX + _text(message[len(PREFIX) :] + key.sign(message))


def read(text: str) -> Signed | None:
    """What was scanned, as a code; None where it can be none of ours."""
    if len(text) > LONGEST_INPUT:
        return None
    plain = _BETWEEN.sub("", text).upper()
    if len(plain) != LENGTH or not plain.startswith(PREFIX):
        return None
    body = plain[len(PREFIX) :]
    try:
        raw = base64.b32decode(body + "=" * (-len(body) % 8))
    except (binascii.Error, ValueError):
        return None
    if _text(raw) != body:
        # Bits that carry nothing must be nought: one ticket has one code, letter by letter.
        return None
    said, signature = raw[: LAYOUT.size], raw[LAYOUT.size :]
    edition, key, event, session, ticket = LAYOUT.unpack(said)
    stub = Stub(UUID(bytes=event), UUID(bytes=session), ticket, edition, key)
    return Signed(stub, PREFIX.encode() + said, signature)


def is_genuine(code: Signed, keys: Mapping[int, bytes]) -> bool:
    """Whether one of these public keys, by their number, signed it."""
    raw = keys.get(code.stub.key)
    if raw is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(code.signature, code.message)
    except InvalidSignature:
        return False
    return True


def _message(stub: Stub) -> bytes:
    said = LAYOUT.pack(
        stub.edition, stub.key, stub.event_id.bytes, stub.session_id.bytes, stub.ticket
    )
    return PREFIX.encode() + said


def _text(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=")
