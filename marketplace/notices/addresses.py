"""Addresses of ours outside a request: pages that mails lead to, and signed links.

A link that ends mails says whose and which, signed: it works signed out, for years, and lets its
bearer do nothing but stop mails. One that confirms an address of a channel says whose and which.
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
CONFIRM: Final = "/me/channels/confirm/"
CONFIRM_PURPOSE: Final = "channel:"


class StopMails(msgspec.Struct, frozen=True):
    """What a link ends: mails of a category, or a digest."""

    person_id: UUID
    what: Category | Email


class ConfirmAddress(msgspec.Struct, frozen=True):
    """What a link confirms: that a person is reached at this address of a channel."""

    person_id: UUID
    channel: str
    address: str


def public_origin(settings: Settings) -> str:
    """Scheme and host that links lead to, without a slash at the end."""
    given = settings.public_url or f"http://{settings.host}:{settings.port}"
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise UsageError("MARKETPLACE_PUBLIC_URL is no https://host, without a path.")
    return f"{parts.scheme}://{parts.netloc}"


def unsubscribe_token(vault: Vault, stop: StopMails) -> str:
    """The token of a link that ends mails."""
    return _token(vault, PURPOSE, stop.person_id.bytes + stop.what.value.encode())


def read_token(vault: Vault, token: str) -> StopMails:
    """What a token ends; NotFound where it is none of ours."""
    body = _body(vault, PURPOSE, token)
    return StopMails(UUID(bytes=body[:16]), _what(body[16:].decode()))


def confirm_token(vault: Vault, confirm: ConfirmAddress) -> str:
    """The token of a link that confirms an address."""
    said = f"{confirm.channel} {confirm.address}"
    return _token(vault, CONFIRM_PURPOSE, confirm.person_id.bytes + said.encode())


def read_confirm_token(vault: Vault, token: str) -> ConfirmAddress:
    """What a token confirms; NotFound where it is none of ours."""
    body = _body(vault, CONFIRM_PURPOSE, token)
    channel, _, address = body[16:].decode().partition(" ")
    return ConfirmAddress(UUID(bytes=body[:16]), channel, address)


def _token(vault: Vault, purpose: str, body: bytes) -> str:
    return base64.urlsafe_b64encode(_sign(vault, purpose, body) + body).rstrip(b"=").decode()


def _body(vault: Vault, purpose: str, token: str) -> bytes:
    """What was signed: the id of a person and something about them."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise NotFound from None
    signature, body = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
    if len(body) <= 16 or not hmac.compare_digest(signature, _sign(vault, purpose, body)):
        raise NotFound
    return body


def _what(name: str) -> Category | Email:
    for each in (*CHOOSABLE, *DIGESTS):
        if each.value == name:
            return each
    raise NotFound  # a category that is no more


def _sign(vault: Vault, purpose: str, body: bytes) -> bytes:
    return vault.fingerprint(purpose + body.hex())[:SIGNATURE_BYTES]
