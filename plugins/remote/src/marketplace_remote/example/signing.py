"""Standard Webhooks signatures with nothing but the standard library."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping

TOLERANCE_S = 300


class NotSigned(Exception):
    """The message is not from whom it should be, or too old."""


def signature(key: str, message_id: str, timestamp: str, body: bytes) -> str:
    """`v1,` and the signature with a key `whsec_...`."""
    raw = base64.b64decode(key.removeprefix("whsec_"))
    text = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(raw, text, hashlib.sha256)).decode()


def sign(keys: Iterable[str], message_id: str, body: bytes) -> dict[str, str]:
    """Headers that sign a message with every key."""
    timestamp = str(int(time.time()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signature(key, message_id, timestamp, body) for key in keys),
    }


def verify(keys: Iterable[str], headers: Mapping[str, str], body: bytes) -> str:
    """The id of a message that one of the keys signed in the last five minutes; else NotSigned."""
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_S:
        raise NotSigned("its time is missing or too far from ours")
    given = headers.get("webhook-signature", "").split(" ")
    for key in keys:
        mine = signature(key, message_id, timestamp, body).encode()
        if any(hmac.compare_digest(mine, each.encode()) for each in given):
            return message_id
    raise NotSigned("no signature fits")
