"""Tokens and the request headers that carry them. Pure: no I/O.

An API key is `mk_` and 256 random bits, a session token `ms_` and 256 random bits. Tables hold
SHA-256 of them only: with that much randomness a slow hash would protect nothing more.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

from marketplace.errors import NotAuthenticated
from marketplace.identity.errors import CrossSiteRequest

KEY_PREFIX = "mk_"
SESSION_PREFIX = "ms_"
COOKIE = "marketplace_session"
TOKEN_LENGTH = 46
BEARER_LENGTH = len("Bearer ") + TOKEN_LENGTH
"""Of an `Authorization` header as it is usually written."""
HINT_LENGTH = 9
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_KEY, _SESSION, _COOKIE = KEY_PREFIX.encode(), SESSION_PREFIX.encode(), COOKIE.encode()
_OF_BROWSERS = frozenset({b"cookie", b"origin", b"host", b"sec-fetch-site"})

RawHeaders = Iterable[tuple[bytes, bytes]]
"""As in an ASGI scope: names in lower case."""


class Credential(msgspec.Struct, frozen=True):
    """What a request came with."""

    digest: bytes
    """SHA-256 of the token."""
    is_key: bool
    """An API key, else a session."""


def new_token(prefix: str) -> str:
    """A fresh token with 256 random bits."""
    return prefix + secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What the tables hold of a token."""
    return hashlib.sha256(token.encode()).digest()


def read_credential(headers: RawHeaders, method: str) -> Credential:
    """The credential of a request: a Bearer token, else the session cookie.

    Raises NotAuthenticated where there is none, CrossSiteRequest where another site's page tries
    to change state with the browser's cookie.
    """
    headers = headers if isinstance(headers, list) else list(headers)
    for name, value in headers:
        if name == b"authorization":
            return read_bearer(value)
    found = {name: value for name, value in headers if name in _OF_BROWSERS}
    token = _cookie(found.get(b"cookie", b""))
    if not token:
        raise NotAuthenticated
    _refuse_other_sites(found, method)
    return _credential(token)


def refuse_other_sites(headers: RawHeaders, method: str) -> None:
    """Raise CrossSiteRequest where a browser says that another site's page made this request."""
    _refuse_other_sites({name: value for name, value in headers if name in _OF_BROWSERS}, method)


def read_bearer(value: bytes) -> Credential:
    """The credential of an `Authorization` header; NotAuthenticated where it is no Bearer token."""
    if value[:7].lower() != b"bearer ":
        raise NotAuthenticated("Send the key as `Authorization: Bearer <key>`.")
    return _credential(value[7:].strip())


def _credential(token: bytes) -> Credential:
    if len(token) == TOKEN_LENGTH:
        if token.startswith(_KEY):
            return Credential(hashlib.sha256(token).digest(), True)
        if token.startswith(_SESSION):
            return Credential(hashlib.sha256(token).digest(), False)
    raise NotAuthenticated


def _cookie(header: bytes) -> bytes:
    for part in header.split(b";"):
        name, _, value = part.strip().partition(b"=")
        if name == _COOKIE:
            return value
    return b""


def _refuse_other_sites(found: dict[bytes, bytes], method: str) -> None:
    if method in SAFE_METHODS:
        return
    if found.get(b"sec-fetch-site", b"none") not in (b"same-origin", b"none"):
        raise CrossSiteRequest
    origin = found.get(b"origin")
    if origin is None:
        return
    host = found.get(b"host", b"").decode("latin-1").lower()
    try:
        came_from = urlsplit(origin.decode("latin-1").lower()).netloc
    except ValueError:
        raise CrossSiteRequest from None
    if came_from != host:
        raise CrossSiteRequest
