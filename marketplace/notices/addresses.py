"""Addresses of ours outside a request: pages that mails lead to, and links that end mails.

A link that ends mails says whose and which, signed: it works signed out, for years, and lets its
bearer do nothing but stop mails.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from marketplace.errors import NotFound, UsageError
from marketplace.notices.domain import CHOOSABLE, DIGESTS, Category, Email
from marketplace.secrets import Vault
from marketplace.settings import Settings

UNSUBSCRIBE: Final = "/unsubscribe/"
SIGNATURE_BYTES: Final = 16
PURPOSE: Final = "unsubscribe:"


class StopMails(msgspec.Struct, frozen=True):
    """What a link ends: mails of a category, or a digest."""

    person_id: UUID
    what: Category | Email


def public_origin(settings: Settings) -> str:
    """Scheme and host that links lead to, without a slash at the end."""
    given = settings.public_url or f"http://{settings.host}:{settings.port}"
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise UsageError("MARKETPLACE_PUBLIC_URL is no https://host, without a path.")
    return f"{parts.scheme}://{parts.netloc}"


def unsubscribe_token(vault: Vault, stop: StopMails) -> str:
    """The token of a link that ends mails."""
    body = stop.person_id.bytes + stop.what.value.encode()
    return base64.urlsafe_b64encode(_sign(vault, body) + body).rstrip(b"=").decode()


def read_token(vault: Vault, token: str) -> StopMails:
    """What a token ends; NotFound where it is none of ours."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise NotFound from None
    signature, body = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
    if len(body) <= 16 or not hmac.compare_digest(signature, _sign(vault, body)):
        raise NotFound
    return StopMails(UUID(bytes=body[:16]), _what(body[16:].decode()))


def _what(name: str) -> Category | Email:
    for each in (*CHOOSABLE, *DIGESTS):
        if each.value == name:
            return each
    raise NotFound  # a category that is no more


def _sign(vault: Vault, body: bytes) -> bytes:
    return vault.fingerprint(PURPOSE + body.hex())[:SIGNATURE_BYTES]
