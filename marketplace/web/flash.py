"""One-off notices: said by one answer, shown by the next page, then gone.

The notice travels in a short-lived cookie, signed, so that nobody can put words into our mouth.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from typing import Literal

import msgspec

from marketplace.secrets import Vault

COOKIE = "notice"
LIFE_S = 60
LONGEST = 500
"""Characters of a notice; a cookie holds 4 kB."""

Tone = Literal["success", "info", "warning", "danger"]


class Notice(msgspec.Struct, frozen=True, array_like=True):
    """What is said, and in which tone."""

    text: str
    tone: Tone = "success"
    said_at: int = 0
    """Seconds since 1970 by this machine's clock."""


def seal(vault: Vault, text: str, tone: Tone) -> str:
    """The value of the cookie."""
    notice = Notice(text[:LONGEST], tone, int(time.time()))
    body = base64.urlsafe_b64encode(msgspec.msgpack.encode(notice)).decode().rstrip("=")
    return f"{body}.{_signature(vault, body)}"


def unseal(vault: Vault, value: str | None) -> Notice | None:
    """The notice in a cookie; None where there is none, it is old, or it is not ours."""
    body, _, signature = (value or "").partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(vault, body).encode()):
        return None
    try:
        raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        notice = msgspec.msgpack.decode(raw, type=Notice)
    except (binascii.Error, msgspec.MsgspecError):
        return None
    return notice if time.time() - notice.said_at <= LIFE_S else None


def _signature(vault: Vault, body: str) -> str:
    return vault.fingerprint(f"notice:{body}").hex()[:32]
